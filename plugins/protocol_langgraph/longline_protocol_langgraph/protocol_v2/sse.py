"""The protocol's events as server-sent events, until the thread is deleted or the client leaves."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from longline.asgi.types import Receive, Scope, Send
from longline.errors import LonglineError
from longline_protocol_langgraph.connection import Connection
from longline_protocol_langgraph.following import EVENT_STREAM, finish, start
from longline_protocol_langgraph.protocol_v2.envelope import error_reply
from longline_protocol_langgraph.protocol_v2.event import ProtocolEvent
from longline_protocol_langgraph.protocol_v2.source import EventSource
from longline_protocol_langgraph.sse import HEARTBEAT


@dataclass(frozen=True, slots=True, kw_only=True)
class EventStream:
    """Answers with the events of a subscription."""

    source: EventSource
    heartbeat_seconds: float

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        last = b""
        with self.source:
            async with Connection(receive) as connection:
                await start(scope, send, EVENT_STREAM)
                await send({"type": "http.response.body", "body": b"", "more_body": True})  # the headers go out
                try:
                    await self._pump(send)
                except LonglineError as error:
                    last = b"event: error\r\ndata: %b\r\n\r\n" % broken_frame(error)
        if not connection.is_lost:
            await finish(send, last)

    async def _pump(self, send: Send) -> None:
        while (events := await self.source.read(self.heartbeat_seconds)) is None or events:
            chunk = HEARTBEAT if events is None else _frames(events)
            await send({"type": "http.response.body", "body": chunk, "more_body": True})


def broken_frame(error: LonglineError) -> bytes:
    """What a client is told whose stream cannot go on: it may open another, with `since`."""
    return orjson.dumps(error_reply(None, "unknown_error", str(error)))


def _frames(events: Sequence[ProtocolEvent]) -> bytes:
    return b"".join([_frame(event) for event in events])


def _frame(event: ProtocolEvent) -> bytes:
    name, data = event.method.encode(), event.encode()
    if event.seq is None:
        return b"event: %b\r\ndata: %b\r\n\r\n" % (name, data)
    return b"event: %b\r\ndata: %b\r\nid: %d\r\n\r\n" % (name, data, event.seq)
