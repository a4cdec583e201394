"""A storage whose checkpoints are in a saver of the project's keeps the promises that a saver can keep."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from tests.core.storage.pruning_saver import PruningSaver

from longline.errors import InvalidInputError, LeaseLostError
from longline.models.retention import SweepOrder
from longline.models.threads import NewThread, ThreadQuery, ThreadTtl
from longline.storage.own_checkpoints import OwnCheckpoints
from longline.storage.protocols import Storage
from longline.testing.storage_checkpoints import CheckpointContract
from longline.testing.storage_samples import OVER, begin, lose, moment, sample_thread
from longline.testing.storage_state_writes import StateWritesContract
from longline.testing.storage_threads import ThreadStoreContract
from longline_storage_sqlite.settings import SqliteSettings
from longline_storage_sqlite.storage import sqlite_backend


@pytest.fixture
def saver_class() -> type[AsyncSqliteSaver]:
    return AsyncSqliteSaver


@pytest.fixture
async def storage(anyio_backend: str, tmp_path: Path, saver_class: type[AsyncSqliteSaver]) -> AsyncIterator[Storage]:
    async with (
        sqlite_backend(SqliteSettings()).connect(f"sqlite:///{tmp_path}/longline.db") as opened,
        saver_class.from_conn_string(str(tmp_path / "own.db")) as saver,
    ):
        await saver.setup()
        yield OwnCheckpoints(opened, saver)


async def put_three(storage: Storage, thread_id: str) -> None:
    saver = await storage.checkpointer()
    for step in range(3):
        config = {"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}}
        await saver.aput(config, empty_checkpoint(), {"source": "loop", "step": step, "parents": {}}, {})


async def steps(storage: Storage, thread_id: str) -> list[int]:
    saver = await storage.checkpointer()
    found = saver.alist({"configurable": {"thread_id": thread_id}})
    return [one.metadata["step"] async for one in found]


async def due_thread(storage: Storage, strategy: str) -> str:
    ttl = ThreadTtl(minutes=1, strategy=strategy)
    new = NewThread(thread_id=sample_thread().thread_id, metadata={}, created_at=moment(), ttl=ttl)
    thread_id = (await storage.threads.create(new)).thread_id
    await put_three(storage, thread_id)
    return thread_id


class TestThreads(ThreadStoreContract):
    pass


class TestCheckpoints(CheckpointContract):
    test_an_erased_run_leaves_all_that_was_there_before_it = None  # needs what this saver leaves out


class TestStateWrites(StateWritesContract):
    pass


@pytest.mark.anyio
class TestRetention:
    async def test_a_sweep_reaches_threads_that_go(self, storage: Storage) -> None:
        thread_id = await due_thread(storage, "delete")
        swept = await storage.retention.sweep(SweepOrder(at=datetime.now(UTC)))
        assert swept.gone == (thread_id,)
        assert await steps(storage, thread_id) == []

    async def test_a_saver_that_cannot_prune_keeps_all_and_says_so_once(
        self, storage: Storage, caplog: pytest.LogCaptureFixture
    ) -> None:
        threads = [await due_thread(storage, "keep_latest") for _ in range(2)]
        swept = await storage.retention.sweep(SweepOrder(at=datetime.now(UTC)))
        assert set(swept.pruned) == set(threads)
        assert [await steps(storage, thread_id) for thread_id in threads] == [[2, 1, 0]] * 2
        assert caplog.messages.count("checkpoints not pruned") == 1
        with pytest.raises(InvalidInputError, match="AsyncSqliteSaver cannot keep only the latest checkpoints"):
            await storage.retention.keep_latest(threads[0])

    async def test_a_rollback_that_the_saver_cannot_do_is_logged(
        self, storage: Storage, caplog: pytest.LogCaptureFixture
    ) -> None:
        run = await begin(storage)
        await (await storage.checkpointer(run.lease)).adelete_for_runs([run.run_id])
        assert caplog.messages == ["checkpoints of a run not deleted"]


@pytest.mark.anyio
class TestPruningSaver:
    @pytest.fixture
    def saver_class(self) -> type[AsyncSqliteSaver]:
        return PruningSaver

    async def test_a_sweep_prunes(self, storage: Storage) -> None:
        thread_id = await due_thread(storage, "keep_latest")
        assert (await storage.retention.sweep(SweepOrder(at=datetime.now(UTC)))).pruned == (thread_id,)
        assert await steps(storage, thread_id) == [2]

    async def test_pruning_by_hand(self, storage: Storage) -> None:
        thread_id = await due_thread(storage, "keep_latest")
        await storage.retention.keep_latest(thread_id)
        assert await steps(storage, thread_id) == [2]

    async def test_a_lost_lease_deletes_nothing(self, storage: Storage) -> None:
        run = await begin(storage, lease_seconds=OVER)
        await put_three(storage, run.thread_id)
        stale = await storage.checkpointer(run.lease)
        await lose(storage, run)
        with pytest.raises(LeaseLostError):
            await stale.adelete_for_runs([run.run_id])
        with pytest.raises(LeaseLostError):
            await stale.aprune([run.thread_id])
        assert await steps(storage, run.thread_id) == [2, 1, 0]


@pytest.mark.anyio
async def test_nodes_in_threads_of_their_own_may_read_and_write_too(anyio_backend: str, storage: Storage) -> None:
    run = await begin(storage, lease_seconds=OVER)
    saver = await storage.checkpointer(run.lease)
    config = {"configurable": {"thread_id": run.thread_id, "checkpoint_ns": ""}}
    metadata = {"source": "loop", "step": 0, "parents": {}}
    stored = await asyncio.to_thread(saver.put, config, empty_checkpoint(), metadata, {})
    await asyncio.to_thread(saver.put_writes, stored, [("n", 1)], "task")
    found = await asyncio.to_thread(saver.get_tuple, config)
    assert found is not None
    assert found.pending_writes == [("task", "n", 1)]
    assert await asyncio.to_thread(lambda: len(list(saver.list(config)))) == 1
    with pytest.raises(asyncio.InvalidStateError):
        saver.get_tuple(config)
    await lose(storage, run)
    with pytest.raises(LeaseLostError):
        await asyncio.to_thread(saver.put, config, empty_checkpoint(), metadata, {})


@pytest.mark.anyio
async def test_a_thread_whose_checkpoints_cannot_go_stays(anyio_backend: str, storage: Storage, tmp_path: Path) -> None:
    class Failing(AsyncSqliteSaver):
        async def adelete_thread(self, thread_id: str) -> None:
            raise OSError("away")

        async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
            raise OSError("away")

    async with Failing.from_conn_string(str(tmp_path / "failing.db")) as saver:
        failing = OwnCheckpoints(storage, saver)
        thread_id = (await storage.threads.create(sample_thread())).thread_id
        with pytest.raises(OSError, match="away"):
            await failing.threads.delete(thread_id)
        assert (await storage.threads.get(thread_id)).thread_id == thread_id
        with pytest.raises(OSError, match="away"):
            await failing.threads.copy(thread_id, "copy", at=moment(1))
        assert [one.thread_id for one in (await storage.threads.search(ThreadQuery())).items] == [thread_id]
