"""Live fan-out inside one process: each run's events, as they happen, to whoever reads them here."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from longline.models.events import BEGINNING, EventId, RunEvent
from longline.models.json import JsonBytes
from longline.models.runs import RunStatus
from longline.models.threads import RunFailure

_BACKLOG_EVENTS = 20_000  # about 20 MB of token events: far more than a reader that is alive falls behind


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """How a run ended: what a waiter gets. `status` None: the run is gone (deleted, or rolled back)."""

    status: RunStatus | None
    result: JsonBytes | None = None
    failure: RunFailure | None = None


class LiveReader:
    """One reader's backlog. Filled by the hub, emptied by `take`."""

    def __init__(self) -> None:
        self._events: deque[RunEvent] = deque()
        self._ready = asyncio.Event()
        self.end: RunEnd | None = None
        self.has_overflowed = False
        self.before_overflow = BEGINNING
        """The place before the first event that was dropped."""

    def put(self, events: Sequence[RunEvent]) -> None:
        """Add events. Beyond the bound the backlog is dropped and `has_overflowed` says so."""
        if len(self._events) + len(events) > _BACKLOG_EVENTS:
            if not self.has_overflowed:
                first = self._events[0] if self._events else events[0]
                self.before_overflow = EventId(first.attempt, first.seq - 1)
            self._events.clear()
            self.has_overflowed = True
        else:
            self._events.extend(events)
        self._ready.set()

    def close(self, end: RunEnd) -> None:
        """No more events will come."""
        self.end = end
        self._ready.set()

    async def wait(self, timeout: float) -> bool:  # noqa: ASYNC109  # False is an answer here
        """Whether something came (events, an overflow or the end) within `timeout` seconds."""
        if self._ready.is_set():
            return True
        try:
            async with asyncio.timeout(timeout):
                await self._ready.wait()
        except TimeoutError:
            return False
        return True

    def take(self) -> list[RunEvent]:
        """Everything that has come so far."""
        taken = list(self._events)
        self._events.clear()
        if self.end is None:
            self._ready.clear()
        return taken


class EventHub:
    """Readers by run id."""

    def __init__(self) -> None:
        self._readers: dict[str, set[LiveReader]] = {}

    def attach(self, run_id: str) -> LiveReader:
        """A reader that gets everything from now on."""
        reader = LiveReader()
        self._readers.setdefault(run_id, set()).add(reader)
        return reader

    def detach(self, run_id: str, reader: LiveReader) -> None:
        """The reader gets nothing more."""
        readers = self._readers.get(run_id)
        if readers is not None:
            readers.discard(reader)
            if not readers:
                del self._readers[run_id]

    def has_readers(self, run_id: str) -> bool:
        """Whether somebody reads this run here."""
        return run_id in self._readers

    def publish(self, run_id: str, events: Sequence[RunEvent]) -> None:
        """Hand events to the readers of their run."""
        for reader in self._readers.get(run_id, ()):
            reader.put(events)

    def close(self, run_id: str, end: RunEnd) -> None:
        """Tell the readers of a run that it has ended, and forget them."""
        for reader in self._readers.pop(run_id, ()):
            reader.close(end)
