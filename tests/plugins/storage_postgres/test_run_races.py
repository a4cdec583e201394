"""What only a real server can do to runs: deadlocks counted by it, a crash after commits, an answer that never came."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import psycopg
import pytest
from tests.postgres import OwnServer, own_server

from longline.errors import LeaseLostError, NotFoundError, StorageError
from longline.models.events import BEGINNING
from longline.models.runs import RunStatus
from longline.storage.protocols import Storage
from longline.testing.storage_collections import DOCS, sample_document
from longline.testing.storage_samples import (
    OVER,
    batch_of,
    begin,
    claim_by,
    ended,
    moment,
    sample_run,
)
from longline.testing.storage_shared import Reopen
from longline.testing.storage_shared_runs import SharedRunContract
from longline_storage_postgres.backends import postgres_backend
from longline_storage_postgres.settings import PostgresSettings

_BACKEND = postgres_backend(PostgresSettings())


@pytest.fixture
def server() -> Iterator[OwnServer]:
    # What was committed without waiting goes to disk as late as the server allows, so that a crash does lose it.
    with own_server("wal_writer_delay=10s", "wal_writer_flush_after=0") as running:
        yield running


class Cutter:
    """A way to the server that passes everything on, and can swallow the answer to a COMMIT and end the connection."""

    def __init__(self, server: OwnServer) -> None:
        self._server = server
        self.is_cutting = False
        self.port = 0

    @property
    def url(self) -> str:
        return self._server.url_of("postgres", port=self.port) + "?sslmode=disable"

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._server.port)
        is_cut = False

        async def pass_on() -> None:
            nonlocal is_cut
            while data := await reader.read(65536):
                is_cut = self.is_cutting and b"COMMIT" in data
                to_server.write(data)

        async def pass_back() -> None:
            while (data := await from_server.read(65536)) and not is_cut:
                writer.write(data)
            self.is_cutting = self.is_cutting and not is_cut

        ways = {asyncio.create_task(pass_on()), asyncio.create_task(pass_back())}
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.wait(ways)
            for line in (writer, to_server):
                line.close()
                with suppress(OSError):
                    await line.wait_closed()


@asynccontextmanager
async def cutter_before(server: OwnServer) -> AsyncIterator[Cutter]:
    cutter = Cutter(server)
    lines: set[asyncio.Task[None]] = set()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(cutter.meet(reader, writer))
        lines.add(task)
        await task

    listening = await asyncio.start_server(meet, "127.0.0.1", 0)
    cutter.port = listening.sockets[0].getsockname()[1]
    try:
        yield cutter
    finally:
        listening.close()
        await asyncio.gather(*lines)


async def _datas(storage: Storage, run_id: str) -> list[bytes]:
    return [event.data for event in await storage.events.read(run_id, after=BEGINNING, limit=99)]


@pytest.mark.anyio
async def test_two_of_everything_make_no_deadlock(reopen: Reopen, database_url: str) -> None:
    async with reopen() as one, reopen() as other:
        await SharedRunContract().test_two_of_everything_on_the_same_threads_get_along((one, other))
    with psycopg.connect(database_url) as connection:  # those that were closed have told what they counted
        row = connection.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").fetchone()
    assert row == (0,)


@pytest.mark.anyio
async def test_what_a_crash_loses_of_the_log_is_stored_again_before_anything_later(server: OwnServer) -> None:
    async with _BACKEND.connect(server.url) as storage:
        run = await begin(storage)
        await storage.events.append([batch_of(run.lease, b"1", b"2")])
        await storage.events.append([batch_of(run.lease, b"3", first_seq=3)])
        server.restart("immediate")
        assert await _datas(storage, run.run_id) == []  # it was lost
        await storage.events.append([batch_of(run.lease, b"4", first_seq=4)])
        assert await _datas(storage, run.run_id) == [b"1", b"2", b"3", b"4"]


@pytest.mark.anyio
@pytest.mark.parametrize("how", ["finish", "release"])
async def test_what_a_crash_loses_of_the_log_is_stored_with_the_end_of_the_attempt(server: OwnServer, how: str) -> None:
    async with _BACKEND.connect(server.url) as storage:
        run = await begin(storage)
        await storage.events.append([batch_of(run.lease, b"1", b"2")])
        server.restart("immediate")
        assert await _datas(storage, run.run_id) == []  # it was lost
        if how == "finish":
            await storage.runs.finish(run.lease, ended(), at=moment(1))
        else:
            await storage.runs.release(run.lease)
        assert await _datas(storage, run.run_id) == [b"1", b"2"]
        server.restart("immediate")
        assert await _datas(storage, run.run_id) == [b"1", b"2"]


@pytest.mark.anyio
async def test_what_one_run_lost_is_not_forgotten_for_what_others_say(server: OwnServer) -> None:
    async with _BACKEND.connect(server.url) as storage:
        quiet, loud = await begin(storage), await begin(storage)
        await storage.events.append([batch_of(quiet.lease, b"1", b"2")])
        server.restart("immediate")
        # So much that what went before it is settled on the way.
        for number in range(1, 8):
            await storage.events.append([batch_of(loud.lease, b"x" * 4_000_000, first_seq=number)])
        await storage.runs.finish(quiet.lease, ended(), at=moment(1))
        assert await _datas(storage, quiet.run_id) == [b"1", b"2"]


@pytest.mark.anyio
async def test_a_lease_of_before_a_restart_is_left_to_its_owner_for_a_while(server: OwnServer) -> None:
    async with _BACKEND.connect(server.url) as storage:
        run = await begin(storage, lease_seconds=OVER)
        server.restart()
        assert await storage.runs.claim(claim_by("worker-2"), limit=9) == []
        (taken,) = await storage.runs.claim(claim_by("worker-2", lease_seconds=OVER), limit=9)
        assert (taken.run_id, taken.attempt) == (run.run_id, 2)
        # That one was given since: no restart kept its owner from renewing it.
        (again,) = await storage.runs.claim(claim_by("worker-3"), limit=9)
        assert (again.run_id, again.attempt) == (run.run_id, 3)


@pytest.mark.anyio
async def test_a_heartbeat_goes_on_after_its_connection_went(server: OwnServer) -> None:
    async with _BACKEND.connect(server.url) as storage:
        run = await begin(storage)
        for _ in range(2):
            (state,) = await asyncio.to_thread(storage.runs.keep, "worker-1", [run.lease], lease_seconds=60)
            assert state.held
            server.restart()
        server.stop()
        with pytest.raises(StorageError):
            await asyncio.to_thread(storage.runs.keep, "worker-1", [run.lease], lease_seconds=60)
        server.start()
        (state,) = await asyncio.to_thread(storage.runs.keep, "worker-1", [run.lease], lease_seconds=60)
        assert state.held


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["kept", "erased", "temporary"])
async def test_an_end_whose_commit_was_not_heard_of_is_told_when_asked_again(server: OwnServer, kind: str) -> None:
    async with cutter_before(server) as cutter, _BACKEND.connect(cutter.url) as storage:
        run = await begin(storage, sample_run(temporary=kind == "temporary"))
        outcome = replace(ended(erase=kind == "erased"), records=(sample_document(),))
        cutter.is_cutting = True
        with pytest.raises(StorageError):
            await storage.runs.finish(run.lease, outcome, at=moment(1))
        assert not await storage.runs.holds(run.lease)  # it was committed
        finished = await storage.runs.finish(run.lease, outcome, at=moment(2))
        assert (list(finished.gone), finished.is_watched) == ([], False)
        assert (await storage.collections.get(DOCS, "ann", "k")).takes == 0
        if kind == "kept":
            done = await storage.runs.get(run.thread_id, run.run_id)
            assert (done.status, done.updated_at) == (RunStatus.SUCCESS, moment(1))
        else:
            with pytest.raises(NotFoundError):
                await storage.runs.get(run.thread_id, run.run_id)
        with pytest.raises(LeaseLostError):  # told once
            await storage.runs.finish(run.lease, outcome, at=moment(3))
