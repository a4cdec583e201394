"""A reader of a thread gets what happens there in order, whoever cancels, and wherever its runs execute."""

import asyncio

import pytest

from longline.auth.principal import LOCAL
from longline.events.hub import ThreadEntry
from longline.events.replay import ThreadReader
from longline.models.events import RunEnding
from longline.models.runs import CancelRequest
from longline.services.run_requests import RunRequest
from tests.races.conftest import OpenServer
from tests.races.graphs import Gate, gated

pytestmark = pytest.mark.anyio


async def until_ends(reader: ThreadReader, count: int) -> list[ThreadEntry]:
    """What a thread tells until so many runs have ended."""
    entries: list[ThreadEntry] = []
    async with asyncio.timeout(30):
        while sum(isinstance(entry, RunEnding) for entry in entries) < count:
            entries += await reader.read(30) or ()
    return entries


@pytest.mark.parametrize("resumable", [False, True])
async def test_the_cancel_of_a_run_that_waits_takes_nothing_from_the_one_that_runs(
    open_server: OpenServer, resumable: bool
) -> None:
    gate = Gate()
    async with open_server({"gated": gated(gate)}) as server:
        thread_id = (await server.threads.create(LOCAL)).thread_id
        reader = await server.thread_streams.follow(LOCAL, thread_id)
        request = RunRequest(
            assistant="gated", thread_id=thread_id, input={"name": "a"}, stream_modes=("updates",), resumable=resumable
        )
        first = await server.runs.create(LOCAL, request)
        waiting = await server.runs.create(LOCAL, request)
        await gate.reached.wait()
        await server.runs.cancel(LOCAL, thread_id, [waiting.run_id], CancelRequest(action="interrupt", reason=""))
        gate.opened.set()
        async with asyncio.timeout(10):
            entries = await until_ends(reader, 2)
        reader.close()
        said = [entry.seq for entry in entries if not isinstance(entry, RunEnding)]
        assert said == [1, 2, 3, 4]
        assert {entry.run_id for entry in entries if isinstance(entry, RunEnding)} == {first.run_id, waiting.run_id}
