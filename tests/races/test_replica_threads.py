"""Threads that are read on another server than that which executes their runs, and what holds without signals."""

import asyncio

import orjson
import pytest

from longline.auth.principal import LOCAL
from longline.models.events import RunEnding
from longline.models.runs import RunStatus
from longline.services.run_requests import RunRequest
from tests.races.graphs import Gate, gated
from tests.races.replicas import (
    OpenReplicas,
    database_url,
    everything,
    no_net,
    occupied,
    open_replicas,
    template,
    thread_on,
)

__all__ = ["database_url", "no_net", "open_replicas", "template"]  # fixtures

pytestmark = pytest.mark.anyio


async def test_a_thread_is_followed_wherever_its_runs_execute(open_replicas: OpenReplicas, no_net: None) -> None:
    gate = Gate()
    async with open_replicas({"gated": gated(gate)}) as (one, two):
        thread_id = await thread_on(one)
        reader = await one.thread_streams.follow(LOCAL, thread_id)
        for resumable in (False, True):
            request = RunRequest(
                assistant="gated", thread_id=thread_id, input={"name": "a"}, stream_modes=("updates",),
                resumable=resumable,
            )  # fmt: skip
            gate.opened.set()
            run = await two.runs.create(LOCAL, request)
            entries = []
            async with asyncio.timeout(30):
                while not entries or not isinstance(entries[-1], RunEnding):
                    entries += await reader.read(30)
            assert [entry.mode for entry in entries[:-1]] == ["metadata", "updates", "updates", "updates"]
            assert entries[-1].run_id == run.run_id
            assert entries[-1].status is RunStatus.SUCCESS
        await two.threads.update_state(LOCAL, thread_id, values={"steps": ["by hand"]})
        (update,) = await reader.read(30)
        assert update.state.values["steps"][-1] == "by hand"
        await two.threads.delete(LOCAL, thread_id)
        assert await reader.read(30) == []
        reader.close()


async def test_without_signals_everything_still_arrives(open_replicas: OpenReplicas) -> None:
    block, gate = Gate(), Gate()
    gate.opened.set()
    async with open_replicas({"block": gated(block), "gated": gated(gate)}, broker="memory://") as (here, _):
        async with occupied(here, "block", block):
            request = RunRequest(assistant="gated", input={"name": "a"}, stream_modes=("updates",))
            _, reader = await here.runs.watch(LOCAL, request)
            events = await everything(reader)
        assert [event.seq for event in events] == [1, 2, 3, 4]
        assert orjson.loads(reader.end.result)["steps"] == ["before", "gate of a", "after"]


@pytest.mark.parametrize("resumable", [False, True])
async def test_without_signals_a_thread_is_followed_too(open_replicas: OpenReplicas, resumable: bool) -> None:
    gate = Gate()
    gate.opened.set()
    async with open_replicas({"gated": gated(gate)}, broker="memory://") as (here, there):
        thread_id = await thread_on(here)
        reader = await here.thread_streams.follow(LOCAL, thread_id)
        request = RunRequest(
            assistant="gated", thread_id=thread_id, input={"name": "a"}, stream_modes=("updates",), resumable=resumable
        )
        runs = []
        for _ in range(2):
            run, waiting = await there.runs.watch(LOCAL, request, only_end=True)
            runs.append(run.run_id)
            assert await waiting.wait_for_end(30) is not None
            waiting.close()
        entries = []
        async with asyncio.timeout(10):
            while sum(isinstance(entry, RunEnding) for entry in entries) < 2:
                entries += await reader.read(30) or ()
        reader.close()
        assert [entry.run_id for entry in entries] == [run_id for run_id in runs for _ in range(5)]


async def test_servers_that_start_together_share_the_assistants_of_their_graphs(open_replicas: OpenReplicas) -> None:
    gate = Gate()
    gate.opened.set()
    async with open_replicas({"gated": gated(gate)}, 3) as servers:
        found = {(await server.assistants.resolve(LOCAL, "gated")).assistant_id for server in servers}
        assert len(found) == 1
