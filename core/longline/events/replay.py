"""Reading a run, or a thread: stored events first, then live ones, without a gap or a double."""

import asyncio
import contextlib
from bisect import insort
from collections.abc import Sequence
from itertools import takewhile
from types import TracebackType
from typing import Self

from longline.errors import SlowSubscriberError
from longline.events.hub import EventHub, LiveReader, RunEnd, ThreadEntry
from longline.models.events import END_OF_TURN, THREAD_BEGINNING, EventId, RunEnding, RunEvent, ThreadPlace
from longline.storage.protocols import EventLog

_PAGE_EVENTS = 500


class RunReader:
    """One reader of one run. Attached before the run's state is looked at, so that nothing slips between.

    `after` None reads live events only; an id replays what the log holds after it. Events are committed before they are
    live, so a live event that the log already gave is recognised by its id and dropped. With `only_end` there are no
    events, only `wait_for_end`: a run that nobody else reads has nothing to encode then.
    """

    def __init__(
        self, hub: EventHub, log: EventLog, run_id: str, *, after: EventId | None, only_end: bool = False
    ) -> None:
        self._hub = hub
        self._log = log
        self._run_id = run_id
        self._live: LiveReader = hub.attach(run_id, only_end=only_end)
        self._after = after
        self._is_replaying = after is not None
        self._is_kept = False
        self._held: list[RunEvent] = []
        """Live events that come after others which the log must tell first."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def end(self) -> RunEnd | None:
        """How the run ended; known once `read` has returned an empty list."""
        return self._live.end

    def expect_kept(self) -> None:
        """The run's events are in the log: after falling behind, go on from there."""
        self._is_kept = True

    def finish(self, end: RunEnd) -> None:
        """The run had ended before anybody attached: after the replay there is nothing to wait for."""
        self._live.close(end)

    def close(self) -> None:
        """Detach. Idempotent."""
        self._hub.detach(self._run_id, self._live)

    async def read(self, timeout: float) -> Sequence[RunEvent] | None:  # noqa: ASYNC109  # None is an answer here
        """The next events, at least one; an empty list once the run has ended and all is read; None if nothing came
        within `timeout` seconds. Raises SlowSubscriberError for a reader that cannot catch up."""
        while True:
            if self._is_replaying and (known := await self._read_log()):
                return known
            if not await self._live.wait(timeout):
                return None
            if self._live.has_overflowed:
                self._recover()
                continue
            taken = self._live.take()
            if self._is_kept and self._skips(taken):
                if self._after is None:
                    self._after = EventId(taken[0].attempt, taken[0].seq - 1)
                self._held, self._is_replaying = taken, True
                continue
            fresh = self._fresh(taken)
            if fresh:
                return fresh
            if self._live.end is not None:
                return []

    async def wait_for_end(self, timeout: float) -> RunEnd | None:  # noqa: ASYNC109  # None is an answer here
        """How the run ended, or None if it has not within `timeout` seconds. Events are dropped."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while self._live.end is None:
                    await self._live.wait(timeout)
                    self._live.take()
        return self._live.end

    async def _read_log(self) -> Sequence[RunEvent]:
        """The next page of the replay; after the last one what was held for it."""
        page = await self._log.read(self._run_id, after=self._after or EventId(0, 0), limit=_PAGE_EVENTS)
        if page:
            self._after = page[-1].event_id
            return page
        self._is_replaying = False
        held, self._held = self._held, []
        return self._fresh(held)

    def _fresh(self, events: list[RunEvent]) -> list[RunEvent]:
        """Those that were not read yet. A run that moves to this process may be told twice: by who followed it, and by
        who executes it."""
        fresh = []
        for event in events:
            if self._after is None or event.event_id > self._after:
                self._after = event.event_id
                fresh.append(event)
        return fresh

    def _skips(self, events: list[RunEvent]) -> bool:
        """Whether there may be others before or between these: the last ones of an attempt elsewhere."""
        last = self._after
        for event in events:
            if last is not None and event.event_id > last and event.event_id != EventId(last.attempt, last.seq + 1):
                return True
            last = event.event_id if last is None else max(last, event.event_id)
        return False

    def _recover(self) -> None:
        if not self._is_kept:
            raise SlowSubscriberError(self._run_id)
        self._live.take()  # what came after the drop is in the log too
        if self._after is None:
            self._after = self._live.before_overflow
        self._live.has_overflowed = False
        self._is_replaying = True


class ThreadReader:
    """One reader of a thread. Attached before the thread's state is looked at, so that nothing slips between.

    `after` None reads live entries only; a place replays what the log keeps after it. Everything that is kept is
    committed before it is live, the end of a run too; entries that were read already are recognised by their place.
    """

    def __init__(self, hub: EventHub, log: EventLog, thread_id: str, *, after: ThreadPlace | None) -> None:
        self._hub = hub
        self._log = log
        self._thread_id = thread_id
        self._live = hub.attach_thread(thread_id)
        self._after = after
        self._is_replaying = after is not None
        self._replayed = THREAD_BEGINNING
        self._has_met_behind = False
        """Whether all that the log has more is behind a run that was under way when the replay came to it."""
        self._behind: list[ThreadEntry] = []
        """What stands behind a run that is under way, in order, until that has ended."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start_after(self, place: ThreadPlace) -> None:
        """Replay from this place after all. Only before the first `read`."""
        self._after = place
        self._is_replaying = True

    def close(self) -> None:
        """Detach. Idempotent."""
        self._hub.detach_thread(self._thread_id, self._live)

    async def wait(self, timeout: float) -> bool:  # noqa: ASYNC109  # False is an answer here
        """Whether something happened, or the thread went, within `timeout` seconds. Only before the first `read`."""
        return await self._live.wait(timeout)

    def forget(self) -> None:
        """Drop what happened so far, the end of the thread too: the reader is attached as if it were new."""
        self.close()
        self._live = self._hub.attach_thread(self._thread_id)

    async def read(self, timeout: float) -> Sequence[ThreadEntry] | None:  # noqa: ASYNC109  # None is an answer here
        """The next entries, at least one; an empty list once the thread is gone; None if nothing came within `timeout`
        seconds. Raises SlowSubscriberError for a reader that cannot catch up."""
        while True:
            if self._is_replaying and not self._live.is_closed:
                if known := await self._read_log():
                    return known
                continue
            if not await self._live.wait(timeout):
                return None
            if self._live.has_overflowed:
                self._recover()
                continue
            fresh = self._fresh(self._live.take())
            if fresh:
                return fresh
            if self._live.is_closed:
                return []

    async def _read_log(self) -> Sequence[ThreadEntry]:
        """What the next page of the replay has to tell; the last one is empty."""
        after = max(self._replayed, self._after or THREAD_BEGINNING)
        page = await self._log.read_thread(self._thread_id, after=after, limit=_PAGE_EVENTS)
        self._is_replaying = bool(page)
        self._replayed = page[-1].place if page else THREAD_BEGINNING
        clear = [] if self._has_met_behind else list(takewhile(lambda entry: not self._is_behind(entry), page))
        self._has_met_behind = len(clear) < len(page)
        fresh = self._fresh(clear)
        for entry in page[len(clear) :]:
            self._hold(entry)
        return fresh

    def _fresh(self, entries: Sequence[ThreadEntry]) -> list[ThreadEntry]:
        fresh: list[ThreadEntry] = []
        for entry in entries:
            if self._is_behind(entry):
                self._hold(entry)
                continue
            while self._behind and self._behind[0].place < entry.place:
                self._add(fresh, self._behind.pop(0))
            is_new = self._add(fresh, entry)
            if is_new and isinstance(entry, RunEnding):  # nothing is under way any more
                while self._behind:
                    self._add(fresh, self._behind.pop(0))
        return fresh

    def _is_behind(self, entry: ThreadEntry) -> bool:
        """Whether something else may come before it: the rest of the run that is under way."""
        if not isinstance(entry, RunEnding) or not entry.is_behind:
            return False
        return self._after is None or self._after < ThreadPlace(entry.turn - 1, END_OF_TURN)

    def _hold(self, entry: ThreadEntry) -> None:
        insort(self._behind, entry, key=lambda waiting: waiting.place)

    def _add(self, fresh: list[ThreadEntry], entry: ThreadEntry) -> bool:
        if self._after is not None and entry.place <= self._after:
            return False
        self._after = entry.place
        fresh.append(entry)
        return True

    def _recover(self) -> None:
        """What was dropped is in the log, if it is kept; else the reader has lost it."""
        if self._live.has_unkept:
            raise SlowSubscriberError(self._thread_id, kind="thread")
        self._live.take()
        if self._after is None:
            self._after = self._live.before_overflow
        self._live.has_overflowed = False
        self._is_replaying = True
