"""How long a run takes on its way through the SQLite queue: enqueued and claimed in one step, then finished.

Run it with `python bench/sqlite_queue.py`; it prints a line per number of concurrent callers.
"""

import asyncio
import statistics
import tempfile
import time

from longline.storage.protocols import Storage
from longline.testing.storage_samples import begin, ended, moment, sample_run
from longline_storage_sqlite.settings import SqliteSettings
from longline_storage_sqlite.storage import sqlite_backend

RUNS = 4_000


async def one_run(storage: Storage) -> tuple[float, float]:
    start = time.perf_counter()
    run = await begin(storage, sample_run(temporary=True))
    started = time.perf_counter()
    await storage.runs.finish(run.lease, ended(), at=moment(1))
    return started - start, time.perf_counter() - started


async def measure(storage: Storage, callers: int) -> None:
    async def call() -> list[tuple[float, float]]:
        return [await one_run(storage) for _ in range(RUNS // callers)]

    start = time.perf_counter()
    results = [times for part in await asyncio.gather(*(call() for _ in range(callers))) for times in part]
    seconds = time.perf_counter() - start
    enqueue, finish = (statistics.median(times[step] for times in results) * 1e3 for step in (0, 1))
    print(f"c={callers:<3} {len(results) / seconds:7.0f} runs/s   p50 enqueue {enqueue:.3f} ms, finish {finish:.3f} ms")


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with sqlite_backend(SqliteSettings()).connect(f"sqlite:///{folder}/bench.db") as storage:
            for callers in (1, 16, 64):
                await measure(storage, callers)


asyncio.run(main())
