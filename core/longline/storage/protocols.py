"""The storage protocols. A method that promises atomicity does all of its work in one transaction, or none of it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from longline.models.assistants import Assistant, AssistantChange, AssistantQuery
from longline.models.events import EventBatch, EventId, RunEvent
from longline.models.filters import EVERYTHING, Filter
from longline.models.json import JsonObject
from longline.models.pages import Page
from longline.models.runs import (
    Admission,
    CancelledRun,
    CancelRequest,
    Claim,
    Displacement,
    Lease,
    LeaseState,
    NewRun,
    Run,
    RunOutcome,
    RunQuery,
)
from longline.models.threads import NewThread, Thread, ThreadQuery, ThreadState
from longline.storage.capabilities import Capability

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
        """Remove the assistant and all versions. Its runs and threads stay. Raises NotFoundError."""
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
    """Threads. Deleting one deletes its runs, events and checkpoints in the same transaction."""

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
        self, thread_id: str, *, metadata: JsonObject, at: datetime, visible: Filter = EVERYTHING
    ) -> Thread:
        """Merge into the metadata. Raises NotFoundError."""
        ...

    async def set_state(self, thread_id: str, state: ThreadState, *, at: datetime) -> None:
        """Store what a state update left. Raises ThreadBusyError while a run is unfinished, else NotFoundError."""
        ...

    async def copy(self, thread_id: str, new_thread_id: str, *, at: datetime, visible: Filter = EVERYTHING) -> Thread:
        """A new idle thread with the metadata, values and checkpoints of an old one. Raises NotFoundError."""
        ...

    async def delete(self, thread_id: str, *, visible: Filter = EVERYTHING) -> Sequence[str]:
        """Remove the thread with everything on it; the ids of its unfinished runs, running or waiting, oldest first.
        Raises NotFoundError."""
        ...


AdmissionRule = Callable[[Sequence[Run]], Displacement]
"""Unfinished runs of a thread, oldest first → what happens to them. Raises ThreadBusyError to refuse the new run."""


class RunQueue(Protocol):
    """Runs: the row is the queue. At most one run of a thread is running; the others wait in order of creation.

    Leases run by the clock of the storage. A lease that ran out may be renewed by its owner as long as nobody has
    claimed the run.
    """

    async def enqueue(
        self, new: NewRun, *, admit: AdmissionRule, claim: Claim | None = None, visible: Filter = EVERYTHING
    ) -> Admission:
        """Put a run on the queue, atomically: find or create its thread, apply `admit`, store the run, mark the
        thread busy, and with `claim` start it (status running, attempt 1) if it is due and next on its thread.
        Displaced pending runs end at once; displaced running ones are flagged. Raises NotFoundError if the thread is
        missing or hidden and `new.thread` is None, and whatever `admit` raises."""
        ...

    async def claim(self, claim: Claim, *, limit: int) -> Sequence[Run]:
        """Take up to `limit` runs that are due and next on their threads, oldest first: pending ones, and running ones
        whose lease ran out. Each gets `attempt + 1` and a new lease. Never gives one run to two claimers."""
        ...

    def keep(self, owner: str, leases: Sequence[Lease], *, lease_seconds: float) -> Sequence[LeaseState]:
        """Renew leases and learn of cancels. Blocking and thread-safe: called from a thread of its own, so that a node
        that blocks the event loop does not lose its run. Raises StorageError."""
        ...

    async def release(self, lease: Lease) -> None:
        """Hand an unfinished run back at once: pending again, its attempt kept, `released` counted. Raises
        LeaseLostError."""
        ...

    async def finish(self, lease: Lease, outcome: RunOutcome, *, at: datetime) -> None:
        """End the run and bring its thread up to date, atomically; see RunOutcome. A temporary thread is deleted with
        the run. The thread stays busy while other runs of it are unfinished. Raises LeaseLostError."""
        ...

    async def get(self, thread_id: str, run_id: str) -> Run:
        """The run. Raises NotFoundError, also for a run of another thread."""
        ...

    async def search(self, query: RunQuery) -> Sequence[Run]:
        """The matching runs, newest first."""
        ...

    async def cancel(self, run_ids: Sequence[str], request: CancelRequest, *, at: datetime) -> Sequence[CancelledRun]:
        """Cancel unfinished runs: a pending one ends (interrupted, or erased), a running one is flagged for its worker.
        Ended and unknown ones are left out of the answer."""
        ...

    async def delete(self, thread_id: str, run_id: str) -> bool:
        """Remove a run with its events, its checkpoints stay; whether it was running. Raises NotFoundError."""
        ...

    async def next_due(self) -> datetime | None:
        """When the earliest delayed pending run may start, if there is one."""
        ...

    async def count_unfinished(self) -> Mapping[str, int]:
        """How many runs are `pending` and `running`, over all threads."""
        ...


class EventLog(Protocol):
    """Events of resumable runs, kept until their run or thread is deleted."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageFacts:
    """What a person wants to know about an open storage. `place` has no secret in it."""

    kind: str
    place: str


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
    def facts(self) -> StorageFacts:
        """Where it is, for people."""
        ...

    async def checkpointer(self, lease: Lease | None = None) -> "BaseCheckpointSaver[str]":
        """LangGraph's saver. Bound to a lease, each write checks in its own transaction that the lease still stands
        and raises LeaseLostError otherwise. Imports LangGraph at the first call."""
        ...

    async def items(self) -> "BaseStore":
        """LangGraph's store for long-term memory. Imports LangGraph at the first call."""
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
