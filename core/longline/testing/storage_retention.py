"""The contract of retention: what is past its time goes, what is busy or younger stays, and nobody waits for it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import empty_checkpoint

from longline.errors import NotFoundError, ThreadBusyError
from longline.models.events import BEGINNING
from longline.models.filters import NOTHING
from longline.models.retention import SweepOrder, Swept
from longline.models.runs import NewRun, Run
from longline.models.threads import NewThread, ThreadTtl
from longline.storage.protocols import Storage
from longline.testing.storage_samples import (
    batch_of,
    begin,
    ended,
    moment,
    put,
    sample_cron,
    sample_run,
    sample_thread,
)

_HOUR = 3600


def _config(thread_id: str, namespace: str = "", **more: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": namespace, **more}}


async def _history(storage: Storage, thread_id: str) -> list[str]:
    saver = await storage.checkpointer()
    return [
        found.config["configurable"]["checkpoint_id"]
        async for found in saver.alist({"configurable": {"thread_id": thread_id}})
    ]


async def remember(storage: Storage, thread_id: str, *, checkpoints: int, namespace: str = "") -> list[str]:
    """Some checkpoints with a write each, the oldest first."""
    saver = await storage.checkpointer()
    stored = []
    config = _config(thread_id, namespace)
    for number in range(checkpoints):
        checkpoint = empty_checkpoint()
        checkpoint["channel_values"] = {"n": number}
        config = await saver.aput(config, checkpoint, {"source": "loop", "step": number, "parents": {}}, {})
        await saver.aput_writes(config, [("n", number)], "task")
        stored.append(config["configurable"]["checkpoint_id"])
    return stored


async def _thread(storage: Storage, ttl: ThreadTtl | None = None) -> str:
    sample = sample_thread()
    new = NewThread(thread_id=sample.thread_id, metadata={}, created_at=moment(), ttl=ttl)
    return (await storage.threads.create(new)).thread_id


async def _sweep(
    storage: Storage, at: datetime, *, streams_before: datetime | None = None, most_rows: int = 100
) -> Swept:
    total = Swept()
    async with asyncio.timeout(60):
        while True:
            order = SweepOrder(at=at, streams_before=streams_before, most_rows=most_rows)
            swept = await storage.retention.sweep(order)
            total += swept
            if swept.is_done:
                return total


async def _events(storage: Storage, run: Run) -> int:
    return len(await storage.events.read(run.run_id, after=BEGINNING, limit=1000))


@pytest.mark.anyio
class RetentionContract:
    """Sweeps, pruning, and the time to live of threads and items."""

    async def test_a_time_to_live_is_stored_changed_and_copied(self, storage: Storage) -> None:
        thread_id = await _thread(storage, ThreadTtl(minutes=0.2, strategy="keep_latest"))
        thread = await storage.threads.get(thread_id)
        assert thread.ttl == ThreadTtl(minutes=0.2, strategy="keep_latest")
        assert thread.expires_at == moment(12)
        changed = await storage.threads.update(thread_id, metadata={"a": 1}, at=moment(5))
        assert (changed.ttl, changed.expires_at) == (thread.ttl, moment(17))
        changed = await storage.threads.update(thread_id, metadata={}, at=moment(6), ttl=ThreadTtl(minutes=1))
        assert (changed.ttl, changed.expires_at) == (ThreadTtl(minutes=1, strategy="delete"), moment(66))
        copied = await storage.threads.copy(thread_id, sample_thread().thread_id, at=moment(7))
        assert (copied.ttl, copied.expires_at) == (changed.ttl, moment(67))
        assert (await storage.threads.get(await _thread(storage))).expires_at is None

    async def test_a_thread_made_for_a_run_has_its_time_to_live(self, storage: Storage) -> None:
        new = sample_run()
        assert new.thread is not None
        made = NewThread(thread_id=new.thread_id, metadata={}, created_at=moment(), ttl=ThreadTtl(minutes=3))
        run = await begin(storage, _with_thread(new, made))
        assert (await storage.threads.get(run.thread_id)).ttl == ThreadTtl(minutes=3)

    @pytest.mark.parametrize("most_rows", [1, 7, 1000])
    async def test_a_thread_past_its_time_goes_with_all_that_is_on_it(self, storage: Storage, most_rows: int) -> None:
        thread_id = await _thread(storage, ThreadTtl(minutes=1))
        run = await begin(storage, sample_run(thread_id, creates_thread=False))
        await storage.events.append([batch_of(run.lease, *[b"{}"] * 9)])
        await remember(storage, thread_id, checkpoints=5)
        await remember(storage, thread_id, checkpoints=2, namespace="child:1")
        await storage.runs.finish(run.lease, ended(), at=moment(10))
        other = await _thread(storage, ThreadTtl(minutes=60))
        kept = await _thread(storage)
        assert await _sweep(storage, moment(69)) == Swept()
        swept = await _sweep(storage, moment(70), most_rows=most_rows)
        assert (swept.threads_deleted, swept.threads_pruned) == (1, 0)
        assert swept.gone == (thread_id,)
        with pytest.raises(NotFoundError):
            await storage.threads.get(thread_id)
        with pytest.raises(NotFoundError):
            await storage.runs.get(thread_id, run.run_id)
        assert (await _events(storage, run), await _history(storage, thread_id)) == (0, [])
        await storage.threads.get(other)
        await storage.threads.get(kept)

    async def test_every_activity_starts_the_time_anew(self, storage: Storage) -> None:
        thread_id = await _thread(storage, ThreadTtl(minutes=1))
        await storage.threads.update(thread_id, metadata={}, at=moment(50))
        assert (await _sweep(storage, moment(60))).threads_deleted == 0
        run = await begin(storage, sample_run(thread_id, creates_thread=False))
        await storage.runs.finish(run.lease, ended(), at=moment(100))
        assert (await _sweep(storage, moment(159))).threads_deleted == 0
        assert (await _sweep(storage, moment(160))).threads_deleted == 1

    async def test_a_busy_thread_is_never_swept(self, storage: Storage) -> None:
        long_after = datetime.now(UTC) + timedelta(days=400)
        running = await _thread(storage, ThreadTtl(minutes=1))
        await begin(storage, sample_run(running, creates_thread=False))
        waiting = await _thread(storage, ThreadTtl(minutes=1))
        await put(storage, sample_run(waiting, creates_thread=False))
        assert await _sweep(storage, long_after, streams_before=long_after) == Swept()
        await storage.threads.get(running)
        await storage.threads.get(waiting)

    async def test_a_thread_that_a_cron_comes_back_to_is_not_deleted(self, storage: Storage) -> None:
        awaited, off, over = [await _thread(storage, ThreadTtl(minutes=1)) for _ in range(3)]
        pruned = await _thread(storage, ThreadTtl(minutes=1, strategy="keep_latest"))
        cron = await storage.crons.create(sample_cron(thread_id=awaited))
        await storage.crons.create(sample_cron(thread_id=off, enabled=False))
        await storage.crons.create(sample_cron(thread_id=over, next_tick=None))
        await storage.crons.create(sample_cron(thread_id=pruned))
        swept = await _sweep(storage, moment(_HOUR))
        assert (set(swept.gone), swept.threads_pruned) == ({off, over}, 1)
        await storage.crons.update(cron.cron_id, lambda old: replace(old, enabled=False), at=moment(1))
        assert (await _sweep(storage, moment(_HOUR))).gone == (awaited,)

    @pytest.mark.parametrize("most_rows", [1, 1000])
    async def test_keep_latest_keeps_the_thread_and_its_latest_checkpoints(
        self, storage: Storage, most_rows: int
    ) -> None:
        thread_id = await _thread(storage, ThreadTtl(minutes=1, strategy="keep_latest"))
        root = await remember(storage, thread_id, checkpoints=4)
        child = await remember(storage, thread_id, checkpoints=3, namespace="child:1")
        swept = await _sweep(storage, moment(60), most_rows=most_rows)
        assert (swept.threads_deleted, swept.threads_pruned) == (0, 1)
        assert sorted(await _history(storage, thread_id)) == sorted([root[-1], child[-1]])
        latest = await (await storage.checkpointer()).aget_tuple(_config(thread_id))
        assert latest is not None
        assert [value for _, _, value in latest.pending_writes or []] == [3]
        assert await _sweep(storage, moment(_HOUR)) == Swept()

    async def test_keep_latest_removes_subgraphs_that_ended_before_the_latest_state(self, storage: Storage) -> None:
        thread_id = await _thread(storage, ThreadTtl(minutes=1, strategy="keep_latest"))
        for number in range(3):
            await remember(storage, thread_id, checkpoints=2, namespace=f"child:{number}")
            await remember(storage, thread_id, checkpoints=2, namespace=f"child:{number}|grandchild:{number}")
        kept = await remember(storage, thread_id, checkpoints=2, namespace="with-a-memory")
        kept += await remember(storage, thread_id, checkpoints=2)
        at_work = await remember(storage, thread_id, checkpoints=2, namespace="child:9")
        assert (await _sweep(storage, moment(60))).threads_pruned == 1
        assert sorted(await _history(storage, thread_id)) == sorted([kept[1], kept[3], at_work[1]])

    async def test_threads_come_before_the_rest(self, storage: Storage) -> None:
        run = await begin(storage)
        await storage.events.append([batch_of(run.lease, b"{}")])
        await storage.runs.finish(run.lease, ended(), at=moment(1))
        thread_id = await _thread(storage, ThreadTtl(minutes=1))
        await remember(storage, thread_id, checkpoints=3)
        order = SweepOrder(at=moment(_HOUR), streams_before=moment(_HOUR), most_rows=2)
        assert (await storage.retention.sweep(order)).is_done is False
        assert await _events(storage, run) == 1
        await _sweep(storage, moment(_HOUR), streams_before=moment(_HOUR), most_rows=2)
        assert await _events(storage, run) == 0

    async def test_a_pruned_thread_is_pruned_again_after_its_next_activity(self, storage: Storage) -> None:
        thread_id = await _thread(storage, ThreadTtl(minutes=1, strategy="keep_latest"))
        await remember(storage, thread_id, checkpoints=3)
        await _sweep(storage, moment(60))
        more = await remember(storage, thread_id, checkpoints=2)
        await storage.threads.update(thread_id, metadata={}, at=moment(100))
        assert (await _sweep(storage, moment(159))).threads_pruned == 0
        assert (await _sweep(storage, moment(160))).threads_pruned == 1
        assert await _history(storage, thread_id) == more[-1:]

    async def test_pruning_by_hand_respects_who_may_see_and_who_is_busy(self, storage: Storage) -> None:
        thread_id = await _thread(storage)
        stored = await remember(storage, thread_id, checkpoints=3)
        with pytest.raises(NotFoundError):
            await storage.retention.keep_latest(thread_id, visible=NOTHING)
        run = await put(storage, sample_run(thread_id, creates_thread=False))
        with pytest.raises(ThreadBusyError):
            await storage.retention.keep_latest(thread_id)
        assert await _history(storage, thread_id) == stored[::-1]
        await storage.runs.delete(thread_id, run.run_id)
        await storage.retention.keep_latest(thread_id)
        assert await _history(storage, thread_id) == stored[-1:]
        with pytest.raises(NotFoundError):
            await storage.retention.keep_latest("nope")

    @pytest.mark.parametrize("most_rows", [2, 1000])
    async def test_kept_streams_go_when_their_runs_ended_long_ago(self, storage: Storage, most_rows: int) -> None:
        runs = [await begin(storage) for _ in range(3)]
        for run in runs:
            await storage.events.append([batch_of(run.lease, *[b"{}"] * 5)])
        await storage.runs.finish(runs[0].lease, ended(), at=moment(10))
        await storage.runs.finish(runs[1].lease, ended(), at=moment(20))
        swept = await _sweep(storage, moment(30), streams_before=moment(19), most_rows=most_rows)
        assert swept.rows == 5
        assert [await _events(storage, run) for run in runs] == [0, 5, 5]
        assert (await storage.runs.get(runs[0].thread_id, runs[0].run_id)).run_id == runs[0].run_id
        await _sweep(storage, datetime.now(UTC) + timedelta(days=400), streams_before=None)
        assert await _events(storage, runs[1]) == 5

    async def test_items_go_when_their_time_is_over(self, storage: Storage) -> None:
        items = await storage.items()
        for number in range(12):
            await items.aput(("n",), str(number), {}, ttl=10 if number % 2 else None)
        now = datetime.now(UTC)
        assert await _sweep(storage, now) == Swept()
        swept = await _sweep(storage, now + timedelta(minutes=11), most_rows=2)
        assert swept.items == 6
        assert {item.key for item in await items.asearch(("n",), limit=20)} == {"0", "2", "4", "6", "8", "10"}

    async def test_others_write_while_much_is_swept(self, storage: Storage) -> None:
        for _ in range(5):
            thread_id = await _thread(storage, ThreadTtl(minutes=1))
            await remember(storage, thread_id, checkpoints=20)
        sweeping = asyncio.create_task(_sweep(storage, moment(_HOUR), most_rows=1))
        written = 0
        async for _ in _until(sweeping):
            await storage.threads.create(sample_thread())
            written += 1
        assert (await sweeping).threads_deleted == 5
        assert written > 20

    async def test_scrubbing_harms_nothing(self, storage: Storage) -> None:
        thread_id = await _thread(storage)
        stored = await remember(storage, thread_id, checkpoints=2)
        async with asyncio.timeout(60):
            await asyncio.gather(
                storage.retention.scrub(), storage.threads.update(thread_id, metadata={}, at=moment(1))
            )
        assert await _history(storage, thread_id) == stored[::-1]


def _with_thread(new: NewRun, thread: NewThread) -> NewRun:
    return replace(new, thread=thread)


async def _until(task: "asyncio.Task[Swept]") -> AsyncIterator[None]:
    while not task.done():
        yield
