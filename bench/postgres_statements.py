"""What a statement costs through the storage, beside psycopg alone: on one connection, and on as many as there are.

    python bench/postgres_statements.py --database postgresql://user:password@host/database [--count 3000]

Asks for `SELECT 1` only, so the database may be empty. Prints median and 95th percentile in milliseconds; the ways
take turns, so that what else the machine does falls on all of them alike. Then statements per second, of as many tasks
as there are connections and of four times as many.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping

import psycopg
from psycopg.rows import DictRow, dict_row

from longline_storage_postgres.connections import Connection
from longline_storage_postgres.database import Database, open_database
from longline_storage_postgres.settings import PostgresSettings

_ROUND = 50  # of one way, before the next one's turn

Way = Callable[[], Awaitable[object]]


async def work(connection: Connection) -> object:
    """The statement."""
    return await (await connection.execute("SELECT 1 AS one")).fetchone()


async def in_transaction(connection: Connection) -> object:
    """The statement in a transaction, by psycopg alone."""
    await connection.execute("BEGIN", prepare=False)
    found = await work(connection)
    await connection.execute("COMMIT", prepare=False)
    return found


def ways(connection: Connection, database: Database) -> Mapping[str, Way]:
    """What is compared."""
    return {
        "psycopg, statement": lambda: work(connection),
        "Database.write_alone": lambda: database.write_alone(work),
        "psycopg, BEGIN statement COMMIT": lambda: in_transaction(connection),
        "Database.write": lambda: database.write(work),
    }


async def timed(compared: Mapping[str, Way], count: int) -> Mapping[str, list[float]]:
    """Milliseconds of each call."""
    taken: dict[str, list[float]] = {name: [] for name in compared}
    for _ in range(count // _ROUND):
        for name, way in compared.items():
            for _ in range(_ROUND):
                begun = time.perf_counter()
                await way()
                taken[name].append((time.perf_counter() - begun) * 1000)
    return taken


async def rate(way: Way, tasks: int, count: int) -> float:
    """Calls per second of some tasks at once."""

    async def repeat() -> None:
        for _ in range(count // tasks):
            await way()

    begun = time.perf_counter()
    await asyncio.gather(*(repeat() for _ in range(tasks)))
    return count // tasks * tasks / (time.perf_counter() - begun)


async def main(url: str, count: int) -> None:
    """Measure and print."""
    settings = PostgresSettings()
    async with (
        await psycopg.AsyncConnection[DictRow].connect(url, autocommit=True, row_factory=dict_row) as connection,
        open_database(url, settings) as database,
    ):
        compared = ways(connection, database)
        await timed(compared, 2 * _ROUND)  # plans are kept, connections made
        for name, taken in (await timed(compared, count)).items():
            high = statistics.quantiles(taken, n=20)[-1]
            print(f"{name:32} median {statistics.median(taken):.3f} ms  p95 {high:.3f} ms")
        size = settings.pool_size
        for name, way in compared.items():
            if name.startswith("Database"):
                print(f"{name:32} {size} tasks: {await rate(way, size, count):.0f} a second")
                print(f"{name:32} {4 * size} tasks: {await rate(way, 4 * size, count):.0f} a second")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", required=True)
    parser.add_argument("--count", type=int, default=3000)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.database, arguments.count))
