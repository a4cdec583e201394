"""What a client missed while its connection was broken: events kept for a while, each session's for itself, within
bounds for all together."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mcp.server.streamable_http import GET_STREAM_KEY, EventCallback, EventMessage, EventStore
from mcp.types import JSONRPCError, JSONRPCMessage, JSONRPCResponse

from longline_protocol_mcp.sdk.messages import written

_LONGEST_ID = 18  # digits: Python refuses to read thousands of them


@dataclass(frozen=True, slots=True)
class _Event:
    number: int
    stream_id: str
    data: bytes | None
    """None: a place to come back to, and nothing said."""
    at: float

    @property
    def size(self) -> int:
        return len(self.data or b"") + 100  # what an object costs, about


class ReplayRoom:
    """How much is kept: so many bytes, for so many seconds, over all sessions; the oldest goes first."""

    def __init__(self, *, max_bytes: int, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._monotonic = monotonic
        self._order: deque[SessionReplay] = deque()
        self.bytes_kept = 0

    def open(self, hear: Callable[[JSONRPCMessage], None]) -> "SessionReplay":
        """A place for the events of one session. `hear` is told each message that goes out."""
        return SessionReplay(self, hear, self._monotonic)

    def note(self, replay: "SessionReplay", size: int) -> None:
        """Something of this size was added there."""
        self._order.append(replay)
        self.bytes_kept += size
        self.trim()

    def trim(self) -> None:
        """Drop what is too old or too much."""
        oldest = self._monotonic() - self._seconds
        while self._order:
            first = self._order[0].first
            if first is not None and first.at >= oldest and self.bytes_kept <= self._max_bytes:
                return
            self._order.popleft().drop_first()


class SessionReplay(EventStore):
    """The events of one session: nobody else's session can read them, whatever id it names."""

    def __init__(
        self, room: ReplayRoom, hear: Callable[[JSONRPCMessage], None], monotonic: Callable[[], float]
    ) -> None:
        self._room = room
        self._hear = hear
        self._monotonic = monotonic
        self._events: deque[_Event] = deque()
        self._count = 0
        self._unanswered: set[str] = set()
        self._given_back: dict[str, int] = {}
        self._news = asyncio.Event()

    @property
    def first(self) -> _Event | None:
        """The oldest event that is kept; None after `close`."""
        return self._events[0] if self._events else None

    def drop_first(self) -> None:
        """Forget the oldest event, if there is one."""
        if self._events:
            self._room.bytes_kept -= self._events.popleft().size

    def close(self) -> None:
        """Forget all of them."""
        while self._events:
            self.drop_first()
        self._unanswered.clear()
        self._news.set()

    async def store_event(self, stream_id: str, message: JSONRPCMessage | None) -> str:
        """See EventStore."""
        self._count += 1
        if message is not None:
            self._hear(message)
        data = None if message is None else written(message).encode()
        event = _Event(self._count, stream_id, data, self._monotonic())
        self._events.append(event)
        self._room.note(self, event.size)
        self._mark(stream_id, message)
        return str(event.number)

    async def replay_events_after(self, last_event_id: str, send_callback: EventCallback) -> str | None:
        """See EventStore. Nothing for an id that is not kept, or was never given.

        What belongs to a request is followed from here to its answer: left to the SDK, an answer that comes between
        what was kept and what is new would be lost, and a stream whose answer was kept would never end."""
        last = self._find(last_event_id)
        if last is None:
            return None
        position, is_request = last.number, last.stream_id != GET_STREAM_KEY
        while True:
            news = self._news  # taken before looking, so that nothing comes in between
            for event, message in self._since(position, last.stream_id):
                position = event.number
                await send_callback(EventMessage(message, str(event.number)))
                if is_request and isinstance(message.root, JSONRPCResponse | JSONRPCError):
                    return None
            if not is_request:
                self._given_back[last.stream_id] = position
                return last.stream_id
            if last.stream_id not in self._unanswered:
                return None
            await news.wait()

    def take_missed(self, stream_id: str) -> list[EventMessage]:
        """What was said since a stream was replayed and given back to the SDK, which begins to listen now."""
        position = self._given_back.pop(stream_id, None)
        missed = [] if position is None else self._since(position, stream_id)
        return [EventMessage(message, str(event.number)) for event, message in missed]

    def _mark(self, stream_id: str, message: JSONRPCMessage | None) -> None:
        if message is not None and isinstance(message.root, JSONRPCResponse | JSONRPCError):
            self._unanswered.discard(stream_id)
        elif stream_id != GET_STREAM_KEY:
            self._unanswered.add(stream_id)
        self._news.set()
        self._news = asyncio.Event()

    def _find(self, event_id: str) -> _Event | None:
        if not (event_id.isascii() and event_id.isdigit() and len(event_id) <= _LONGEST_ID):
            return None
        wanted = int(event_id)
        return next((event for event in self._events if event.number == wanted), None)

    def _since(self, position: int, stream_id: str) -> Iterable[tuple[_Event, JSONRPCMessage]]:
        """What was said behind a place, the oldest first."""
        found = []
        for event in reversed(self._events):
            if event.number <= position:
                break
            if event.stream_id == stream_id and event.data is not None:
                found.append((event, JSONRPCMessage.model_validate_json(event.data)))
        return reversed(found)
