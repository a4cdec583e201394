"""Live fan-out inside one process: what runs say, as it happens, to whoever reads them, or their thread, here."""

import asyncio
from collections import deque
from collections.abc import Sequence, Sized
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from longline.models.events import BEGINNING, END_OF_TURN, EventId, RunEnding, RunEvent, ThreadPlace
from longline.models.json import JsonBytes
from longline.models.runs import RunStatus
from longline.models.threads import RunFailure

if TYPE_CHECKING:
    from langgraph.types import StateSnapshot

R = TypeVar("R")

_BACKLOG_EVENTS = 20_000  # far more than a reader that is alive falls behind
_BACKLOG_BYTES = 32 * 1024 * 1024
_ENTRY_BYTES: Final = 400
"""What an event costs beside its data, about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """How a run ended: what a waiter gets. `status` None: the run is gone (deleted, or rolled back)."""

    status: RunStatus | None
    result: JsonBytes | None = None
    failure: RunFailure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StateUpdated:
    """The state of a thread was updated from outside. Live only: no log keeps it."""

    turn: int
    state: "StateSnapshot"

    @property
    def place(self) -> ThreadPlace:
        """Where it stands on its thread: an update has a turn of its own."""
        return ThreadPlace(self.turn, END_OF_TURN)


ThreadEntry = RunEvent | RunEnding | StateUpdated
"""What happens on a thread."""


class LiveReader:
    """One reader's backlog. Filled by the hub, emptied by `take`."""

    def __init__(self) -> None:
        self._events: deque[RunEvent] = deque()
        self._bytes = 0
        self._ready = asyncio.Event()
        self.end: RunEnd | None = None
        self.has_overflowed = False
        self.before_overflow = BEGINNING
        """The place before the first event that was dropped."""

    def put(self, events: Sequence[RunEvent]) -> None:
        """Add events. Beyond the bound, in events or in bytes, the backlog is dropped and `has_overflowed` says so."""
        size = _size(events)
        if _is_too_much(self._events, len(events), self._bytes + size):
            if not self.has_overflowed:
                first = self._events[0] if self._events else events[0]
                self.before_overflow = EventId(first.attempt, first.seq - 1)
            self._events.clear()
            self._bytes = 0
            self.has_overflowed = True
        else:
            self._events.extend(events)
            self._bytes += size
        self._ready.set()

    def close(self, end: RunEnd) -> None:
        """No more events will come."""
        self.end = end
        self._ready.set()

    async def wait(self, timeout: float) -> bool:  # noqa: ASYNC109  # False is an answer here
        """Whether something came (events, an overflow or the end) within `timeout` seconds."""
        return await _wait(self._ready, timeout)

    def take(self) -> list[RunEvent]:
        """Everything that has come so far."""
        taken = list(self._events)
        self._events.clear()
        self._bytes = 0
        if self.end is None:
            self._ready.clear()
        return taken


class ThreadLiveReader:
    """One reader's backlog of a thread."""

    def __init__(self) -> None:
        self._entries: deque[ThreadEntry] = deque()
        self._bytes = 0
        self._ready = asyncio.Event()
        self.is_closed = False
        """The thread is gone: nothing more will come."""
        self.has_overflowed = False
        self.has_unkept = False
        """Whether something came since the last `take` that no log keeps."""
        self.before_overflow: ThreadPlace | None = None
        """The place before the first entry that was dropped."""

    def put(self, entries: Sequence[ThreadEntry], *, is_kept: bool) -> None:
        """Add entries. Beyond the bound, in number or in bytes, the backlog is dropped and `has_overflowed` says so."""
        size = sum(_entry_size(entry) for entry in entries)
        self.has_unkept = self.has_unkept or not is_kept
        if _is_too_much(self._entries, len(entries), self._bytes + size) and not all(map(_is_behind, entries)):
            if not self.has_overflowed:
                turn, seq = min(entry.place for entry in (*self._entries, *entries))
                self.before_overflow = ThreadPlace(turn, seq - 1)
            self._entries.clear()
            self._bytes = 0
            self.has_overflowed = True
        else:
            self._entries.extend(entries)
            self._bytes += size
        self._ready.set()

    def close(self) -> None:
        """The thread is gone."""
        self.is_closed = True
        self._ready.set()

    async def wait(self, timeout: float) -> bool:  # noqa: ASYNC109  # False is an answer here
        """Whether something came (entries, an overflow or the end) within `timeout` seconds."""
        return await _wait(self._ready, timeout)

    def take(self) -> list[ThreadEntry]:
        """Everything that has come so far."""
        taken = list(self._entries)
        self._entries.clear()
        self._bytes = 0
        self.has_unkept = False
        if not self.is_closed:
            self._ready.clear()
        return taken


