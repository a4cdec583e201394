"""Bodies of requests: read within their bounds, and one message of JSON-RPC each."""

from dataclasses import dataclass
from typing import Final

import orjson

from longline.asgi.body import BodyLimits, read_within
from longline.asgi.json_shape import fault_in
from longline.asgi.origins import header
from longline.asgi.types import Receive, Scope
from longline.models.json import JsonObject, JsonValue
from longline.threads import in_thread
from longline_protocol_mcp.errors import RefusedError

MAX_DEPTH: Final = 100
"""How deep a message may be nested: the SDK copies it by recursion."""
MAX_VALUES: Final = 50_000
"""How many values a message may hold. The SDK takes microseconds for each, and nobody else is answered then."""
_LARGE: Final = 1 << 18  # bytes: parsing that takes a while happens beside the event loop
_JSON: Final = "application/json"
_EVENTS: Final = "text/event-stream"
_BAD: Final = 400
_TIMEOUT: Final = 408
_UNSUPPORTED: Final = 415


@dataclass(frozen=True, slots=True)
class Accepted:
    """In which forms a client takes an answer."""

    json: bool
    events: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A message that came, as bytes and as what they say."""

    data: bytes
    message: JsonObject
    accepted: Accepted


async def read_post(scope: Scope, receive: Receive, limits: BodyLimits) -> Post:
    """The message of a POST. Raises RefusedError, BodyTooLargeError."""
    accepted = accepted_by(scope)
    given = header(scope, b"content-type").partition(";")[0].strip().lower()
    if given != _JSON:
        raise RefusedError(_UNSUPPORTED, f"Content-Type must be {_JSON}")
    try:
        data = await read_within(scope, receive, limits)
    except TimeoutError:
        raise RefusedError(_TIMEOUT, f"the body took longer than {limits.seconds:g} seconds") from None
    message = await in_thread(parse, data) if len(data) > _LARGE else parse(data)
    if not isinstance(message, dict) or not _is_one_thing(message):  # a batch, or no message at all
        raise RefusedError(_BAD, "Invalid message format.")  # the reference's words
    return Post(data=data, message=message, accepted=accepted)


def accepted_by(scope: Scope) -> Accepted:
    """What the Accept header says; without one a client takes anything (RFC 9110 §12.5.1). Raises RefusedError."""
    ranges = [part.partition(";")[0].strip().lower() for part in header(scope, b"accept").split(",")]
    has_all = not any(ranges) or "*/*" in ranges
    accepted = Accepted(
        json=has_all or _JSON in ranges or "application/*" in ranges,
        events=has_all or _EVENTS in ranges or "text/*" in ranges,
    )
    if not (accepted.json or accepted.events):
        raise RefusedError(_BAD, f"Accept header must include {_JSON} or {_EVENTS}")
    return accepted


def parse(data: bytes) -> JsonValue:
    """The value that a body holds. Raises RefusedError."""
    fault = fault_in(data, max_depth=MAX_DEPTH, max_values=MAX_VALUES)
    if fault == "many":
        raise RefusedError(_BAD, f"the message holds more than {MAX_VALUES} values")
    if fault == "deep":
        raise RefusedError(_BAD, f"the message is nested deeper than {MAX_DEPTH}")
    try:
        value: JsonValue = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise RefusedError(_BAD, "the body is not JSON in UTF-8") from None  # once
    return value


def _is_one_thing(message: JsonObject) -> bool:
    """Whether it asks, or tells how something that was asked ended, and not both."""
    return len({"method", "result", "error"} & set(message)) == 1
