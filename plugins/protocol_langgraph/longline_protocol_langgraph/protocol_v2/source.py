"""The protocol's events of one thread: what is kept first, then what happens, in small portions."""

from collections import deque
from collections.abc import Sequence
from time import monotonic
from types import TracebackType
from typing import Final, Self

from longline.auth.principal import Principal
from longline.events.hub import StateUpdated, ThreadEntry
from longline.models.events import RunEnding, ThreadPlace
from longline.services.thread_streams import ThreadStreamService
from longline_protocol_langgraph.protocol_v2.event import ProtocolEvent
from longline_protocol_langgraph.protocol_v2.projection import TurnFacts, TurnProjection
from longline_protocol_langgraph.protocol_v2.recent import RecentStarts
from longline_protocol_langgraph.protocol_v2.sequence import before_turn, turn_of
from longline_protocol_langgraph.protocol_v2.subscription import Subscription

_PORTION: Final = 64
"""Entries that are decoded at once: who reads slowly keeps the rest encoded."""


class EventSource:
    """What one subscription of a thread is sent, in order. To be closed."""

    def __init__(
        self, streams: ThreadStreamService, recent: RecentStarts, thread_id: str, subscription: Subscription
    ) -> None:
        self._streams = streams
        self._recent = recent
        self._thread_id = thread_id
        self._subscription = subscription
        self._waiting: deque[ThreadEntry] = deque()
        self._turn: TurnProjection | None = None
        self._turn_number = 0
        self._since = -1
        self._is_let_in = False

    async def open(self, principal: Principal) -> Self:
        """Attach, and find the place to begin at. A thread that is missing, or that the caller cannot see, says nothing
        until a run makes it: clients choose its id first. Raises ForbiddenError."""
        self._principal = principal
        self._reader = self._streams.attach(self._thread_id)
        try:
            await self._try_door()
        except BaseException:
            self._reader.close()
            raise
        return self

    async def _try_door(self) -> None:
        self._is_let_in = await self._streams.admits(self._principal, self._thread_id)
        start = await self._start() if self._is_let_in else None
        if start is not None:
            self._reader.start_after(start)

    async def _start(self) -> ThreadPlace | None:
        since = self._subscription.since
        if since is None:
            before = await self._streams.before_unfinished(self._thread_id)
            return before or await self._recent.unheard(self._thread_id, self._subscription.channels)
        newest = await self._streams.newest_turn(self._thread_id)
        if turn_of(since) > newest + 1:  # it is a number of another database
            return None
        self._since = since
        return before_turn(turn_of(since))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Detach. Idempotent."""
        self._reader.close()

    async def read(self, timeout: float) -> Sequence[ProtocolEvent] | None:  # noqa: ASYNC109  # None is an answer here
        """The next events, at least one; an empty list once the thread is gone; None if nothing came within `timeout`
        seconds. Raises SlowSubscriberError, ForbiddenError, StorageError."""
        ends = monotonic() + timeout  # what happens on a thread that is hidden must not move a heartbeat
        while True:
            if not self._is_let_in:
                left = ends - monotonic()
                if left <= 0 or not await self._reader.wait(left):
                    return None
                await self._try_door()
                if not self._is_let_in:
                    self._reader.forget()
                    continue
            if not self._waiting:
                entries = await self._reader.read(timeout)
                if not entries:
                    return None if entries is None else []
                self._waiting.extend(entries)
            portion = [self._waiting.popleft() for _ in range(min(_PORTION, len(self._waiting)))]
            events = [event for entry in portion for event in await self._project(entry) if self._wants(event)]
            if events:
                return events

    async def _project(self, entry: ThreadEntry) -> Sequence[ProtocolEvent]:
        if isinstance(entry, StateUpdated):
            return ()
        if self._turn is None or entry.turn != self._turn_number:
            facts = await self._streams.facts(self._thread_id, entry.run_id)
            self._turn_number = entry.turn
            self._turn = TurnProjection(
                TurnFacts(
                    run_id=entry.run_id,
                    turn=entry.turn,
                    graph_name="" if facts is None else facts.graph_id,
                    is_kept=facts is not None and facts.is_kept,
                )
            )
        if isinstance(entry, RunEnding):
            await self._recent.heard(self._thread_id, entry.turn, self._subscription.channels)
        return self._turn.feed(entry)

    def _wants(self, event: ProtocolEvent) -> bool:
        if event.seq is not None and event.seq <= self._since:
            return False
        return self._subscription.wants(event)
