"""How much there is: figures of a whole storage, for operators. They know no owner."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFigures:
    """The queue at one moment. Only runs that are due wait; unblocked are those that nothing on their thread holds up,
    so that only workers are missing. Without such a run its waits are 0."""

    pending: int = 0
    """All that wait, delayed ones too."""
    running: int = 0
    longest_wait_seconds: float = 0.0
    median_wait_seconds: float = 0.0
    longest_unblocked_wait_seconds: float = 0.0
    median_unblocked_wait_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageCounts:
    """What a storage holds at one moment, over all owners."""

    assistants: int
    threads: int
    runs: int
    items: int
    queue: QueueFigures
