"""What a tick locks, and in which order: otherwise it and the end of its thread wait for each other."""

import asyncio
from dataclasses import replace

import psycopg
import pytest

from longline.errors import AlreadyExistsError
from longline.storage.protocols import Storage
from longline.testing.storage_samples import admit_all, far_off, sample_cron, sample_thread
from longline.testing.storage_ticks import run_of_tick

_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.mark.anyio
async def test_a_tick_waits_for_its_thread_before_it_holds_its_cron(storage: Storage, database_url: str) -> None:
    thread = await storage.threads.create(sample_thread())
    cron = await storage.crons.create(sample_cron(thread_id=thread.thread_id))
    new = replace(run_of_tick(cron, next_tick=far_off(), thread_id=thread.thread_id), thread=None)
    async with (
        asyncio.timeout(60),
        await psycopg.AsyncConnection.connect(database_url) as other,
        await psycopg.AsyncConnection.connect(database_url, autocommit=True) as watcher,
    ):
        await other.execute("SELECT 1 FROM longline.threads WHERE thread_id = %s FOR UPDATE", (thread.thread_id,))
        firing = asyncio.create_task(storage.runs.enqueue(new, admit=admit_all))
        while await (await watcher.execute(_WAITING)).fetchone() == (0,):
            assert not firing.done()
        found = await watcher.execute("SELECT cron_id FROM longline.crons FOR UPDATE NOWAIT")
        assert await found.fetchone() == (cron.cron_id,)
        await other.execute("DELETE FROM longline.threads WHERE thread_id = %s", (thread.thread_id,))
        await other.commit()
        with pytest.raises(AlreadyExistsError):
            await firing
