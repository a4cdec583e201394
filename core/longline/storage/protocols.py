"""The storage protocols. A method that promises atomicity does all of its work in one transaction, or none of it."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from longline.models.assistants import Assistant, AssistantChange, AssistantQuery
from longline.models.counts import StorageCounts
from longline.models.events import EventBatch, EventId, KeptEntry, RunEvent, ThreadPlace
from longline.models.filters import EVERYTHING, Filter
from longline.models.json import JsonObject
from longline.models.pages import Page
from longline.models.runs import (
    Lease,
)
from longline.models.threads import NewThread, Thread, ThreadQuery, ThreadState, ThreadTtl
from longline.storage.capabilities import Capability
from longline.storage.collections import CollectionStore
from longline.storage.crons import CronStore
from longline.storage.queue import RunQueue
from longline.storage.relay import RelayStore
from longline.storage.retention import Retention, StateWrites

if TYPE_CHECKING:  # importing LangGraph takes over a second; a server must answer before that
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.store.base import BaseStore


class AssistantStore(Protocol):
    """Assistants and their versions. What `visible` hides looks exactly like what is missing."""

    async def create(self, assistant: Assistant) -> Assistant:
        """Store a new assistant as its first version. Raises AlreadyExistsError if the id is taken."""
        ...

    async def get(self, assistant_id: str, *, visible: Filter = EVERYTHING) -> Assistant:
        """The latest (or chosen) version. Raises NotFoundError."""
        ...

    async def search(self, query: AssistantQuery) -> Page[Assistant]:
        """The matching assistants in the asked order, with the true total."""
        ...

    async def update(
        self, assistant_id: str, change: AssistantChange, *, at: datetime, visible: Filter = EVERYTHING
    ) -> Assistant:
        """Write a new version, numbered after the highest there is, and make it current. Raises NotFoundError."""
        ...

    async def delete(self, assistant_id: str, *, visible: Filter = EVERYTHING) -> None:
        """Remove the assistant with all versions and its crons. Its runs and threads stay. Raises NotFoundError."""
        ...

    async def versions(
        self,
        assistant_id: str,
        *,
        metadata: Filter = EVERYTHING,
        limit: int = 10,
        offset: int = 0,
        visible: Filter = EVERYTHING,
    ) -> Sequence[Assistant]:
        """Versions, newest first; empty if there is no such assistant to see."""
        ...

    async def set_latest(
        self, assistant_id: str, version: int, *, at: datetime, visible: Filter = EVERYTHING
    ) -> Assistant:
        """Make a version current, with all that it held. Raises NotFoundError or VersionNotFoundError."""
        ...


class ThreadStore(Protocol):
    """Threads. Deleting one deletes its runs, events, checkpoints and crons in the same transaction."""

    async def create(self, thread: NewThread) -> Thread:
        """Store an empty idle thread. Raises AlreadyExistsError if the id is taken."""
        ...

    async def get(self, thread_id: str, *, visible: Filter = EVERYTHING) -> Thread:
        """The thread. Raises NotFoundError."""
        ...

    async def search(self, query: ThreadQuery) -> Page[Thread]:
        """The matching threads in the asked order, with the true total."""
        ...

    async def update(
        self,
        thread_id: str,
        *,
        metadata: JsonObject,
        at: datetime,
        ttl: ThreadTtl | None = None,
        visible: Filter = EVERYTHING,
    ) -> Thread:
        """Merge into the metadata, and with `ttl` set how long the thread stays. Raises NotFoundError."""
        ...

    async def set_state(self, thread_id: str, state: ThreadState, *, at: datetime) -> int:
        """Store what a state update left; the turn of the thread that the update took. Raises ThreadBusyError while a
        run is unfinished, else NotFoundError."""
        ...

    async def copy(self, thread_id: str, new_thread_id: str, *, at: datetime, visible: Filter = EVERYTHING) -> Thread:
        """A new idle thread with the metadata, values, checkpoints and time to live of an old one. Raises
        NotFoundError."""
        ...

    async def delete(self, thread_id: str, *, visible: Filter = EVERYTHING) -> Sequence[str]:
        """Remove the thread with everything on it; the ids of its unfinished runs, running or waiting, oldest first.
        Raises NotFoundError."""
        ...


class EventLog(Protocol):
    """Events of resumable runs, kept until their run or thread is deleted. Reading may give fewer than `limit` where
    events are large, and gives at least one if there is one."""

    async def append(self, batches: Sequence[EventBatch]) -> frozenset[str]:
        """Store events of several runs in one transaction; an event that is there already is left as it is. Returns
        the ids of the runs whose lease was lost: nothing of theirs was stored."""
        ...

    async def read(self, run_id: str, *, after: EventId, limit: int) -> Sequence[RunEvent]:
        """Events after an id, in order."""
        ...

    async def last(self, run_id: str) -> EventId:
        """The id of the newest stored event; BEGINNING if there is none."""
        ...

    async def read_thread(self, thread_id: str, *, after: ThreadPlace, limit: int) -> Sequence[KeptEntry]:
        """What is kept of a thread after a place, in the order of its turns: the events of all attempts of its
        resumable runs, and the end of each such run that has ended."""
        ...

    async def turn(self, thread_id: str) -> int:
        """The newest turn that was taken on a thread; 0 if there is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageFacts:
    """What a person wants to know about an open storage. `place` has no secret in it."""

    kind: str
    place: str
    is_shared: bool = False
    """Whether other processes may have the same database open."""


