"""Run events: what a run says while it runs, in an order that holds across attempts, restarts and runs of a thread."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from longline.models.json import JsonBytes
from longline.models.runs import Lease, RunStatus
from longline.models.threads import RunFailure

_LONGEST_ID = 40
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class EventId(NamedTuple):
    """The place of an event in its run: strictly increasing, so a second attempt never reuses an id."""

    attempt: int
    seq: int

    def __str__(self) -> str:
        return f"{self.attempt}-{self.seq}"


BEGINNING = EventId(0, 0)
"""Before every event: attempts and sequence numbers start at 1."""


class ThreadPlace(NamedTuple):
    """A place in the order of a thread: strictly increasing over all of its runs and their attempts."""

    turn: int
    seq: int


THREAD_BEGINNING = ThreadPlace(0, 0)
"""Before everything on a thread: turns start at 1."""
END_OF_TURN = 2**31 - 1
"""The number of what ends a turn: after all of its events."""


def parse_event_id(text: str) -> EventId | None:
    """The id in `attempt-seq` spelling (digits only), or None for anything else."""
    attempt, dash, seq = text.partition("-")
    if (
        dash
        and attempt.isascii()
        and attempt.isdigit()
        and seq.isascii()
        and seq.isdigit()
        and len(text) <= _LONGEST_ID
    ):
        return EventId(int(attempt), int(seq))
    return None


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One event. `mode` is the event's name (`values`, `messages/partial`, …), `namespace` the path of its subgraph.

    `turn` is the thread's turn that the attempt took (0 where an event was read by its run), `at_ms` when it was said,
    in milliseconds since 1970.
    """

    run_id: str
    attempt: int
    seq: int
    mode: str
    namespace: tuple[str, ...]
    data: JsonBytes
    turn: int = field(default=0, compare=False)
    at_ms: int = field(default=0, compare=False)

    @property
    def event_id(self) -> EventId:
        """Where it stands in its run."""
        return EventId(self.attempt, self.seq)

    @property
    def place(self) -> ThreadPlace:
        """Where it stands on its thread."""
        return ThreadPlace(self.turn, self.seq)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnding:
    """A run of a thread has ended, and that is stored. `status` None: the run is gone (deleted, or rolled back)."""

    run_id: str
    turn: int
    status: RunStatus | None
    failure: RunFailure | None = None
    at_ms: int = field(default=0, compare=False)
    is_behind: bool = field(default=False, compare=False)
    """The run never started, and another one of an earlier turn was under way when it ended: readers of the thread are
    told once that has ended."""

    @property
    def place(self) -> ThreadPlace:
        """Where it stands on its thread: after all that its last attempt said."""
        return ThreadPlace(self.turn, END_OF_TURN)


def milliseconds_of(moment: datetime) -> int:
    """Whole milliseconds since 1970."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


KeptEntry = RunEvent | RunEnding
"""What the log gives back of a thread."""


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Events of one attempt, in order, with the lease that allows to write them."""

    lease: Lease
    events: tuple[RunEvent, ...]
