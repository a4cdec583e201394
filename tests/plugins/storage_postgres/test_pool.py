"""What the way to the server may do to connections that are made, waited for or kept."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

import psycopg
import pytest
from tests.pools import SECONDS, backends, fill, one
from tests.postgres import OwnServer

from longline.errors import StorageAwayError, StorageError
from longline.testing.storage_samples import begin
from longline_storage_postgres.backends import postgres_backend
from longline_storage_postgres.connections import Connection
from longline_storage_postgres.database import Database, open_database
from longline_storage_postgres.settings import PostgresSettings

_READY = b"Z\x00\x00\x00\x05I"
"""What a server says when it waits for the first statement."""


class Way:
    """A way to the server. It can refuse connections, or swallow all that the server says once it let somebody in;
    `left` of its connections were ended by who came that way."""

    def __init__(self, server: OwnServer) -> None:
        self._server = server
        self.is_shut = False
        self.is_silent = False
        self.left = 0
        self.port = 0

    @property
    def url(self) -> str:
        return self._server.url_of("postgres", port=self.port) + "?sslmode=disable"

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_shut:
            writer.close()
            return
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._server.port)

        async def pass_on() -> None:
            while data := await reader.read(65536):
                to_server.write(data)
            self.left += 1

        async def pass_back() -> None:
            is_in = False
            while data := await from_server.read(65536):
                if not (self.is_silent and is_in):
                    writer.write(data)
                is_in = is_in or _READY in data

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
async def way_to(server: OwnServer) -> AsyncIterator[Way]:
    way = Way(server)
    lines: set[asyncio.Task[None]] = set()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(way.meet(reader, writer))
        lines.add(task)
        await task

    listening = await asyncio.start_server(meet, "127.0.0.1", 0)
    way.port = listening.sockets[0].getsockname()[1]
    try:
        yield way
    finally:
        listening.close()
        await asyncio.gather(*lines)


async def until_back(database: Database) -> None:
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                await database.write(one)
            except StorageAwayError:
                await asyncio.sleep(0.05)
            else:
                return


async def hold(connection: Connection, begun: asyncio.Event, until: asyncio.Event) -> None:
    begun.set()
    await until.wait()


@pytest.mark.anyio
class TestConnecting:
    async def test_a_server_that_goes_silent_after_the_password_is_not_waited_for_for_ever(
        self, server: OwnServer
    ) -> None:
        settings = PostgresSettings(pool_wait_seconds=0.5, connect_seconds=1)
        async with way_to(server) as way, open_database(way.url, settings) as database:
            way.is_silent = True
            with pytest.raises(StorageAwayError):
                await database.write(one)
            way.is_silent = False
            await until_back(database)

    async def test_who_waits_gets_a_connection_after_one_attempt_failed(self, server: OwnServer) -> None:
        begun, end = asyncio.Event(), asyncio.Event()
        async with way_to(server) as way, open_database(way.url, PostgresSettings(pool_size=2)) as database:
            holding = asyncio.create_task(database.read(partial(hold, begun=begun, until=end)))
            await begun.wait()
            way.is_shut = True
            waiting = asyncio.create_task(database.read(one))
            await asyncio.sleep(0.5)  # the attempt fails; nobody else asks for a connection afterwards
            assert not waiting.done()
            way.is_shut = False
            try:
                assert await waiting == 1
            finally:
                end.set()
                await holding


@pytest.mark.anyio
class TestSilence:
    @pytest.mark.parametrize("kind", ["write", "write_alone", "read", "read_snapshot"])
    async def test_a_server_that_says_nothing_is_asked_once_by_one_request(self, server: OwnServer, kind: str) -> None:
        settings = PostgresSettings(pool_size=3, pool_wait_seconds=2, read_seconds=1)
        async with way_to(server) as way, open_database(way.url, settings) as database:
            await fill(database, 3)
            way.is_silent, way.left = True, 0
            with pytest.raises(StorageAwayError):
                await getattr(database, kind)(one)
            async with asyncio.timeout(SECONDS):
                while not way.left:
                    await asyncio.sleep(0.01)
            assert way.left == 1


@pytest.mark.anyio
class TestFailover:
    @pytest.mark.parametrize("kind", ["write", "write_alone", "write_once"])
    async def test_connections_to_a_server_that_only_reads_now_are_made_anew(
        self, server: OwnServer, kind: str
    ) -> None:
        async def keep(connection: Connection) -> None:
            await connection.execute("INSERT INTO kept SELECT count(*) FROM kept")

        async with open_database(server.url, PostgresSettings()) as database:
            await fill(database, 10)
            only_reads(server)
            async with asyncio.timeout(SECONDS):
                while not await database.read(is_reading):
                    await asyncio.sleep(0.01)
            await getattr(database, kind)(keep)
        with psycopg.connect(server.url) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (1,)

    async def test_a_heartbeat_finds_the_server_that_may_write(self, server: OwnServer) -> None:
        async with postgres_backend(PostgresSettings()).connect(server.url) as storage:
            run = await begin(storage)

            async def beat() -> object:
                (state,) = await asyncio.to_thread(storage.runs.keep, "worker-1", [run.lease], lease_seconds=60)
                assert state.held
                return await asyncio.to_thread(_beating, server.url)

            first = await beat()
            only_reads(server)
            async with asyncio.timeout(SECONDS):
                while await beat() == first:
                    await asyncio.sleep(0.01)


def only_reads(server: OwnServer) -> None:
    """Who is connected may only read from now on; who comes anew reaches a server that may write."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("ALTER DATABASE postgres SET default_transaction_read_only = off")
        connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        connection.execute("SELECT pg_reload_conf()")


async def is_reading(connection: Connection) -> bool:
    row = await (await connection.execute("SHOW default_transaction_read_only")).fetchone()
    return row is not None and row["default_transaction_read_only"] == "on"


@pytest.mark.anyio
class TestClosing:
    async def test_a_close_that_is_cancelled_ends_its_connections_all_the_same(self, server: OwnServer) -> None:
        begun, end = asyncio.Event(), asyncio.Event()
        before = asyncio.all_tasks()

        async def serve() -> None:
            async with open_database(server.url, PostgresSettings(pool_size=3)) as database:
                await fill(database, 3)
                holders.append(asyncio.create_task(database.read(partial(hold, begun=begun, until=end))))
                await begun.wait()

        holders: list[asyncio.Task[None]] = []
        serving = asyncio.create_task(serve())
        await begun.wait()
        for _ in range(20):
            await asyncio.sleep(0)
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        assert asyncio.all_tasks() - before == set(holders)
        end.set()
        with suppress(StorageError):
            await holders[0]
        async with asyncio.timeout(SECONDS):
            while await asyncio.to_thread(backends, server.url):
                await asyncio.sleep(0.01)


def _beating(url: str) -> object:
    """The server's process that renews leases."""
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT pid FROM pg_stat_activity WHERE query LIKE 'WITH asked AS %'").fetchone()
