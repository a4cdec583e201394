"""A saver of the project's own, bound to the lease of a run."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from copy import copy
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from longline.errors import LeaseLostError
from longline.models.runs import Lease
from longline.storage.outer_saver import OuterSaver
from longline.storage.queue import RunQueue
from longline.threads import on_loop

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import (
        BaseCheckpointSaver,
        ChannelVersions,
        Checkpoint,
        CheckpointMetadata,
        CheckpointTuple,
        DeltaChannelHistory,
    )

T = TypeVar("T")

_Write = Callable[[], Awaitable[object]]

logger = logging.getLogger(__name__)


def bound_saver(saver: "BaseCheckpointSaver[Any]", queue: RunQueue, lease: Lease | None) -> "BaseCheckpointSaver[str]":
    """The saver, asking before each write whether the lease stands; LeaseLostError if not. To be made on the event
    loop. Imports LangGraph."""
    return _saver_class()(saver, queue, lease)


class CollectingSaver:
    """A saver that keeps what it is told to write until `commit`."""

    def __init__(self, saver: "BaseCheckpointSaver[str]", collected: list[_Write]) -> None:
        self.saver = saver
        self._collected = collected

    async def commit(self) -> None:
        """Write all of it, in order."""
        for write in self._collected:
            await write()
        self._collected.clear()


def collecting_saver(saver: "BaseCheckpointSaver[Any]", queue: RunQueue) -> CollectingSaver:
    """The saver, for a state update. To be made on the event loop. Imports LangGraph."""
    collected: list[_Write] = []
    return CollectingSaver(_saver_class()(saver, queue, None, collected), collected)


async def copy_checkpoints(saver: "BaseCheckpointSaver[Any]", source: str, target: str) -> None:
    """All checkpoints of a thread for another, by the saver's own way if it has one."""
    try:
        await saver.acopy_thread(source, target)
    except NotImplementedError:
        found = [one async for one in saver.alist({"configurable": {"thread_id": source}})]
        for one in reversed(found):  # newest first: parents must be there before their children
            await _put_copy(saver, one, target)


async def _put_copy(saver: "BaseCheckpointSaver[Any]", found: "CheckpointTuple", target: str) -> None:
    place: dict[str, Any] = {
        "thread_id": target, "checkpoint_ns": found.config["configurable"].get("checkpoint_ns", "")
    }  # fmt: skip
    parent = found.parent_config
    if parent is not None:
        place["checkpoint_id"] = parent["configurable"]["checkpoint_id"]
    metadata: Any = dict(found.metadata)
    if "thread_id" in metadata:
        metadata["thread_id"] = target
    # every channel counts as new: there is nothing on the other thread yet
    versions = found.checkpoint["channel_versions"]
    stored = await saver.aput({"configurable": place}, found.checkpoint, metadata, versions)
    writes: dict[str, list[tuple[str, Any]]] = {}
    for task_id, channel, value in found.pending_writes or ():
        writes.setdefault(task_id, []).append((channel, value))
    for task_id, of_task in writes.items():
        await saver.aput_writes(stored, of_task, task_id)


class _Methods(OuterSaver):
    """What a bound saver does; it inherits the rest from LangGraph's base class, which is slow to import."""

    def __init__(
        self,
        inner: "BaseCheckpointSaver[Any]",
        queue: RunQueue,
        lease: Lease | None,
        collected: list[_Write] | None = None,
    ) -> None:
        super().__init__(inner)
        self._queue = queue
        self._lease = lease
        self._collected = collected
        self._loop = asyncio.get_running_loop()

    @property
    def config_specs(self) -> list[Any]:
        """See BaseCheckpointSaver."""
        return self._inner.config_specs

    async def aget_tuple(self, config: "RunnableConfig") -> "CheckpointTuple | None":
        """See BaseCheckpointSaver."""
        return await self._inner.aget_tuple(config)

    async def alist(
        self,
        config: "RunnableConfig | None",
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002  # LangGraph's name
        before: "RunnableConfig | None" = None,
        limit: int | None = None,
    ) -> "AsyncIterator[CheckpointTuple]":
        """See BaseCheckpointSaver. Read to its end first: savers hold their lock while they list, and who looks at one
        checkpoint may ask for another."""
        for found in [one async for one in self._inner.alist(config, filter=filter, before=before, limit=limit)]:
            yield found

    async def aput(
        self,
        config: "RunnableConfig",
        checkpoint: "Checkpoint",
        metadata: "CheckpointMetadata",
        new_versions: "ChannelVersions",
    ) -> "RunnableConfig":
        """See BaseCheckpointSaver. Raises LeaseLostError."""
        if self._collected is not None:
            self._collected.append(lambda: self._inner.aput(config, checkpoint, metadata, new_versions))
            place = {key: config["configurable"][key] for key in ("thread_id", "checkpoint_ns")}
            return {"configurable": {**place, "checkpoint_id": checkpoint["id"]}}
        await self._hold()
        return await self._inner.aput(config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: "RunnableConfig", writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """See BaseCheckpointSaver. Raises LeaseLostError."""
        await self._write(lambda: self._inner.aput_writes(config, writes, task_id, task_path))

    async def adelete_thread(self, thread_id: str) -> None:
        """See BaseCheckpointSaver. Raises LeaseLostError."""
        await self._write(lambda: self._inner.adelete_thread(thread_id))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """See BaseCheckpointSaver. A saver that cannot keeps the checkpoints, and the log says so. Raises
        LeaseLostError."""
        try:
            await self._write(lambda: self._inner.adelete_for_runs(run_ids))
        except NotImplementedError:
            reason = f"{type(self._inner).__name__} has no adelete_for_runs"
            logger.warning("checkpoints of a run not deleted", extra={"run_ids": list(run_ids), "reason": reason})

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """See BaseCheckpointSaver. Raises LeaseLostError."""
        await self._write(lambda: copy_checkpoints(self._inner, source_thread_id, target_thread_id))

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """See BaseCheckpointSaver. Raises LeaseLostError."""
        await self._write(lambda: self._inner.aprune(thread_ids, strategy=strategy))

    async def aget_delta_channel_history(
        self, *, config: "RunnableConfig", channels: Sequence[str]
    ) -> "Mapping[str, DeltaChannelHistory]":
        """See BaseCheckpointSaver."""
        return await self._inner.aget_delta_channel_history(config=config, channels=channels)

    def with_allowlist(self, extra_allowlist: Collection[tuple[str, ...]]) -> Any:
        """See BaseCheckpointSaver."""
        clone = copy(self)
        clone._inner = self._inner.with_allowlist(extra_allowlist)  # noqa: SLF001  # its own
        clone.serde = clone._inner.serde  # noqa: SLF001  # its own
        return clone

    # -- the lease ----------------------------------------------------------------------------------------------

    async def _write(self, write: _Write) -> None:
        if self._collected is not None:
            self._collected.append(write)
            return
        await self._hold()
        await write()

    async def _hold(self) -> None:
        if self._lease is not None and not await self._queue.holds(self._lease):
            raise LeaseLostError(self._lease.run_id, self._lease.attempt)

    def _from_thread(self, work: Coroutine[object, object, T]) -> T:
        return on_loop(work, self._loop)


@cache
def _saver_class() -> "Callable[..., BaseCheckpointSaver[str]]":
    from langgraph.checkpoint.base import BaseCheckpointSaver  # noqa: PLC0415  # LangGraph is slow to import

    class BoundSaver(_Methods, BaseCheckpointSaver[str]):
        """See bound_saver."""

    return BoundSaver
