"""Emptying the write-ahead log waits for readers without making writers wait."""

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from longline.models.threads import NewThread
from longline.storage.protocols import Storage
from longline.testing.storage_samples import moment, sample_thread


@pytest.mark.anyio
async def test_a_long_read_delays_the_scrubbing_and_no_write(storage: Storage, database_file: Path) -> None:
    reads, done = threading.Event(), threading.Event()

    def read_for_long() -> None:
        connection = sqlite3.connect(database_file, isolation_level=None)
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM threads").fetchone()
        reads.set()
        done.wait(30)
        connection.close()

    reading = asyncio.create_task(asyncio.to_thread(read_for_long))
    await asyncio.to_thread(reads.wait, 10)
    await storage.threads.create(NewThread(thread_id="t", metadata={}, created_at=moment()))
    scrubbing = asyncio.create_task(storage.retention.scrub())
    async with asyncio.timeout(30):
        for _ in range(20):
            await storage.threads.create(sample_thread())
        assert not scrubbing.done()
        done.set()
        await scrubbing
        await reading
    assert database_file.with_name(database_file.name + "-wal").stat().st_size == 0
