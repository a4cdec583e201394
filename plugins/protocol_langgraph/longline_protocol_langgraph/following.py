"""Following a run until it ends: as a stream of events, or waiting for its result."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import orjson

from longline.asgi.types import Receive, Scope, Send
from longline.errors import LonglineError, SlowSubscriberError
from longline.events.hub import RunEnd
from longline.events.replay import RunReader
from longline.models.events import BEGINNING
from longline.models.threads import RunFailure
from longline_protocol_langgraph.connection import Connection
from longline_protocol_langgraph.feedback.closing import Closing
from longline_protocol_langgraph.sse import HEARTBEAT, Encoder, error_frame

HeaderLines = list[tuple[bytes, bytes]]

EVENT_STREAM: Final[HeaderLines] = [
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"content-type", b"text/event-stream; charset=utf-8"),
]
_JSON: Final[HeaderLines] = [(b"content-type", b"application/json")]
_GRACE_SECONDS: Final = 0.1
"""A run that ends within this time is answered in one piece; after it a waiting client is told where the run is."""
_KEEP_ALIVE: Final = (b"connection", b"keep-alive")

RUN_NOT_FOUND: Final = RunFailure(error="HTTPException", message="404: Run not found")
"""What a client is told that joins a run which is not there: in the body, as always once a run is followed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a followed run is found: the paths in the headers of every answer about it."""

    content_location: str
    location: str | None = None

    def headers(self) -> HeaderLines:
        """The header lines."""
        lines = [(b"content-location", self.content_location.encode())]
        return lines if self.location is None else [(b"location", self.location.encode()), *lines]


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """How a run is followed. `on_leave` is called if the client leaves before the run has ended."""

    reader: RunReader
    place: Place
    heartbeat_seconds: float
    on_leave: Callable[[], Awaitable[None]] | None = None


class RunStream:
    """Answers with the run's events, as they come, and with what `close` makes of its end. The run's end is stored
    before the stream closes."""

    def __init__(self, following: Following, encode: Encoder, close: Closing | None = None) -> None:
        self._following = following
        self._encode = encode
        self._close = close
        self._last = BEGINNING

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        following, last = self._following, b""
        with following.reader:
            async with Connection(receive) as connection:
                await start(scope, send, [*following.place.headers(), *EVENT_STREAM])
                try:
                    await self._pump(send)
                    if self._close is not None:
                        last = await self._close(following.reader.end, self._last)
                except SlowSubscriberError as error:
                    last = broken_off(error)
        await _conclude(connection, following, send, last)

    async def _pump(self, send: Send) -> None:
        reader, silence = self._following.reader, self._following.heartbeat_seconds
        while (events := await reader.read(silence)) is None or events:
            chunk = HEARTBEAT if events is None else self._encode(events)
            if events:
                self._last = events[-1].event_id
            if chunk:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})


class RunWait:
    """Answers with the run's result once it has ended. While it has not, the client gets an empty line now and then;
    the status is out by then, so that a failure is told in the body."""

    def __init__(self, following: Following, render: Callable[[RunEnd], bytes] | None = None) -> None:
        self._following = following
        self._render = render or render_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        following, result = self._following, b""
        with following.reader:
            async with Connection(receive) as connection:
                end = await following.reader.wait_for_end(_GRACE_SECONDS)
                await start(scope, send, [*following.place.headers(), *_JSON], is_stream=False)
                if end is None:
                    await send({"type": "http.response.body", "body": b"", "more_body": True})  # the headers go out
                    end = await following.reader.wait_for_end(following.heartbeat_seconds)
                while end is None:
                    await send({"type": "http.response.body", "body": b"\n", "more_body": True})
                    end = await following.reader.wait_for_end(following.heartbeat_seconds)
                result = self._render(end)
        await _conclude(connection, following, send, result)


class LostStream:
    """Answers a client that joins the stream of a run which is not there."""

    def __init__(self, place: Place) -> None:
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # the ASGI call
        await start(scope, send, [*self._place.headers(), *EVENT_STREAM])
        await finish(send, error_frame(RUN_NOT_FOUND))


class LostWait:
    """Answers a client that waits for a run which is not there."""

    def __init__(self, place: Place) -> None:
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # the ASGI call
        await start(scope, send, [*self._place.headers(), *_JSON], is_stream=False)
        await finish(send, render_failure(RUN_NOT_FOUND))


def render_end(end: RunEnd) -> bytes:
    """What a waiter gets: the values as they are encoded already, or why there are none."""
    if end.failure is not None:
        return render_failure(end.failure)
    return end.result if end.result is not None else b"null"


def render_failure(failure: RunFailure) -> bytes:
    """A failure in the body of an answer that began well."""
    return orjson.dumps({"__error__": {"error": failure.error, "message": failure.message}})


def broken_off(error: LonglineError) -> bytes:
    """The last event of a stream that cannot go on."""
    return error_frame(RunFailure(error=type(error).__name__, message=str(error)))


async def start(scope: Scope, send: Send, lines: HeaderLines, *, is_stream: bool = True) -> None:
    """Begin a good answer."""
    if is_stream and scope.get("http_version", "1.1").startswith("1"):
        lines = [*lines, _KEEP_ALIVE]  # HTTP/2 has no such header
    await send({"type": "http.response.start", "status": 200, "headers": lines})


async def _conclude(connection: Connection, following: Following, send: Send, body: bytes) -> None:
    """The last of the answer, or what is to be done when there is nobody to get it. Not watched: a server reports a
    complete answer as the client's leaving, too."""
    if not connection.is_lost:
        await finish(send, body)
    elif following.on_leave is not None:
        await following.on_leave()


async def finish(send: Send, body: bytes) -> None:
    """The last of an answer."""
    await send({"type": "http.response.body", "body": body, "more_body": False})
