"""Bodies of requests: read within their bounds, and looked at before anything is made of them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from longline.asgi.body import RequestBody
from longline.asgi.json_shape import count_texts, count_values, is_deeper, structure_of
from longline.asgi.origins import header
from longline.asgi.types import Message, Receive, Scope
from longline.errors import BodyTooLargeError
from longline.models.json import JsonValue
from longline.threads import in_thread
from longline_protocol_a2a.errors import (
    SlowBodyError,
    TooDeepError,
    TooManyValuesError,
    UnreadableBodyError,
    UnsupportedContentError,
)

MAX_DEPTH: Final = 100
"""How deep a body may be nested: what the SDK's parser of messages takes."""
MAX_VALUES: Final = 20_000
"""How many values a body may hold. The SDK takes about ten microseconds for each, and nobody else is answered then."""
_LARGE: Final = 1 << 18  # bytes: parsing that takes a while happens beside the event loop

RPC_TYPES: Final = ("application/json",)
HTTP_TYPES: Final = ("application/json", "application/a2a+json")


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimits:
    """How large a body may be, and how long it may take."""

    max_bytes: int
    seconds: float


async def read_body(scope: Scope, receive: Receive, limits: BodyLimits, types: Sequence[str]) -> bytes:
    """The whole body. Raises BodyTooLargeError, SlowBodyError, UnsupportedContentError."""
    try:
        async with asyncio.timeout(limits.seconds):
            data = await _read(scope, receive, limits.max_bytes)
    except TimeoutError:
        raise SlowBodyError(limits.seconds) from None
    given = header(scope, b"content-type")
    if data and given and given.partition(";")[0].strip().lower() not in types:
        raise UnsupportedContentError(given, " or ".join(types))
    return data


async def _read(scope: Scope, receive: Receive, max_bytes: int) -> bytes:
    try:
        return await RequestBody(scope, receive, limit=max_bytes).read()
    except BodyTooLargeError:
        # The rest is dropped as it comes, up to what the server takes at all: a connection that is answered before its
        # request is over is of no use to the client's next request.
        while (await receive()).get("more_body", False):
            pass
        raise


async def read_json(data: bytes) -> JsonValue:
    """The value that a body holds. Raises UnreadableBodyError, TooDeepError, TooManyValuesError."""
    return await in_thread(parse_json, data) if len(data) > _LARGE else parse_json(data)


def parse_json(data: bytes) -> JsonValue:
    """As `read_json`."""
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH or len(data) > MAX_VALUES:
        if count_texts(data) > 2 * MAX_VALUES:  # a key and a value each
            raise TooManyValuesError(MAX_VALUES)
        structure = structure_of(data)
        if count_values(structure) > MAX_VALUES:
            raise TooManyValuesError(MAX_VALUES)
        if is_deeper(structure, MAX_DEPTH):
            raise TooDeepError(MAX_DEPTH)
    try:
        value: JsonValue = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise UnreadableBodyError from None
    return value


def replayed(data: bytes, receive: Receive) -> Receive:
    """What an app receives whose request has been read: the body in one piece, then whatever else comes."""
    waiting: list[Message] = [{"type": "http.request", "body": data, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay
