"""Runs: one execution of an assistant on a thread. The row is the queue."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from longline.models.chains import ChainHead
from longline.models.collections import NewDocument
from longline.models.filters import EVERYTHING, Filter
from longline.models.json import JsonBytes, JsonObject, JsonValue
from longline.models.threads import NewThread, RunFailure, ThreadState
from longline.models.ticks import CronTick


class RunStatus(StrEnum):
    """`pending → running → success | error | timeout | interrupted`; the last four are terminal."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCESS = "success"
    ERROR = "error"
    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"

    @property
    def is_terminal(self) -> bool:
        """Whether a run of this status has ended for good."""
        return self not in (RunStatus.PENDING, RunStatus.RUNNING)


MultitaskStrategy = Literal["reject", "enqueue", "interrupt", "rollback"]
Durability = Literal["sync", "async", "exit"]
CancelAction = Literal["interrupt", "rollback"]
NodeNames = Literal["*"] | list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """What to execute, complete and merged: the config is in here with secrets sealed, nothing is looked up later."""

    graph_id: str
    input: JsonValue = None
    command: JsonObject | None = None
    config: JsonObject
    context: JsonObject | None = None
    stream_modes: tuple[str, ...] = ("values",)
    subgraphs: bool = False
    resumable: bool = False
    interrupt_before: NodeNames | None = None
    interrupt_after: NodeNames | None = None
    durability: Durability = "async"
    temporary: bool = False
    """The thread exists for this run only: it is deleted at the end, and no checkpoint is written."""
    webhook: str | None = None
    feedback_keys: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to write for one attempt of a run. `attempt` is the fencing token: a later one shuts out this one."""

    run_id: str
    thread_id: str
    attempt: int
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequest:
    """How a run is to be cancelled, and the reason that its thread will show."""

    action: CancelAction
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as stored. `not_before` is when it may start, `attempt` how often it was claimed (0: never), `released` how
    often an attempt handed it back in good order."""

    run_id: str
    thread_id: str
    assistant_id: str
    metadata: JsonObject
    status: RunStatus
    spec: RunSpec
    multitask_strategy: MultitaskStrategy
    created_at: datetime
    updated_at: datetime
    not_before: datetime
    attempt: int
    lease_owner: str | None
    released: int = 0
    cancel: CancelRequest | None = None
    failure: RunFailure | None = None
    turn: int = 0
    """The turn that the present attempt took on the thread, or its end if it never started; 0: none yet."""
    watched: bool = False
    """When it was claimed, another process than the claiming one was reading it, or its thread."""
    token: str | None = field(default=None, repr=False)
    """See NewRun. None: its caller showed none, or it has ended."""
    chain_id: str | None = None
    """See NewRun."""
    verdict: str | None = None
    """See RunOutcome."""

    @property
    def lease(self) -> Lease:
        """The lease of the present attempt; only meaningful to who claimed it."""
        return Lease(run_id=self.run_id, thread_id=self.thread_id, attempt=self.attempt, owner=self.lease_owner or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run to put on the queue. `thread` says what to do where the thread is missing: create it, or (None) refuse."""

    run_id: str
    thread_id: str
    assistant_id: str
    metadata: JsonObject
    spec: RunSpec
    multitask_strategy: MultitaskStrategy
    created_at: datetime
    not_before: datetime
    thread: NewThread | None = None
    thread_metadata: JsonObject
    """Merged into the thread's metadata: which graph and assistant it belongs to."""
    tick: CronTick | None = None
    """The tick of a cron that this run is: it becomes a run once."""
    watched_by: str | None = None
    """The process that will read the run wherever it is executed; see RelayStore."""
    token: str | None = field(default=None, repr=False)
    """The token that its caller showed, sealed: nothing but who executes the run makes sense of the text."""
    chain_id: str | None = None
    """The first of the runs that are one piece of work together, perhaps this one; None: it belongs to none."""
    follows: ChainHead | None = None
    """The run of its chain that it goes on from, which must still be the newest one of the thread: what it left is what
    there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Who wants runs, and for how long a lease lasts without a heartbeat."""

    owner: str
    lease_seconds: float
    takes_over: bool = True
    """Whether leases that ran out are wanted too. Not while their owners may have been kept from renewing them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Displacement:
    """What a new run does to unfinished ones on its thread."""

    run_ids: tuple[str, ...] = ()
    request: CancelRequest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelledRun:
    """A run that a cancel reached: `ended` at once (it was pending), or its worker is still to be told."""

    run_id: str
    thread_id: str
    request: CancelRequest
    ended: bool
    turn: int = 0
    """The turn of a run that ended at once and is still there."""
    is_kept: bool = False
    """Whether the log keeps the run's events and its end."""
    at_ms: int = 0
    """When it was cancelled, in milliseconds since 1970."""
    is_behind: bool = False
    """See RunEnding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """A run that is on the queue, perhaps already claimed, and the runs it displaced."""

    run: Run
    displaced: tuple[CancelledRun, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """How an attempt ended, and the state its thread is left in."""

    status: RunStatus
    state: ThreadState
    keep_values: bool = False
    """Keep the thread's stored values and interrupts: `state` does not know them."""
    erase: bool = False
    """A rollback: the row and the run's checkpoints go, the thread's values become those of its latest checkpoint."""
    failure: RunFailure | None = None
    records: tuple[NewDocument, ...] = ()
    """Documents to store with the end: all of them if it is stored, none if it is not."""
    result: JsonBytes | None = None
    """What a waiter gets, for those in other processes."""
    verdict: str | None = None
    """A word for how the run ended that is finer than its status, from who asked for it; runs are found by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A run's end is stored. `gone` are the other unfinished runs that went with its temporary thread."""

    gone: Sequence[str] = ()
    is_watched: bool = False
    """Other processes read the run, or its thread: they are to be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseState:
    """What a heartbeat learned of one lease: `held` False means stop, `cancel` that somebody asked for it."""

    run_id: str
    attempt: int
    held: bool
    cancel: CancelRequest | None = None
    watched: bool = False
    """Another process reads the run, or its thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlace:
    """Where a run stands in the order by `updated_at`."""

    updated_at: datetime
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQuery:
    """Which runs; newest first by `sort_by`, ties by id. An empty `statuses` or `verdicts` means any."""

    thread_id: str | None = None
    thread_ids: Sequence[str] | None = None
    run_ids: Sequence[str] | None = None
    statuses: tuple[RunStatus, ...] = ()
    verdicts: tuple[str | None, ...] = ()
    """None among them: runs without one."""
    assistant_id: str | None = None
    chain_id: str | None = None
    only_heads: bool = False
    """Only the newest run of each chain."""
    updated_since: datetime | None = None
    """Not those that were updated before."""
    visible: Filter = EVERYTHING
    """What the metadata of a run's thread must fulfil."""
    after: RunPlace | None = None
    """Only what comes behind this place, in the order by `updated_at`."""
    sort_by: Literal["created_at", "updated_at", "position"] = "created_at"
    """`position` is the order in which runs were put on the queue; on one thread no clock can change it."""
    limit: int = 10
    offset: int = 0
