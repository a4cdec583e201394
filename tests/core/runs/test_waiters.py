"""Whoever waits for a run hears of its end, whatever way it ends."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from tests.core.conftest import OpenServer
from tests.races.graphs import Gate, gated

from longline.auth.principal import LOCAL
from longline.models.runs import RunStatus
from longline.services.run_requests import RunRequest

pytestmark = pytest.mark.anyio

LIMIT = 15


async def test_a_run_on_a_temporary_thread_that_goes_with_it_is_told_to_who_waits_for_it(
    open_server: OpenServer,
) -> None:
    gate = Gate()
    async with open_server({"gated": gated(gate)}) as server, asyncio.timeout(LIMIT):
        first = await server.runs.create(LOCAL, RunRequest(assistant="gated", input={}))
        await gate.reached.wait()
        follower = RunRequest(assistant="gated", input={}, thread_id=first.thread_id)
        _, waiting = await server.runs.watch(LOCAL, follower, only_end=True)
        gate.opened.set()
        with waiting:
            end = await waiting.wait_for_end(LIMIT)
        assert end is not None
        assert end.status is None


async def test_a_run_that_cannot_be_read_ends_for_who_waits_for_it(open_server: OpenServer, tmp_path: Path) -> None:
    gate = Gate()
    async with open_server({"gated": gated(gate)}, runs=1) as server, asyncio.timeout(LIMIT):
        thread = await server.threads.create(LOCAL)
        blocking = await server.runs.create(LOCAL, RunRequest(assistant="gated", input={}))
        await gate.reached.wait()
        request = RunRequest(assistant="gated", input={}, thread_id=thread.thread_id)
        run, waiting = await server.runs.watch(LOCAL, request, only_end=True)
        followed = await server.thread_streams.follow(LOCAL, thread.thread_id)
        with sqlite3.connect(tmp_path / "server.db") as other:
            other.execute("UPDATE runs SET spec = '[]' WHERE run_id = ?", [run.run_id])
        other.close()
        gate.opened.set()
        with waiting, followed:
            end = await waiting.wait_for_end(LIMIT)
            assert end is not None
            assert end.status is RunStatus.ERROR
            assert end.failure is not None
            assert end.failure.error == "UnreadableRunError"
            (told,) = await followed.read(LIMIT) or ()
            assert (told.place.turn, getattr(told, "run_id", None)) == (1, run.run_id)
        assert blocking.run_id != run.run_id


async def test_who_waits_for_the_end_alone_has_no_events_made_for_it(open_server: OpenServer) -> None:
    gate = Gate()
    async with open_server({"gated": gated(gate)}) as server, asyncio.timeout(LIMIT):
        thread = await server.threads.create(LOCAL)
        request = RunRequest(assistant="gated", input={}, thread_id=thread.thread_id)
        run, waiting = await server.runs.watch(LOCAL, request, only_end=True)
        gate.opened.set()
        with waiting:
            assert await waiting.read(LIMIT) == [], "the end, and nothing before it"
            assert waiting.end is not None
            assert waiting.end.status is RunStatus.SUCCESS
        assert run.turn == 1
