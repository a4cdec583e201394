"""What the processes that share a storage leave there for each other's readers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from longline.models.events import EventBatch, EventId, RunEnding, RunEvent
from longline.models.json import JsonBytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayedEnd:
    """How a run ended. `ending.status` None: it is gone (deleted, or rolled back)."""

    thread_id: str
    ending: RunEnding
    result: JsonBytes | None
    is_kept: bool
    is_of_thread: bool = False
    """The run left no end of its own: `result` is what its thread holds now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedRun:
    """An unfinished run that is followed from elsewhere, and the newest event that it has stored."""

    run_id: str
    last: EventId
    is_kept: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedThread:
    """A thread that is followed from elsewhere: its newest turn, and its unfinished runs, oldest first."""

    turn: int
    unfinished: Sequence[FollowedRun]


@dataclass(frozen=True, slots=True, kw_only=True)
class BegunRun:
    """A run that took a turn of its thread, whether it has ended or not."""

    run_id: str
    thread_id: str
    turn: int
    is_kept: bool


class RelayStore(Protocol):
    """Runs and threads that are read in another process than the one that executes. Only a shared storage has this.

    `watch_run` and `watch_thread` say who reads; whoever claims a run learns of it (`Run.watched`), and whoever ends
    one (`Finished.is_watched`). What is relayed stays for a while after its run, whatever happens to that.
    """

    async def watch_run(self, run_id: str, owner: str) -> FollowedRun | None:
        """The process `owner` reads the run from now on: its end will be kept for it. None if it has ended or is gone:
        then nothing is noted."""
        ...

    async def watch_thread(self, thread_id: str, owner: str, *, seconds: float) -> FollowedThread | None:
        """The process `owner` reads the thread, for so long unless it says so again. None if there is no such thread
        (yet): then nothing is noted."""
        ...

    async def begun(self, after: Mapping[str, int]) -> Sequence[BegunRun]:
        """The runs of threads that took a turn after the given one of their thread, in the order of turns; watched ones
        that are gone too."""
        ...

    async def append(self, batches: Sequence[EventBatch]) -> frozenset[str]:
        """As EventLog.append, for events that the log does not keep."""
        ...

    async def read(self, run_id: str, *, after: EventId, limit: int) -> Sequence[RunEvent]:
        """Events of a run after an id, in order, with their turn: those that the log keeps and those that were
        relayed. May give fewer than `limit` where events are large, and gives at least one if there is one."""
        ...

    async def ends(self, run_ids: Sequence[str]) -> Mapping[str, RelayedEnd | None]:
        """The ends of those runs that have ended: what they left here, else what their rows and threads say; None for
        those that are gone without a trace. Unfinished ones are left out."""
        ...

    async def forget(self, *, older_than_seconds: float) -> int:
        """Remove what was relayed so long ago; how many rows."""
        ...
