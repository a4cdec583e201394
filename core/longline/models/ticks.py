"""Ticks: the moments at which a cron makes a run."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CronTick:
    """One tick of a cron on its way to become a run, and when the cron is due after it (None: never)."""

    cron_id: str
    tick: datetime
    next_tick: datetime | None
    cron_updated_at: datetime | None = None
    """When the cron was last changed, as far as is known to who makes the run. None: that does not matter."""
