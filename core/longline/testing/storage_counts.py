"""The contract of the counts: what a storage says it holds is what it holds."""

from datetime import UTC, datetime, timedelta

import pytest

from longline.models.assistants import AssistantChange
from longline.models.counts import QueueFigures, StorageCounts
from longline.storage.capabilities import Capability
from longline.storage.protocols import Storage
from longline.testing.storage_samples import (
    begin,
    claim_by,
    ended,
    far_off,
    moment,
    put,
    sample_assistant,
    sample_run,
    sample_thread,
)


def _ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


@pytest.mark.anyio
class CountsContract:
    """Rows are counted as they come and go; the queue is described as it stands."""

    def test_it_says_whether_other_processes_may_open_it_too(self, storage: Storage) -> None:
        assert storage.facts.is_shared == (Capability.SHARED in storage.capabilities)

    async def test_an_empty_storage_holds_nothing(self, storage: Storage) -> None:
        assert await storage.counts() == StorageCounts(assistants=0, threads=0, runs=0, items=0, queue=QueueFigures())

    async def test_what_is_stored_counts_until_it_is_deleted(self, storage: Storage) -> None:
        assistant = await storage.assistants.create(sample_assistant())
        for _ in range(3):
            thread = await storage.threads.create(sample_thread())
        run = await begin(storage, sample_run(thread.thread_id))
        await storage.runs.finish(run.lease, ended(), at=moment())
        found = await storage.counts()
        assert (found.assistants, found.threads, found.runs) == (1, 3, 1)
        await storage.assistants.delete(assistant.assistant_id)
        await storage.threads.delete(thread.thread_id)
        found = await storage.counts()
        assert (found.assistants, found.threads, found.runs) == (0, 2, 0)

    async def test_versions_of_an_assistant_count_once(self, storage: Storage) -> None:
        assistant = await storage.assistants.create(sample_assistant())
        await storage.assistants.update(assistant.assistant_id, AssistantChange(name="Eve"), at=moment(1))
        assert (await storage.counts()).assistants == 1

    async def test_items_count_in_every_namespace(self, storage: Storage) -> None:
        store = await storage.items()
        assert (await storage.counts()).items == 0
        await store.aput(("a",), "1", {"n": 1})
        await store.aput(("a", "b"), "1", {"n": 1})
        await store.aput(("a", "b"), "1", {"n": 2})
        assert (await storage.counts()).items == 2  # as many as there are
        await store.adelete(("a",), "1")
        assert (await storage.counts()).items == 1

    async def test_the_queue_tells_how_many_wait_and_run(self, storage: Storage) -> None:
        await begin(storage)
        for _ in range(2):
            await put(storage, sample_run(not_before=_ago(1)))
        await put(storage, sample_run(not_before=far_off()))
        queue = (await storage.counts()).queue
        assert (queue.pending, queue.running) == (3, 1)

    async def test_waits_are_of_runs_that_are_due(self, storage: Storage) -> None:
        for seconds in (100, 200, 600):
            await put(storage, sample_run(not_before=_ago(seconds)))
        await put(storage, sample_run(not_before=far_off()))
        queue = (await storage.counts()).queue
        assert queue.longest_wait_seconds == pytest.approx(600, abs=60)
        assert queue.median_wait_seconds == pytest.approx(200, abs=60)
        await storage.runs.claim(claim_by(), limit=10)
        queue = (await storage.counts()).queue
        assert (queue.longest_wait_seconds, queue.median_wait_seconds) == (0, 0)

    async def test_a_run_behind_another_on_its_thread_is_blocked(self, storage: Storage) -> None:
        running = await begin(storage)
        await put(storage, sample_run(running.thread_id, not_before=_ago(900)))
        first = await put(storage, sample_run(not_before=_ago(300)))
        await put(storage, sample_run(first.thread_id, not_before=_ago(600)))
        queue = (await storage.counts()).queue
        assert queue.longest_wait_seconds == pytest.approx(900, abs=60)
        assert queue.longest_unblocked_wait_seconds == pytest.approx(300, abs=60)
        assert queue.median_unblocked_wait_seconds == pytest.approx(300, abs=60)
