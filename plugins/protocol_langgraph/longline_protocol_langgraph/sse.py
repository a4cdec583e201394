"""Run events as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): bytes only."""

from collections.abc import Callable, Sequence
from typing import Final

import orjson

from longline.models.events import RunEvent
from longline.models.threads import RunFailure
from longline_protocol_langgraph.event_ids import EventIds

HEARTBEAT: Final = b": heartbeat\r\n\r\n"
"""A comment: readers skip it, proxies see that the stream lives."""

Encoder = Callable[[Sequence[RunEvent]], bytes]
"""Events → the bytes of their frames, all in one piece: a server pays for every chunk."""


def encoder(*, ids: EventIds | None = None, modes: Sequence[str] = ()) -> Encoder:
    """What writes a stream: with ids for one that can be resumed, and only the events of `modes` if there are any."""
    write: Callable[[RunEvent], bytes] = _frame if ids is None else lambda event: _frame_with_id(event, ids)
    if not modes:
        return lambda events: b"".join([write(event) for event in events])
    names = frozenset("messages" if mode == "messages-tuple" else mode for mode in modes) | {"error"}
    prefixes = ("messages/",) if "messages" in modes else ()

    def encode_chosen(events: Sequence[RunEvent]) -> bytes:
        return b"".join([write(event) for event in events if event.mode in names or event.mode.startswith(prefixes)])

    return encode_chosen


def error_frame(failure: RunFailure) -> bytes:
    """The event that tells why a stream cannot go on."""
    data = orjson.dumps({"error": failure.error, "message": failure.message})
    return b"event: error\r\ndata: %b\r\n\r\n" % data


def _frame(event: RunEvent) -> bytes:
    return b"event: %b\r\ndata: %b\r\n\r\n" % (event_name(event), event.data)


def _frame_with_id(event: RunEvent, ids: EventIds) -> bytes:
    return b"event: %b\r\ndata: %b\r\nid: %b\r\n\r\n" % (event_name(event), event.data, ids.spell(event.event_id))


def event_name(event: RunEvent) -> bytes:
    """The name of an event on the wire: its mode and the path of its subgraph."""
    if not event.namespace:
        return event.mode.encode()
    name = "|".join((event.mode, *event.namespace))
    return " ".join(name.splitlines()).encode()  # a node may be called anything; a line break would end the field
