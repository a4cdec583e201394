"""The contract of state updates: what one writes is stored whole, or not at all."""

from datetime import UTC, datetime

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import empty_checkpoint

from longline.errors import NotFoundError, ThreadBusyError
from longline.models.retention import SweepOrder
from longline.models.threads import NewThread, ThreadTtl
from longline.storage.protocols import Storage
from longline.testing.storage_samples import moment, put, sample_run, sample_thread


def _config(thread_id: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}}


async def _history(storage: Storage, thread_id: str) -> list[str]:
    saver = await storage.checkpointer()
    return [found.config["configurable"]["checkpoint_id"] async for found in saver.alist(_config(thread_id))]


async def _thread(storage: Storage, ttl: ThreadTtl | None = None) -> str:
    new = NewThread(thread_id=sample_thread().thread_id, metadata={}, created_at=moment(), ttl=ttl)
    return (await storage.threads.create(new)).thread_id


@pytest.mark.anyio
class StateWritesContract:
    """A state update is stored whole, on a thread that is idle in that very moment, or not at all."""

    async def test_what_is_collected_is_stored_at_the_commit(self, storage: Storage) -> None:
        thread_id = await _thread(storage)
        writes = await storage.state_writes(thread_id)
        config = await writes.saver.aput(
            _config(thread_id), empty_checkpoint(), {"source": "update", "step": 0, "parents": {}}, {}
        )
        await writes.saver.aput_writes(config, [("n", 1)], "task")
        assert await _history(storage, thread_id) == []
        await writes.commit()
        assert await _history(storage, thread_id) == [config["configurable"]["checkpoint_id"]]
        found = await writes.saver.aget_tuple(config)
        assert found is not None
        assert found.pending_writes == [("task", "n", 1)]

    async def test_a_thread_whose_time_is_up_stays_once_an_update_is_stored(self, storage: Storage) -> None:
        thread_id = await _thread(storage, ThreadTtl(minutes=60))
        writes = await storage.state_writes(thread_id)
        config = await writes.saver.aput(
            _config(thread_id), empty_checkpoint(), {"source": "update", "step": 0, "parents": {}}, {}
        )
        await writes.commit()
        assert (await storage.retention.sweep(SweepOrder(at=datetime.now(UTC)))).gone == ()
        assert await _history(storage, thread_id) == [config["configurable"]["checkpoint_id"]]

    async def test_a_run_that_comes_first_leaves_nothing_of_the_update(self, storage: Storage) -> None:
        thread_id = await _thread(storage)
        writes = await storage.state_writes(thread_id)
        await writes.saver.aput(
            _config(thread_id), empty_checkpoint(), {"source": "update", "step": 0, "parents": {}}, {}
        )
        await put(storage, sample_run(thread_id, creates_thread=False))
        with pytest.raises(ThreadBusyError):
            await writes.commit()
        assert await _history(storage, thread_id) == []

    async def test_a_thread_that_is_gone_gets_no_checkpoint(self, storage: Storage) -> None:
        thread_id = await _thread(storage)
        writes = await storage.state_writes(thread_id)
        await writes.saver.aput(
            _config(thread_id), empty_checkpoint(), {"source": "update", "step": 0, "parents": {}}, {}
        )
        await storage.threads.delete(thread_id)
        with pytest.raises(NotFoundError):
            await writes.commit()
        assert await _history(storage, thread_id) == []
