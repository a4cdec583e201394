"""A run of another process that is read in this one."""

import asyncio
from dataclasses import dataclass, field

from longline.models.events import BEGINNING, EventId


@dataclass(slots=True)
class Followed:
    """How far a run was read, and what is to be looked at next."""

    run_id: str
    thread_id: str
    after: EventId
    is_kept: bool
    turn: int = 0
    """The thread's turn of what was told last."""
    joined_after: EventId = BEGINNING
    """What was said up to here is for readers of the thread alone: those of the run came later."""
    wants_end: bool = False
    is_stale: bool = False
    is_expected: bool = False
    """It is about to be created: that it is not there does not mean that it is gone."""
    looking: "asyncio.Task[None] | None" = field(default=None, compare=False)
