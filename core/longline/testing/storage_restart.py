"""The contract of opening and closing: what was committed is there again."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from longline.errors import LeaseLostError, StorageError, VersionConflictError
from longline.models.events import BEGINNING
from longline.models.runs import RunStatus
from longline.storage.protocols import Storage
from longline.testing.storage_collections import COUNTS, DOCS, LOG, sample_document
from longline.testing.storage_samples import (
    batch_of,
    begin,
    claim_by,
    ended,
    far_off,
    moment,
    put,
    sample_assistant,
    sample_cron,
    sample_run,
    sample_thread,
)

Reopen = Callable[[], AbstractAsyncContextManager[Storage]]


@pytest.mark.anyio
class RestartContract:
    """Opened twice, one after the other. The fixture `reopen` opens the same place each time."""

    async def test_everything_is_there_after_closing_and_opening(self, reopen: Reopen) -> None:
        async with reopen() as storage:
            assistant = await storage.assistants.create(sample_assistant())
            done = await begin(storage)
            batch = batch_of(done.lease, b"1", b"2")
            await storage.events.append([batch])
            await storage.runs.finish(done.lease, ended(values=b'{"n":1}'), at=moment(1))
            delayed = await put(storage, sample_run(not_before=far_off()))
            cron = await storage.crons.create(sample_cron())
            thread = await storage.threads.get(done.thread_id)
        async with reopen() as storage:
            assert await storage.assistants.get(assistant.assistant_id) == assistant
            assert await storage.threads.get(done.thread_id) == thread
            assert (await storage.runs.get(done.thread_id, done.run_id)).status is RunStatus.SUCCESS
            assert await storage.runs.get(delayed.thread_id, delayed.run_id) == delayed
            assert await storage.crons.get(cron.cron_id) == cron
            assert await storage.events.read(done.run_id, after=BEGINNING, limit=9) == list(batch.events)

    async def test_what_plugins_keep_is_there_after_closing_and_opening(self, reopen: Reopen) -> None:
        async with reopen() as storage:
            document = await storage.collections.put(sample_document(expires_at=far_off()))
            entries = await storage.collections.append(LOG, "ann", "l", [{"n": 1}])
            await storage.collections.add(COUNTS, "ann", "k", 5, window_seconds=600)
        async with reopen() as storage:
            assert await storage.collections.get(DOCS, "ann", "k") == document
            assert await storage.collections.read(LOG, "ann", "l", limit=9) == entries
            assert (await storage.collections.add(COUNTS, "ann", "k", window_seconds=600)).value == 6
            (later,) = await storage.collections.append(LOG, "ann", "l", [{"n": 2}])
            assert later.position > entries[-1].position

    async def test_waiting_runs_keep_their_order(self, reopen: Reopen) -> None:
        async with reopen() as storage:
            waiting = [await put(storage, sample_run(run_id=f"run-{9 - number}")) for number in range(4)]
        async with reopen() as storage:
            claimed = await storage.runs.claim(claim_by(), limit=9)
            assert [run.run_id for run in claimed] == [run.run_id for run in waiting]

    async def test_writes_that_were_asked_for_before_closing_are_done(self, reopen: Reopen) -> None:
        async with reopen() as storage:
            creating = [asyncio.ensure_future(storage.threads.create(sample_thread(f"t-{n}"))) for n in range(50)]
            await asyncio.sleep(0)
        made = await asyncio.gather(*creating)
        async with reopen() as storage:
            for thread in made:
                assert await storage.threads.get(thread.thread_id) == thread

    async def test_a_cancelled_opening_leaves_nothing_open(self, reopen: Reopen) -> None:
        async def open_and_wait(opened: asyncio.Event) -> None:
            async with reopen():
                opened.set()
                await asyncio.Event().wait()

        for steps in (0, 1, 2, None):
            opened = asyncio.Event()
            task = asyncio.create_task(open_and_wait(opened))
            if steps is None:
                await opened.wait()
            else:
                for _ in range(steps):
                    await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        async with asyncio.timeout(20), reopen() as storage:
            await storage.check()

    async def test_a_closed_storage_says_so(self, reopen: Reopen) -> None:
        async with reopen() as storage:
            await storage.check()
        with pytest.raises(StorageError):
            await storage.check()
        with pytest.raises(StorageError):
            await storage.threads.create(sample_thread())

    async def test_a_cancelled_writer_leaves_whole_writes_only(self, reopen: Reopen) -> None:
        async with reopen() as storage:
            news = [sample_run() for _ in range(30)]
            tasks = [asyncio.create_task(begin(storage, new)) for new in news]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for new, task in zip(news, tasks, strict=True):
                if not task.cancelled():
                    assert (await storage.runs.get(new.thread_id, new.run_id)).status is RunStatus.RUNNING
            counted = await storage.runs.count_unfinished()
        async with reopen() as storage:
            assert await storage.runs.count_unfinished() == counted


@pytest.mark.anyio
class SoleOwnerContract:
    """For storages that one server has for itself: what a dead server left running is free at once."""

    async def test_a_run_left_running_is_claimed_with_the_next_attempt_and_the_old_one_is_shut_out(
        self, reopen: Reopen
    ) -> None:
        async with reopen() as storage:
            left = await begin(storage, lease_seconds=600)
            behind = await put(storage, sample_run(left.thread_id))
        async with reopen() as storage:
            (taken,) = await storage.runs.claim(claim_by("worker-2"), limit=9)
            assert (taken.run_id, taken.attempt, taken.status) == (left.run_id, 2, RunStatus.RUNNING)
            with pytest.raises(LeaseLostError):
                await storage.runs.finish(left.lease, ended(), at=moment(1))
            await storage.runs.finish(taken.lease, ended(), at=moment(1))
            (next_run,) = await storage.runs.claim(claim_by("worker-2"), limit=9)
            assert next_run.run_id == behind.run_id

    async def test_what_a_dead_server_had_taken_up_is_due_at_once_and_the_old_version_is_shut_out(
        self, reopen: Reopen
    ) -> None:
        async with reopen() as storage:
            await storage.collections.put(sample_document(due_at=moment()))
            await storage.collections.put(sample_document("later", due_at=far_off()))
            (left,) = await storage.collections.take_due(DOCS, holder="w1", lease_seconds=600, limit=9)
        async with reopen() as storage:
            (taken,) = await storage.collections.take_due(DOCS, holder="w2", lease_seconds=600, limit=9)
            assert (taken.key, taken.takes, taken.holder) == ("k", 2, "w2")
            with pytest.raises(VersionConflictError):
                await storage.collections.delete(DOCS, "ann", "k", expected=left.version)

    async def test_a_cron_that_a_dead_server_had_taken_is_due_at_once(self, reopen: Reopen) -> None:
        async with reopen() as storage:
            await storage.crons.create(sample_cron())
            (left,) = await storage.crons.take_due(claim_by(), limit=9)
        async with reopen() as storage:
            assert await storage.crons.next_due() == left.next_tick
            assert await storage.crons.take_due(claim_by("worker-2"), limit=9) == [left]
