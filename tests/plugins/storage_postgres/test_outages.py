"""The database goes away and comes back: requests are told soon, nobody restarts anything."""

import asyncio
import logging
import time

import psycopg
import pytest
from tests.pools import SECONDS, fill, one, sleep_long
from tests.postgres import OwnServer, own_server

from longline.errors import StorageAwayError, StorageError
from longline_storage_postgres.connections import Connection
from longline_storage_postgres.database import Database, open_database
from longline_storage_postgres.settings import PostgresSettings


async def until_back(database: Database) -> None:
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                await database.write(one)
            except StorageAwayError:
                await asyncio.sleep(0.05)
            else:
                return


@pytest.mark.anyio
class TestRestart:
    @pytest.mark.parametrize("mode", ["fast", "immediate"])
    async def test_no_request_meets_a_connection_that_a_restart_ended(self, server: OwnServer, mode: str) -> None:
        async with open_database(server.url, PostgresSettings()) as database:
            await fill(database, 10)
            await asyncio.to_thread(server.restart, mode)  # type: ignore[arg-type]  # parametrized with its literals
            assert await asyncio.gather(*(database.write(one) for _ in range(50))) == [1] * 50

    async def test_while_the_server_is_away_a_hundred_requests_are_told_at_once(self, server: OwnServer) -> None:
        async with open_database(server.url, PostgresSettings(pool_wait_seconds=20)) as database:
            await fill(database, 10)
            server.stop("immediate")
            begun = time.monotonic()
            for _ in range(3):
                found = await asyncio.gather(*(database.write(one) for _ in range(100)), return_exceptions=True)
                assert {type(error) for error in found} == {StorageAwayError}
                assert "nothing listens there" in str(found[0])
            assert time.monotonic() - begun < 20  # nobody waited for the pool
            await asyncio.to_thread(server.start)
            await until_back(database)
            await asyncio.gather(*(database.write(one) for _ in range(100)))

    async def test_a_server_that_does_not_answer_costs_a_request_no_more_than_its_patience(
        self, server: OwnServer
    ) -> None:
        async with open_database(server.url, PostgresSettings(pool_wait_seconds=3)) as database:
            await fill(database, 5)
            server.freeze()
            async with asyncio.timeout(SECONDS):
                found = await asyncio.gather(*(database.write(one) for _ in range(50)), return_exceptions=True)
            assert all(isinstance(error, StorageAwayError) for error in found)
            server.thaw()
            await until_back(database)

    async def test_a_transaction_that_breaks_off_is_not_done_again(self, server: OwnServer) -> None:
        calls = 0

        async def work(connection: Connection) -> None:
            nonlocal calls
            calls += 1
            await connection.execute("INSERT INTO kept VALUES (1)")
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

        async with open_database(server.url, PostgresSettings()) as database:
            with pytest.raises(StorageAwayError):
                await database.write(work)
            assert calls == 1
            assert await database.write(one) == 1
        with psycopg.connect(server.url) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)

    async def test_work_that_swallows_an_error_of_the_database_is_not_said_to_be_kept(self, server: OwnServer) -> None:
        async def work(connection: Connection) -> None:
            await connection.execute("INSERT INTO kept VALUES (1)")
            try:
                await connection.execute("INSERT INTO kept VALUES (1)")
            except psycopg.errors.UniqueViolation:
                return

        async with open_database(server.url, PostgresSettings()) as database:
            with pytest.raises(StorageError, match="nothing of its transaction was kept"):
                await database.write(work)
            assert await database.write(one) == 1

    async def test_a_table_that_a_newer_version_changed_does_not_break_what_the_server_remembers(
        self, server: OwnServer
    ) -> None:
        async def look(connection: Connection) -> object:
            return await (await connection.execute("SELECT * FROM kept")).fetchall()

        async with open_database(server.url, PostgresSettings()) as database:
            met = asyncio.Barrier(10)

            async def learn(connection: Connection) -> None:
                for _ in range(10):
                    await look(connection)
                await met.wait()

            await asyncio.gather(*(database.read(learn) for _ in range(10)))
            with psycopg.connect(server.url, autocommit=True) as newer:
                newer.execute("ALTER TABLE kept ADD COLUMN later INT")
            await asyncio.gather(*(database.write(look) for _ in range(30)), *(database.read(look) for _ in range(30)))


@pytest.mark.anyio
class TestStart:
    async def test_a_start_before_the_database_waits_for_it_with_one_line(
        self, server: OwnServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.WARNING, "longline_storage_postgres")
        server.stop()

        async def start() -> object:
            async with open_database(server.url, PostgresSettings(start_wait_seconds=60)) as database:
                return await database.write(one)

        starting = asyncio.create_task(start())
        async with asyncio.timeout(SECONDS):
            while not caplog.records:
                await asyncio.sleep(0.01)
            await asyncio.to_thread(server.start)
            assert await starting == 1
        assert [record.message for record in caplog.records] == ["waiting for the database"]
        assert server.password not in caplog.text

    async def test_the_patience_of_a_start_is_bounded(self, server: OwnServer) -> None:
        server.stop()
        with pytest.raises(StorageError, match="nothing listens there"):
            async with open_database(server.url, PostgresSettings(start_wait_seconds=0.5)):
                pass

    async def test_uvloop_serves_as_well(self, server: OwnServer) -> None:
        import uvloop

        async def use() -> object:
            async with open_database(server.url, PostgresSettings()) as database:
                tasks = [asyncio.create_task(database.write(sleep_long)) for _ in range(30)]
                await asyncio.sleep(0)
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
                return await database.write(one)

        assert await asyncio.to_thread(uvloop.run, use()) == 1


@pytest.mark.anyio
class TestTooManyConnections:
    async def test_requests_share_what_the_server_gives_and_say_so_when_it_gives_nothing(self) -> None:
        with own_server("max_connections=8", "superuser_reserved_connections=3") as server:
            with psycopg.connect(server.url, autocommit=True) as connection:
                connection.execute("CREATE ROLE plain LOGIN PASSWORD 'plain'")
            url = server.url_of("postgres", user="plain", password="plain")
            async with open_database(url, PostgresSettings(pool_size=50)) as database:
                assert await asyncio.gather(*(database.read(one) for _ in range(200))) == [1] * 200
            taken = [psycopg.connect(url) for _ in range(5)]
            try:
                with pytest.raises(StorageAwayError, match="takes no more connections"):
                    async with open_database(url, PostgresSettings(start_wait_seconds=0)):
                        pass
            finally:
                for held in taken:
                    held.close()
            async with open_database(url, PostgresSettings()) as database:
                assert await database.read(one) == 1
