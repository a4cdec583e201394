"""Bodies of requests: read within their bounds, and looked at before anything is made of them."""

from collections.abc import Sequence
from typing import Final

import orjson

from longline.asgi.body import BodyLimits, read_within
from longline.asgi.json_shape import fault_in
from longline.asgi.origins import header
from longline.asgi.types import Receive, Scope
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


async def read_body(scope: Scope, receive: Receive, limits: BodyLimits, types: Sequence[str]) -> bytes:
    """The whole body. Raises BodyTooLargeError, SlowBodyError, UnsupportedContentError."""
    try:
        data = await read_within(scope, receive, limits)
    except TimeoutError:
        raise SlowBodyError(limits.seconds) from None
    given = header(scope, b"content-type")
    if data and given and given.partition(";")[0].strip().lower() not in types:
        raise UnsupportedContentError(given, " or ".join(types))
    return data


async def read_json(data: bytes) -> JsonValue:
    """The value that a body holds. Raises UnreadableBodyError, TooDeepError, TooManyValuesError."""
    return await in_thread(parse_json, data) if len(data) > _LARGE else parse_json(data)


def parse_json(data: bytes) -> JsonValue:
    """As `read_json`."""
    fault = fault_in(data, max_depth=MAX_DEPTH, max_values=MAX_VALUES)
    if fault == "many":
        raise TooManyValuesError(MAX_VALUES)
    if fault == "deep":
        raise TooDeepError(MAX_DEPTH)
    try:
        value: JsonValue = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise UnreadableBodyError from None
    return value
