"""Bodies of requests: read within their bounds, and one message of JSON-RPC each."""

import asyncio
from dataclasses import dataclass
from typing import Final

import orjson

from longline.asgi.body import RequestBody, declared_length
from longline.asgi.json_shape import count_texts, count_values, is_deeper, structure_of
from longline.asgi.origins import header
from longline.asgi.types import Message, Receive, Scope
from longline.errors import BodyTooLargeError
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


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimits:
    """How large a body may be, and how long it may take."""

    max_bytes: int
    seconds: float


async def read_post(scope: Scope, receive: Receive, limits: BodyLimits) -> Post:
    """The message of a POST. Raises RefusedError, BodyTooLargeError."""
    accepted = accepted_by(scope)
    given = header(scope, b"content-type").partition(";")[0].strip().lower()
    if given != _JSON:
        raise RefusedError(_UNSUPPORTED, f"Content-Type must be {_JSON}")
    data = await _read(scope, receive, limits)
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
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH or len(data) > MAX_VALUES:
        if count_texts(data) > 2 * MAX_VALUES:  # a key and a value each
            raise RefusedError(_BAD, f"the message holds more than {MAX_VALUES} values")
        structure = structure_of(data)
        if count_values(structure) > MAX_VALUES:
            raise RefusedError(_BAD, f"the message holds more than {MAX_VALUES} values")
        if is_deeper(structure, MAX_DEPTH):
            raise RefusedError(_BAD, f"the message is nested deeper than {MAX_DEPTH}")
    try:
        value: JsonValue = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise RefusedError(_BAD, "the body is not JSON in UTF-8") from None  # once
    return value


def replayed(data: bytes, receive: Receive) -> Receive:
    """What an app receives whose request has been read: the body in one piece, then whatever else comes."""
    waiting: list[Message] = [{"type": "http.request", "body": data, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


def _is_one_thing(message: JsonObject) -> bool:
    """Whether it asks, or tells how something that was asked ended, and not both."""
    return len({"method", "result", "error"} & set(message)) == 1


async def _read(scope: Scope, receive: Receive, limits: BodyLimits) -> bytes:
    try:
        async with asyncio.timeout(limits.seconds):
            try:
                if declared_length(scope) > limits.max_bytes:
                    raise BodyTooLargeError(limits.max_bytes)
                return await RequestBody(scope, receive, limit=limits.max_bytes).read()
            except BodyTooLargeError:
                await _pass_by(receive)
                raise
    except TimeoutError:
        raise RefusedError(_TIMEOUT, f"the body took longer than {limits.seconds:g} seconds") from None


async def _pass_by(receive: Receive) -> None:
    """Let the rest of a body go by, as far as the server takes one: who is answered while still sending may lose the
    answer with the connection."""
    while True:
        message = await receive()
        if message["type"] != "http.request" or not message.get("more_body", False):
            return
