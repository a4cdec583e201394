"""Who is cancelled while it waits for the database, or uses it, leaves nothing behind."""

import asyncio
from functools import partial

import anyio
import psycopg
import pytest
from tests.pools import SECONDS, backends, fill, one, sleep_long
from tests.postgres import OwnServer

from longline_storage_postgres.connections import Connection
from longline_storage_postgres.database import open_database
from longline_storage_postgres.settings import PostgresSettings


@pytest.mark.anyio
class TestCancelled:
    async def test_two_hundred_cancelled_tasks_leave_nothing_behind(self, server: OwnServer) -> None:
        async with open_database(server.url, PostgresSettings(pool_size=10)) as database:
            await fill(database, 10)
            tasks = [asyncio.create_task(database.write(sleep_long)) for _ in range(200)]
            await asyncio.sleep(0)
            async with asyncio.timeout(SECONDS):
                while await asyncio.to_thread(_sleepers, server.url) < 10:
                    await asyncio.sleep(0.01)
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
                assert all(task.cancelled() for task in tasks)
                assert await asyncio.gather(*(database.write(one) for _ in range(100))) == [1] * 100
            assert await asyncio.to_thread(_sleepers, server.url) == 0
            assert await asyncio.to_thread(backends, server.url) <= 10
        async with asyncio.timeout(SECONDS):
            while await asyncio.to_thread(backends, server.url):
                await asyncio.sleep(0.01)

    async def test_a_task_cancelled_as_it_is_given_a_connection_gives_it_back(self, server: OwnServer) -> None:
        async with open_database(server.url, PostgresSettings(pool_size=2)) as database:
            for steps in range(60):
                tasks = [asyncio.create_task(database.read(one)) for _ in range(6)]
                for _ in range(steps):
                    await asyncio.sleep(0)
                for task in tasks[::2]:
                    task.cancel()
                async with asyncio.timeout(SECONDS):
                    await asyncio.wait(tasks)
                assert all(task.cancelled() or task.result() == 1 for task in tasks)
            await fill(database, 2)

    async def test_no_cancellation_is_lost_as_a_connection_is_given(self, server: OwnServer) -> None:
        async def hold(connection: Connection, until: asyncio.Event) -> None:
            await until.wait()

        async with open_database(server.url, PostgresSettings(pool_size=2)) as database:
            end = asyncio.Event()
            keeping = asyncio.create_task(database.read(partial(hold, until=end)))  # which leaves one
            for steps in range(40):
                first, second = asyncio.Event(), asyncio.Event()
                holding = asyncio.create_task(database.read(partial(hold, until=first)))
                await asyncio.sleep(0)
                waiting = asyncio.create_task(database.read(partial(hold, until=second)))
                await asyncio.sleep(0)
                first.set()
                for _ in range(steps):
                    await asyncio.sleep(0)
                waiting.cancel()
                async with asyncio.timeout(SECONDS):
                    await asyncio.wait({holding, waiting})
                assert waiting.cancelled()
            end.set()
            await keeping
            await fill(database, 2)

    async def test_a_scope_that_is_left_as_a_connection_is_given_ends_quietly(self, server: OwnServer) -> None:
        async with open_database(server.url, PostgresSettings(pool_size=2)) as database:

            async def use(steps: int) -> None:
                with anyio.CancelScope() as scope:
                    async with anyio.create_task_group() as group:
                        for _ in range(6):
                            group.start_soon(database.write, one)
                        for _ in range(steps):
                            await asyncio.sleep(0)
                        scope.cancel()

            async with asyncio.timeout(SECONDS):
                for steps in range(60):
                    await use(steps)
            await fill(database, 2)


def _sleepers(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND state = 'active'"
            " AND pid <> pg_backend_pid()"
        ).fetchone()
    assert row is not None
    return int(row[0])
