"""Crons: a schedule, and the run that is made at each of its ticks."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from longline.models.filters import EVERYTHING, Filter
from longline.models.json import JsonObject, JsonValue
from longline.models.pages import SortOrder
from longline.models.runs import Durability, MultitaskStrategy, NodeNames


@dataclass(frozen=True, slots=True, kw_only=True)
class CronSpec:
    """What each run of a cron is asked with, secrets sealed. None: its maker did not say."""

    input: JsonValue = None
    metadata: JsonObject | None = None
    config: JsonObject | None = None
    context: JsonObject | None = None
    webhook: str | None = None
    interrupt_before: NodeNames | None = None
    interrupt_after: NodeNames | None = None
    multitask_strategy: MultitaskStrategy | None = None
    stream_modes: tuple[str, ...] | None = None
    subgraphs: bool | None = None
    resumable: bool | None = None
    durability: Durability | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """A cron as stored. Without a thread each run gets one of its own, which `keeps_threads` keeps.

    `next_tick` is when it is due, None if it never is again; a cron that is not enabled keeps it and is not due.
    `creator` is the principal whose runs these are, their secrets sealed.
    """

    cron_id: str
    assistant_id: str
    thread_id: str | None
    schedule: str
    timezone: str | None
    end_at: datetime | None
    enabled: bool
    keeps_threads: bool
    spec: CronSpec
    metadata: JsonObject
    creator: JsonObject
    next_tick: datetime | None
    created_at: datetime
    updated_at: datetime

    @property
    def user_id(self) -> str | None:
        """Who made it; None where authentication is off."""
        identity = self.creator.get("identity")
        return identity if isinstance(identity, str) and identity else None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCron:
    """A cron to create. `assistant` is an assistant's UUID or a graph's id."""

    assistant: str
    schedule: str
    thread_id: str | None = None
    timezone: str | None = None
    end_at: datetime | None = None
    enabled: bool = True
    keeps_threads: bool = False
    spec: CronSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class CronChange:
    """What to change. None keeps the old value, in `spec` too; metadata merges, everything else replaces."""

    schedule: str | None = None
    timezone: str | None = None
    end_at: datetime | None = None
    has_no_end: bool = False
    """Take the end away, which None cannot say."""
    enabled: bool | None = None
    keeps_threads: bool | None = None
    spec: CronSpec = CronSpec()


CronSort = Literal["cron_id", "assistant_id", "thread_id", "next_tick", "end_at", "created_at", "updated_at"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CronQuery:
    """Which crons, in which order. Ties are ordered by id; crons without the value come last in either order."""

    visible: Filter = EVERYTHING
    metadata: Filter = EVERYTHING
    assistant_id: str | None = None
    thread_id: str | None = None
    enabled: bool | None = None
    limit: int = 10
    offset: int = 0
    sort_by: CronSort = "created_at"
    sort_order: SortOrder = "desc"
