"""Any storage with the checkpoints in a saver of the project's own."""

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from longline.errors import InvalidInputError, SettingsError
from longline.models.counts import StorageCounts
from longline.models.filters import EVERYTHING, Filter
from longline.models.json import JsonObject
from longline.models.pages import Page
from longline.models.retention import SweepOrder, Swept
from longline.models.runs import Lease
from longline.models.threads import NewThread, Thread, ThreadQuery, ThreadState, ThreadTtl
from longline.storage.cipher import Cipher
from longline.storage.own_saver import CollectingSaver, bound_saver, collecting_saver, copy_checkpoints
from longline.storage.protocols import Storage, ThreadStore
from longline.storage.retention import Retention, StateWrites

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.store.base import BaseStore

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SaverSource:
    """Where checkpoints are kept instead of in the storage. `connect` gives a saver that is ready for use, and closes
    it on leaving; it raises SettingsError with one sentence that says what to do."""

    name: str
    connect: Callable[[], "AbstractAsyncContextManager[BaseCheckpointSaver[Any]]"]


def unsealed(source: SaverSource | None, cipher: Cipher | None) -> SaverSource | None:
    """The source, if there is no cipher beside it. Raises SettingsError."""
    if source is not None and cipher is not None:
        fault = (
            f"encryption cannot be used with the checkpointer {source.name!r}: it stores channels by name and version, "
            "which an encrypted checkpoint does not have. Remove checkpointer.path or encryption"
        )
        raise SettingsError([fault])
    return source


@asynccontextmanager
async def beside(source: SaverSource | None, storage: Storage) -> AsyncIterator[Storage]:
    """The storage with its checkpoints where the source says, if there is one. Raises SettingsError."""
    if source is None:
        yield storage
        return
    async with source.connect() as saver:
        yield OwnCheckpoints(storage, saver)


class OwnCheckpoints:
    """See Storage. Checkpoints are in the saver, all else is in the storage. A write of a checkpoint and the check of
    the lease before it are two steps: a worker that loses its run between them still writes."""

    def __init__(self, inner: Storage, saver: "BaseCheckpointSaver[Any]") -> None:
        self._inner = inner
        self._saver = saver
        self.capabilities = inner.capabilities
        self.assistants = inner.assistants
        self.threads = _Threads(inner.threads, saver)
        self.runs = inner.runs
        self.events = inner.events
        self.crons = inner.crons
        self.collections = inner.collections
        self.retention = _Retention(inner.retention, saver)
        self.relay = inner.relay
        self.facts = inner.facts

    async def checkpointer(self, lease: Lease | None = None) -> "BaseCheckpointSaver[str]":
        """See Storage."""
        return bound_saver(self._saver, self._inner.runs, lease)

    async def state_writes(self, thread_id: str) -> StateWrites:
        """See Storage. What is committed is written one by one, once the thread was seen to be idle."""
        idle = await self._inner.state_writes(thread_id)
        return _OwnStateWrites(idle, collecting_saver(self._saver, self._inner.runs))

    async def items(self) -> "BaseStore":
        """See Storage."""
        return await self._inner.items()

    async def counts(self) -> StorageCounts:
        """See Storage."""
        return await self._inner.counts()

    async def check(self) -> None:
        """See Storage."""
        await self._inner.check()


class _OwnStateWrites:
    """See StateWrites."""

    def __init__(self, idle: StateWrites, collecting: "CollectingSaver") -> None:
        self._idle = idle
        self._collecting = collecting
        self.saver = collecting.saver

    async def commit(self) -> None:
        """See StateWrites."""
        await self._idle.commit()
        await self._collecting.commit()


class _Threads:
    """See ThreadStore."""

    def __init__(self, inner: ThreadStore, saver: "BaseCheckpointSaver[Any]") -> None:
        self._inner = inner
        self._saver = saver

    async def create(self, thread: NewThread) -> Thread:
        """See ThreadStore."""
        return await self._inner.create(thread)

    async def get(self, thread_id: str, *, visible: Filter = EVERYTHING) -> Thread:
        """See ThreadStore."""
        return await self._inner.get(thread_id, visible=visible)

    async def search(self, query: ThreadQuery) -> Page[Thread]:
        """See ThreadStore."""
        return await self._inner.search(query)

    async def update(
        self,
        thread_id: str,
        *,
        metadata: JsonObject,
        at: datetime,
        ttl: ThreadTtl | None = None,
        visible: Filter = EVERYTHING,
    ) -> Thread:
        """See ThreadStore."""
        return await self._inner.update(thread_id, metadata=metadata, at=at, ttl=ttl, visible=visible)

    async def set_state(self, thread_id: str, state: ThreadState, *, at: datetime) -> int:
        """See ThreadStore."""
        return await self._inner.set_state(thread_id, state, at=at)

    async def copy(self, thread_id: str, new_thread_id: str, *, at: datetime, visible: Filter = EVERYTHING) -> Thread:
        """See ThreadStore. If the checkpoints cannot be copied there is no new thread."""
        thread = await self._inner.copy(thread_id, new_thread_id, at=at, visible=visible)
        try:
            await copy_checkpoints(self._saver, thread_id, new_thread_id)
        except BaseException:
            await self._inner.delete(new_thread_id)
            raise
        return thread

    async def delete(self, thread_id: str, *, visible: Filter = EVERYTHING) -> Sequence[str]:
        """See ThreadStore. The checkpoints go first: if they cannot, the thread stays, to be deleted again."""
        await self._inner.get(thread_id, visible=visible)
        await self._saver.adelete_thread(thread_id)
        unfinished = await self._inner.delete(thread_id, visible=visible)
        if unfinished:  # these may have written in between
            await _delete(self._saver, thread_id)
        return unfinished


class _Retention:
    """See Retention. What was deleted is as unreadable as the saver makes it."""

    def __init__(self, inner: Retention, saver: "BaseCheckpointSaver[Any]") -> None:
        self._inner = inner
        self._saver = saver
        self._is_told = False

    async def sweep(self, order: SweepOrder) -> Swept:
        """See Retention. One thread that the saver fails at does not hold up the others."""
        swept = await self._inner.sweep(order)
        for thread_id in swept.gone:
            await _delete(self._saver, thread_id)
        for thread_id in swept.pruned:
            await self._prune(thread_id)
        return swept

    async def keep_latest(self, thread_id: str, *, visible: Filter = EVERYTHING) -> None:
        """See Retention. Raises InvalidInputError where the saver cannot prune."""
        await self._inner.keep_latest(thread_id, visible=visible)
        try:
            await self._saver.aprune([thread_id])
        except NotImplementedError:
            raise InvalidInputError(_no_prune(self._saver)) from None

    async def scrub(self) -> None:
        """See Retention."""
        await self._inner.scrub()

    async def _prune(self, thread_id: str) -> None:
        try:
            await self._saver.aprune([thread_id])
        except NotImplementedError:
            if not self._is_told:
                logger.warning("checkpoints not pruned", extra={"reason": _no_prune(self._saver)})
                self._is_told = True
        except Exception:
            logger.exception("checkpoints not pruned", extra={"thread_id": thread_id})


async def _delete(saver: "BaseCheckpointSaver[Any]", thread_id: str) -> None:
    """For a thread that is gone already: there is nobody to tell but the log."""
    try:
        await saver.adelete_thread(thread_id)
    except Exception:
        logger.exception("checkpoints not deleted", extra={"thread_id": thread_id})


def _no_prune(saver: object) -> str:
    return f"threads.path: {type(saver).__name__} cannot keep only the latest checkpoints, it has no aprune"
