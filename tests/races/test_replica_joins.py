"""A run that is joined on a server where its thread is followed already."""

import asyncio

import pytest

from longline.auth.principal import LOCAL
from longline.events.relay import Relay
from longline.models.events import BEGINNING, RunEnding, RunEvent
from longline.services.run_requests import RunRequest
from longline.services.server import Server
from tests.races.graphs import Gate, gated
from tests.races.replicas import OpenReplicas, database_url, everything, no_net, open_replicas, template, thread_on

__all__ = ["database_url", "no_net", "open_replicas", "template"]  # fixtures

pytestmark = pytest.mark.anyio


async def _until_stored(server: Server, run_id: str, count: int) -> None:
    async with asyncio.timeout(30):
        while (await server.runs._storage.events.last(run_id)).seq < count:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("only_end", [False, True])
async def test_who_joins_a_run_takes_nothing_from_who_follows_its_thread(
    open_replicas: OpenReplicas, no_net: None, monkeypatch: pytest.MonkeyPatch, only_end: bool
) -> None:
    """The server is asked for the run before it has heard that the run said anything."""
    gate = Gate()
    async with open_replicas({"gated": gated(gate)}) as (here, there):
        thread_id = await thread_on(here)
        following = await here.thread_streams.follow(LOCAL, thread_id)
        request = RunRequest(
            assistant="gated", thread_id=thread_id, input={"name": "a"}, resumable=True, stream_modes=("updates",)
        )
        with monkeypatch.context() as deaf:
            deaf.setattr(Relay, "_hear_said", lambda *_, **__: None)
            run = await there.runs.create(LOCAL, request)
            await _until_stored(there, run.run_id, 2)
            _, joined = await here.runs.join(LOCAL, thread_id, run.run_id, only_end=only_end)
        gate.opened.set()
        if only_end:
            assert await joined.wait_for_end(30) is not None
            joined.close()
        else:
            assert [event.seq for event in await everything(joined)] == [3, 4], (
                "who joins hears what comes from then on"
            )
        entries: list[RunEvent | RunEnding] = []
        async with asyncio.timeout(30):
            while not entries or not isinstance(entries[-1], RunEnding):
                entries += await following.read(30)
        following.close()
        assert [entry.seq for entry in entries[:-1]] == [1, 2, 3, 4]
        kept = await there.runs._storage.events.read(run.run_id, after=BEGINNING, limit=9)
        assert [event.event_id for event in kept] == [entry.event_id for entry in entries[:-1]]
