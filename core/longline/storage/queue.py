"""Runs on their way: the queue that every storage implements."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from longline.models.chains import ChainHead
from longline.models.filters import EVERYTHING, Filter
from longline.models.runs import (
    Admission,
    CancelledRun,
    CancelRequest,
    Claim,
    Displacement,
    Finished,
    Lease,
    LeaseState,
    NewRun,
    Run,
    RunOutcome,
    RunQuery,
)
from longline.models.threads import RunFailure
from longline.storage.collections import RecordRule, record_nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableRun:
    """A run that could not be claimed because its row cannot be read. Its temporary thread is gone with it, and so are
    `others_gone`, the ids of other unfinished runs there."""

    run_id: str
    thread_id: str
    turn: int
    failure: RunFailure
    is_thread_gone: bool
    others_gone: Sequence[str] = ()


AdmissionRule = Callable[[Sequence[Run]], Displacement]
"""Unfinished runs of a thread, oldest first → what happens to them. Raises ThreadBusyError to refuse the new run."""


class RunQueue(Protocol):
    """Runs: the row is the queue. At most one run of a thread is running; the others wait in order of creation.

    Each claim takes the next turn of its thread, in the same transaction; so does the end of a run that never started.
    Turns of a thread are never used twice, whatever is deleted.

    A run keeps the token that came with it (`NewRun.token`) through every claim and release. Whatever ends the run
    takes it away in the same transaction: no run of a terminal status has one.

    Leases run by the clock of the storage. A lease that ran out may be renewed by its owner as long as nobody has
    claimed the run.
    """

    async def enqueue(
        self,
        new: NewRun,
        *,
        admit: AdmissionRule,
        claim: Claim | None = None,
        visible: Filter = EVERYTHING,
        record: RecordRule = record_nothing,
    ) -> Admission:
        """Put a run on the queue, atomically: find or create its thread, apply `admit`, store the run, mark the
        thread busy, and with `claim` start it (status running, attempt 1) if it is due and next on its thread.
        Displaced pending runs end at once, and what `record` says of each is stored; displaced running ones are
        flagged. With `new.tick` its cron moves on from that tick. Raises NotFoundError if the thread is missing or
        hidden and `new.thread` is None, AlreadyExistsError if the id is taken, the cron is not due at the tick any more
        or was changed since, CronBehindError if the run would wait for others (`enqueue`) and that of an earlier tick
        still waits to start, ChainMovedOnError if the chain or its thread has gone on from `new.follows`, and whatever
        `admit` raises."""
        ...

    async def claim(
        self, claim: Claim, *, limit: int, on_unreadable: Callable[[UnreadableRun], None] | None = None
    ) -> Sequence[Run]:
        """Take up to `limit` runs that are due and next on their threads, oldest first: pending ones, and (with
        `claim.takes_over`) running ones whose lease ran out. Each gets `attempt + 1` and a new lease. Never gives one
        run to two claimers. A run whose row cannot be read ends with an error; `on_unreadable` is told, on the event
        loop, once that is stored."""
        ...

    def keep(self, owner: str, leases: Sequence[Lease], *, lease_seconds: float) -> Sequence[LeaseState]:
        """Renew leases and learn of cancels. Blocking and thread-safe: called from a thread of its own, so that a node
        that blocks the event loop does not lose its run. Raises StorageError."""
        ...

    async def holds(self, lease: Lease) -> bool:
        """Whether the lease stood a moment ago: for writes that cannot be in one transaction with the check."""
        ...

    async def release(self, lease: Lease) -> None:
        """Hand an unfinished run back at once: pending again, its attempt kept, `released` counted. Raises
        LeaseLostError."""
        ...

    async def finish(self, lease: Lease, outcome: RunOutcome, *, at: datetime) -> Finished:
        """End the run, bring its thread up to date and store `outcome.records`, atomically; see RunOutcome. A temporary
        thread is deleted with the run. The thread stays busy while other runs of it are unfinished. In a shared storage
        a watched run leaves its end for RelayStore. Raises LeaseLostError."""
        ...

    async def get(self, thread_id: str, run_id: str) -> Run:
        """The run. Raises NotFoundError, also for a run of another thread."""
        ...

    async def search(self, query: RunQuery) -> Sequence[Run]:
        """The matching runs, newest first."""
        ...

    async def count(self, query: RunQuery) -> int:
        """How many runs match, whatever the query's `after`, `limit` and `offset`."""
        ...

    async def give_up(self, thread_id: str, head: ChainHead, *, at: datetime) -> bool:
        """Make a run that succeeded interrupted, without a verdict: what it waited for will not come. Whether it did:
        not if the chain has gone on from this head."""
        ...

    async def cancel(
        self, run_ids: Sequence[str], request: CancelRequest, *, at: datetime, record: RecordRule = record_nothing
    ) -> Sequence[CancelledRun]:
        """Cancel unfinished runs: a pending one ends (interrupted, or erased) and what `record` says of it is stored, a
        running one is flagged for its worker. Ended and unknown ones are left out of the answer."""
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