class EventHub:
    """Readers by run id and by thread id. Readers of the end alone get no events: nothing is encoded for them."""

    def __init__(self) -> None:
        self._readers: dict[str, set[LiveReader]] = {}
        self._waiters: dict[str, set[LiveReader]] = {}
        self._threads: dict[str, set[ThreadLiveReader]] = {}

    def attach(self, run_id: str, *, only_end: bool = False) -> LiveReader:
        """A reader that gets everything from now on, or only the end."""
        reader = LiveReader()
        (self._waiters if only_end else self._readers).setdefault(run_id, set()).add(reader)
        return reader

    def detach(self, run_id: str, reader: LiveReader) -> None:
        """The reader gets nothing more."""
        _discard(self._readers, run_id, reader)
        _discard(self._waiters, run_id, reader)

    def attach_thread(self, thread_id: str) -> ThreadLiveReader:
        """A reader that gets everything that happens on a thread from now on."""
        reader = ThreadLiveReader()
        self._threads.setdefault(thread_id, set()).add(reader)
        return reader

    def detach_thread(self, thread_id: str, reader: ThreadLiveReader) -> None:
        """The reader gets nothing more."""
        _discard(self._threads, thread_id, reader)

    def has_readers(self, run_id: str, thread_id: str = "") -> bool:
        """Whether somebody reads this run here, or the thread that it is on."""
        return run_id in self._readers or thread_id in self._threads

    def is_awaited(self, run_id: str, thread_id: str = "") -> bool:
        """As `has_readers`; who waits for the run's end counts too."""
        return run_id in self._waiters or self.has_readers(run_id, thread_id)

    def publish(self, run_id: str, events: Sequence[RunEvent], *, thread_id: str = "", is_kept: bool = False) -> None:
        """Hand events to the readers of their run and of its thread. `is_kept`: the log has them already."""
        for reader in self._readers.get(run_id, ()):
            reader.put(events)
        for listener in self._threads.get(thread_id, ()):
            listener.put(events, is_kept=is_kept)

    def publish_update(self, thread_id: str, update: StateUpdated) -> None:
        """Tell the readers of a thread that its state was updated."""
        for reader in self._threads.get(thread_id, ()):
            reader.put([update], is_kept=False)

    def tell_end(self, thread_id: str, end: RunEnd, ending: RunEnding, *, is_kept: bool) -> None:
        """Tell the readers of a run, and those of its thread, that it has ended."""
        self.close(ending.run_id, end)
        self.tell_thread(thread_id, ending, is_kept=is_kept)

    def close(self, run_id: str, end: RunEnd) -> None:
        """Tell the readers of a run that it has ended, and forget them."""
        for readers in (self._readers, self._waiters):
            for reader in readers.pop(run_id, ()):
                reader.close(end)

    def tell_thread(self, thread_id: str, ending: RunEnding, *, is_kept: bool) -> None:
        """Tell the readers of a thread that a run on it has ended. A run that never had a turn has nothing to end."""
        if ending.turn > 0:
            for reader in self._threads.get(thread_id, ()):
                reader.put([ending], is_kept=is_kept)

    def close_gone(self, thread_id: str, run_ids: Sequence[str]) -> None:
        """A thread is gone, with these unfinished runs on it."""
        for run_id in run_ids:
            self.close(run_id, RunEnd(status=None))
        self.close_thread(thread_id)

    def close_thread(self, thread_id: str) -> None:
        """Tell the readers of a thread that it is gone, and forget them."""
        for reader in self._threads.pop(thread_id, ()):
            reader.close()


def _discard(readers: dict[str, set[R]], key: str, reader: R) -> None:
    known = readers.get(key)
    if known is not None:
        known.discard(reader)
        if not known:
            del readers[key]


async def _wait(ready: asyncio.Event, seconds: float) -> bool:
    if ready.is_set():
        return True
    try:
        async with asyncio.timeout(seconds):
            await ready.wait()
    except TimeoutError:
        return False
    return True


def _is_too_much(waiting: Sized, more: int, size: int) -> bool:
    """Beyond a bound. One that is too large by itself is taken where nothing waits: it has to get through."""
    return len(waiting) + more > _BACKLOG_EVENTS or (len(waiting) > 0 and size > _BACKLOG_BYTES)


def _is_behind(entry: ThreadEntry) -> bool:
    """It says nothing of the place where the others are, and is small."""
    return isinstance(entry, RunEnding) and entry.is_behind


def _size(events: Sequence[RunEvent]) -> int:
    return sum(len(event.data) + _ENTRY_BYTES for event in events)


def _entry_size(entry: ThreadEntry) -> int:
    return _ENTRY_BYTES + (len(entry.data) if isinstance(entry, RunEvent) else 0)
