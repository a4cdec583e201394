"""What a server leaves unfinished, the next one on the same file finishes."""

import asyncio

import orjson
import pytest

from longline.auth.principal import LOCAL
from longline.models.events import BEGINNING
from longline.models.runs import RunStatus
from longline.services.run_requests import RunRequest
from tests.races.conftest import OpenServer
from tests.races.graphs import Gate, gated

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
        _, reader = await server.runs.join(LOCAL, thread.thread_id, run.run_id, after=BEGINNING)
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
    dying, gate = [Gate(), Gate()], Gate()
    thread_id, run_id = None, None
    for dead in dying:
        async with open_server({"gated": gated(dead)}, max_attempts=2) as server:
            if run_id is None:
                thread_id = (await server.threads.create(LOCAL)).thread_id
                request = RunRequest(assistant="gated", thread_id=thread_id, input={"name": "a"})
                run_id = (await server.runs.create(LOCAL, request)).run_id
            async with asyncio.timeout(10):
                await dead.reached.wait()
            await server.scheduler.drop(run_id)  # as a killed process: the row stays running, nobody tells it
            async with asyncio.timeout(10):
                while server.scheduler.running_count:
                    await asyncio.sleep(0.005)
    async with open_server({"gated": gated(gate)}, max_attempts=2) as server:
        _, reader = await server.runs.join(LOCAL, thread_id, run_id)
        end = await reader.wait_for_end(10)
        reader.close()
        assert end is not None
        assert end.status is RunStatus.ERROR
        assert end.failure.error == "TooManyAttemptsError"
        assert gate.visits == 0
        thread = await server.threads.get(LOCAL, thread_id)
        assert orjson.loads(thread.values)["steps"] == ["before"]


async def test_a_run_that_was_handed_back_often_is_not_taken_for_a_killer(open_server: OpenServer) -> None:
    thread_id, run_id = None, None
    for _ in range(4):
        gate = Gate()
        async with open_server({"gated": gated(gate)}, max_attempts=2) as server:
            if run_id is None:
                thread_id = (await server.threads.create(LOCAL)).thread_id
                request = RunRequest(assistant="gated", thread_id=thread_id, input={"name": "a"})
                run_id = (await server.runs.create(LOCAL, request)).run_id
            async with asyncio.timeout(10):
                await gate.reached.wait()
    gate = Gate()
    gate.opened.set()
    async with open_server({"gated": gated(gate)}, max_attempts=2) as server:
        _, reader = await server.runs.join(LOCAL, thread_id, run_id)
        end = await reader.wait_for_end(10)
        reader.close()
        assert end is not None
        assert end.status is RunStatus.SUCCESS
