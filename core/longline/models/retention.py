"""What is past its time, and how much of it goes at once."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepOrder:
    """One batch of a sweep: what was due at `at`. Kept streams go with the runs that ended before `streams_before`
    (None: they stay). A batch looks at no more than `most_threads` threads and removes about `most_rows` rows."""

    at: datetime
    streams_before: datetime | None = None
    most_threads: int = 100
    most_rows: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What one batch did. `gone` are the threads that were deleted, `pruned` those that kept only their latest
    checkpoints; `is_done` means that nothing was due any more."""

    gone: tuple[str, ...] = ()
    pruned: tuple[str, ...] = ()
    rows: int = 0
    items: int = 0
    is_done: bool = True

    @property
    def threads_deleted(self) -> int:
        """How many threads were deleted."""
        return len(self.gone)

    @property
    def threads_pruned(self) -> int:
        """How many threads kept only their latest checkpoints."""
        return len(self.pruned)

    def __add__(self, other: "Swept") -> "Swept":
        return Swept(
            gone=self.gone + other.gone,
            pruned=self.pruned + other.pruned,
            rows=self.rows + other.rows,
            items=self.items + other.items,
            is_done=self.is_done and other.is_done,
        )
