"""Threads: one conversation, its latest values and what it waits for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from longline.models.filters import EVERYTHING, Filter
from longline.models.json import JsonBytes, JsonObject
from longline.models.pages import SortOrder


class ThreadStatus(StrEnum):
    """`busy` from the moment a run is created until none is unfinished, then what the last run left behind."""

    IDLE = "idle"
    BUSY = "busy"
    INTERRUPTED = "interrupted"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFailure:
    """Why a run did not succeed: the class of the error and its message, without a traceback."""

    error: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadState:
    """What the last run or state update left. `values` and `interrupts` are encoded JSON (None: null, not there)."""

    status: ThreadStatus
    values: JsonBytes | None = None
    interrupts: JsonBytes | None = None
    error: RunFailure | None = None


PruneStrategy = Literal["delete", "keep_latest"]
"""What goes: the thread with all that is on it, or only what its latest checkpoints do not need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadTtl:
    """How long a thread stays as it is after its last activity, and what happens then."""

    minutes: float
    strategy: PruneStrategy = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A thread as stored. `interrupts` maps task ids to their interrupts; `has_run` tells whether a run ever ended."""

    thread_id: str
    created_at: datetime
    updated_at: datetime
    state_updated_at: datetime
    metadata: JsonObject
    status: ThreadStatus
    values: JsonBytes | None
    interrupts: JsonBytes | None
    error: RunFailure | None
    has_run: bool
    ttl: ThreadTtl | None = None

    @property
    def expires_at(self) -> datetime | None:
        """When its time is up if nothing happens on it before; None if it stays."""
        return None if self.ttl is None else self.updated_at + timedelta(minutes=self.ttl.minutes)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewThread:
    """A thread to create: empty, idle."""

    thread_id: str
    metadata: JsonObject
    created_at: datetime
    ttl: ThreadTtl | None = None


ThreadSort = Literal["thread_id", "status", "created_at", "updated_at", "state_updated_at"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadQuery:
    """Which threads, in which order. `values` is containment in the latest values. Ties are ordered by id."""

    visible: Filter = EVERYTHING
    metadata: Filter = EVERYTHING
    values: Filter = EVERYTHING
    status: ThreadStatus | None = None
    thread_ids: Sequence[str] | None = None
    limit: int = 10
    offset: int = 0
    sort_by: ThreadSort = "created_at"
    sort_order: SortOrder = "desc"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelFootprint:
    """What the values of one channel take: one value for every version of it."""

    versions: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadFootprint:
    """What a thread's history takes, as it is serialised: checkpoints without their values, values, pending writes."""

    checkpoint_count: int
    checkpoint_bytes: int
    write_count: int
    write_bytes: int
    channels: Mapping[str, ChannelFootprint]
