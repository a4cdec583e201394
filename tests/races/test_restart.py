"""What a server leaves unfinished, the next one on the same file finishes."""

import asyncio

import orjson
import pytest

from longline.auth.principal import LOCAL
from longline.models.events import BEGINNING
from longline.models.runs import RunStatus
from longline.services.runs import RunRequest

from .conftest import OpenServer
from .graphs import Gate, gated

pytestmark = pytest.mark.anyio


async def test_a_run_that_is_stopped_with_its_server_goes_on_where_it_was(open_server: OpenServer) -> None:
    first, second = Gate(), Gate()
    async with open_server({"gated": gated(first)}) as server:
        thread = await server.threads.create(LOCAL)
        request = RunRequest(assistant="gated", thread_id=thread.thread_id, input={"name": "a"}, resumable=True)
        run = await server.runs.create(LOCAL, request)
        async with asyncio.timeout(10):
            await first.reached.wait()
    second.opened.set()
    async with open_server({"gated": gated(second)}) as server:
        found, reader = await server.runs.join(LOCAL, thread.thread_id, run.run_id, after=BEGINNING)
        events = []
        while batch := await reader.read(10):
            events += batch
        reader.close()
        done = await server.runs.get(LOCAL, thread.thread_id, run.run_id)
        assert (done.status, done.attempt) == (RunStatus.SUCCESS, 2)
        assert second.visits == 1
        thread = await server.threads.get(LOCAL, thread.thread_id)
        assert orjson.loads(thread.values)["steps"] == ["before", "gate of a", "after"]
        ids = [event.event_id for event in events]
        assert ids == sorted(set(ids))
        assert [event.data for event in events if event.mode == "metadata"] == [
            orjson.dumps({"run_id": run.run_id, "attempt": attempt}) for attempt in (1, 2)
        ]


async def test_a_resumable_stream_read_from_any_point_gives_the_rest_exactly_once(open_server: OpenServer) -> None:
    gate = Gate()
    gate.opened.set()
    async with open_server({"gated": gated(gate)}) as server:
        thread = await server.threads.create(LOCAL)
        request = RunRequest(
            assistant="gated",
            thread_id=thread.thread_id,
            input={"name": "a"},
            resumable=True,
            stream_modes=("values", "updates", "tasks", "checkpoints"),
        )
        run, reader = await server.runs.watch(LOCAL, request)
        live = []
        while batch := await reader.read(10):
            live += batch
        reader.close()
    async with open_server({"gated": gated(gate)}) as server:
        for after in [BEGINNING, *(event.event_id for event in live)]:
            _, reader = await server.runs.join(LOCAL, thread.thread_id, run.run_id, after=after)
            replayed = []
            while batch := await reader.read(10):
                replayed += batch
            reader.close()
            assert replayed == [event for event in live if event.event_id > after]


async def test_a_run_that_keeps_killing_its_worker_ends_with_an_error(open_server: OpenServer) -> None:
    gates = [Gate() for _ in range(3)]
    run = None
    for gate in gates[:2]:
        async with open_server({"gated": gated(gate)}, max_attempts=2) as server:
            if run is None:
                thread = await server.threads.create(LOCAL)
                request = RunRequest(assistant="gated", thread_id=thread.thread_id, input={"name": "a"})
                run = await server.runs.create(LOCAL, request)
            async with asyncio.timeout(10):
                await gate.reached.wait()
    async with open_server({"gated": gated(gates[2])}, max_attempts=2) as server:
        _, reader = await server.runs.join(LOCAL, thread.thread_id, run.run_id)
        end = await reader.wait_for_end(10)
        reader.close()
        assert end is not None
        assert end.status is RunStatus.ERROR
        assert end.failure.error == "TooManyAttemptsError"
        assert gates[2].visits == 0
