"""What this process appended to the event log a moment ago: a database that crashes may have lost it."""

import time
from collections.abc import Sequence
from typing import Final

from longline.models.events import EventBatch, RunEvent
from longline.models.runs import Lease

_SECONDS: Final = 2.0
_MOST_BYTES: Final = 16 * 1024 * 1024


class RecentEvents:
    """Of each attempt: the events that were appended, and may not be on disk yet."""

    def __init__(self) -> None:
        self._attempts: dict[Lease, list[RunEvent]] = {}
        self._bytes = 0
        self._since: float | None = None

    @property
    def is_large(self) -> bool:
        """Whether it is time for a commit that is durable, with all that went before it: after it nothing of that has
        to be remembered."""
        return self._since is not None and (self._bytes > _MOST_BYTES or time.monotonic() - self._since > _SECONDS)

    def newest(self, lease: Lease) -> int:
        """The number of the newest of them; 0 if there is none."""
        return max((event.seq for event in self._attempts.get(lease, ())), default=0)

    def missing(self, lease: Lease, newest_seq: int) -> Sequence[RunEvent]:
        """Those of them that come after one."""
        return [event for event in self._attempts.get(lease, ()) if event.seq > newest_seq]

    def others(self, batches: Sequence[EventBatch]) -> list[Lease]:
        """The attempts that are remembered beside these."""
        given = {batch.lease for batch in batches}
        return [lease for lease in self._attempts if lease not in given]

    def remember(self, batch: EventBatch) -> None:
        """It was appended, and may be lost yet."""
        self._attempts.setdefault(batch.lease, []).extend(batch.events)
        self._bytes += sum(len(event.data) for event in batch.events)
        if self._since is None:
            self._since = time.monotonic()

    def forget(self, lease: Lease) -> None:
        """What the attempt appended is on disk, or its lease is lost."""
        self._bytes -= sum(len(event.data) for event in self._attempts.pop(lease, ()))
        if not self._attempts:
            self._since = None
