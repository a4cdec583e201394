"""The protocol's events as server-sent events, until the thread is deleted or the client leaves."""

from collections.abc import Sequence

import orjson

from longline.errors import LonglineError
from longline_protocol_langgraph.long_stream import LongStream
from longline_protocol_langgraph.protocol_v2.envelope import error_reply
from longline_protocol_langgraph.protocol_v2.event import ProtocolEvent
from longline_protocol_langgraph.protocol_v2.source import EventSource


def event_stream(source: EventSource, heartbeat_seconds: float) -> LongStream[ProtocolEvent]:
    """Answers with the events of a subscription."""
    return LongStream(
        source=source, encode=_frames, faults=(LonglineError,), tell=_broken_off, heartbeat_seconds=heartbeat_seconds
    )


def broken_frame(error: LonglineError) -> bytes:
    """What a client is told whose stream cannot go on: it may open another, with `since`."""
    return orjson.dumps(error_reply(None, "unknown_error", str(error)))


def _broken_off(error: LonglineError) -> bytes:
    return b"event: error\r\ndata: %b\r\n\r\n" % broken_frame(error)


def _frames(events: Sequence[ProtocolEvent]) -> bytes:
    return b"".join([_frame(event) for event in events])


def _frame(event: ProtocolEvent) -> bytes:
    name, data = event.method.encode(), event.encode()
    if event.seq is None:
        return b"event: %b\r\ndata: %b\r\n\r\n" % (name, data)
    return b"event: %b\r\ndata: %b\r\nid: %d\r\n\r\n" % (name, data, event.seq)