class Storage(Protocol):
    """An open storage."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What this storage can do beyond the contract."""
        ...

    @property
    def assistants(self) -> AssistantStore:
        """Assistants."""
        ...

    @property
    def threads(self) -> ThreadStore:
        """Threads."""
        ...

    @property
    def runs(self) -> RunQueue:
        """Runs, which are the queue."""
        ...

    @property
    def events(self) -> EventLog:
        """The event log."""
        ...

    @property
    def crons(self) -> CronStore:
        """Crons."""
        ...

    @property
    def collections(self) -> CollectionStore:
        """What plugins keep."""
        ...

    @property
    def retention(self) -> Retention:
        """What happens to things past their time."""
        ...

    @property
    def relay(self) -> RelayStore | None:
        """What processes leave for each other's readers; None where one process opens the storage alone."""
        ...

    @property
    def facts(self) -> StorageFacts:
        """Where it is, for people."""
        ...

    async def checkpointer(self, lease: Lease | None = None) -> "BaseCheckpointSaver[str]":
        """LangGraph's saver. Bound to a lease, each write checks in its own transaction that the lease still stands
        and raises LeaseLostError otherwise. Imports LangGraph at the first call."""
        ...

    async def state_writes(self, thread_id: str) -> StateWrites:
        """A state update of a thread, to be stored as one. Imports LangGraph at the first call."""
        ...

    async def items(self) -> "BaseStore":
        """LangGraph's store for long-term memory. Imports LangGraph at the first call."""
        ...

    async def counts(self) -> StorageCounts:
        """How much there is, all of it at one moment. Does not import LangGraph. Raises StorageError."""
        ...

    async def check(self) -> None:
        """Do one small read. Raises StorageError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageBackend:
    """A kind of storage. `connect` migrates, opens and, on leaving, closes; it raises StorageInUseError,
    SchemaTooNewError or StorageError with one sentence that says what to do."""

    schemes: tuple[str, ...]
    connect: Callable[[str], AbstractAsyncContextManager[Storage]]
    migrate: Callable[[str], Awaitable[Sequence[str]]]
    """Bring the schema up to date without serving; the names of the migrations that ran."""
    pending: Callable[[str], Awaitable[Sequence[str]]] | None = None
    """The names of the migrations that `migrate` would run now, in order; changes nothing, and makes nothing that is
    not there yet. Raises as `connect`. None: this kind cannot tell."""
    is_shared: bool = False
    """Whether several processes may have one database open at once. Its storages declare Capability.SHARED then."""
