"""Reading a run: stored events first, then live ones, without a gap or a double."""

import asyncio
import contextlib
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from longline.errors import SlowSubscriberError
from longline.events.hub import EventHub, LiveReader, RunEnd
from longline.models.events import EventId, RunEvent
from longline.storage.protocols import EventLog

_PAGE_EVENTS = 500


class RunReader:
    """One reader of one run. Attached before the run's state is looked at, so that nothing slips between.

    `after` None reads live events only; an id replays what the log holds after it. Events are committed before they are
    live, so a live event that the log already gave is recognised by its id and dropped.
    """

    def __init__(self, hub: EventHub, log: EventLog, run_id: str, *, after: EventId | None) -> None:
        self._hub = hub
        self._log = log
        self._run_id = run_id
        self._live: LiveReader = hub.attach(run_id)
        self._after = after
        self._is_replaying = after is not None
        self._is_kept = False

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
            if self._is_replaying:
                page = await self._log.read(self._run_id, after=self._after or EventId(0, 0), limit=_PAGE_EVENTS)
                if page:
                    self._after = page[-1].event_id
                    return page
                self._is_replaying = False
            if not await self._live.wait(timeout):
                return None
            if self._live.has_overflowed:
                self._recover()
                continue
            fresh = self._fresh(self._live.take())
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

    def _fresh(self, events: list[RunEvent]) -> list[RunEvent]:
        if events and self._after is not None:
            events = [event for event in events if event.event_id > self._after]
        if events:
            self._after = events[-1].event_id
        return events

    def _recover(self) -> None:
        if not self._is_kept:
            raise SlowSubscriberError(self._run_id)
        self._live.take()  # what came after the drop is in the log too
        if self._after is None:
            self._after = self._live.before_overflow
        self._live.has_overflowed = False
        self._is_replaying = True
