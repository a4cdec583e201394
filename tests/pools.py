"""What the tests of a pool of Postgres do with it."""

import asyncio
from typing import Final

import psycopg

from longline_storage_postgres.connections import Connection
from longline_storage_postgres.database import Database

SECONDS: Final = 30.0
"""Far more than anything there takes."""


async def one(connection: Connection) -> object:
    row = await (await connection.execute("SELECT 1 AS one")).fetchone()
    return row and row["one"]


async def sleep_long(connection: Connection) -> None:
    await connection.execute("SELECT pg_sleep(60)")


async def fill(database: Database, count: int) -> None:
    """Make so many connections."""
    met = asyncio.Barrier(count)

    async def work(connection: Connection) -> None:
        async with asyncio.timeout(SECONDS):
            await met.wait()

    await asyncio.gather(*(database.read(work) for _ in range(count)))


def backends(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE application_name = 'longline' AND backend_type = 'client backend'"
        ).fetchone()
    assert row is not None
    return int(row[0])
