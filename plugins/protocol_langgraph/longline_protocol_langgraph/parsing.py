"""Request bodies: bytes → JSON → a model, or a refusal that names the fault."""

from typing import Final, TypeVar

import orjson
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from starlette.requests import Request

from longline.models.json import JsonValue
from longline_protocol_langgraph.errors import InvalidBodyError, InvalidJsonError, shown

T = TypeVar("T")

MAX_DEPTH: Final = 128
"""How deep a body may be nested. The encoder of answers and events stops at 254 levels, and they add some."""


async def read_body(request: Request, adapter: TypeAdapter[T], *, default: JsonValue = None) -> T:
    """The body as what `adapter` takes. An empty one is `default`, if there is a default. Raises InvalidJsonError or
    InvalidBodyError."""
    data = await request.body()
    return validate(default if default is not None and not data else parse_json(data), adapter)


def parse_json(data: bytes) -> JsonValue:
    """The JSON value. Raises InvalidJsonError."""
    try:
        value: JsonValue = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise InvalidJsonError from None
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH and _is_deeper(value, MAX_DEPTH):
        raise InvalidJsonError
    return value


def validate(value: JsonValue, adapter: TypeAdapter[T]) -> T:
    """The value as what `adapter` takes. Raises InvalidBodyError."""
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise _refusal(error.errors(include_url=False, include_input=False)[0], value) from None


def _is_deeper(value: JsonValue, levels: int) -> bool:
    """Whether there are objects or arrays below so many others. Layer by layer: no depth is too much for this."""
    layer = _containers([value])
    for _ in range(levels):
        layer = _containers(
            [child for parent in layer for child in (parent.values() if isinstance(parent, dict) else parent)]
        )
    return bool(layer)


def _containers(values: list[JsonValue]) -> list[dict[str, JsonValue] | list[JsonValue]]:
    return [value for value in values if isinstance(value, dict | list)]


def _refusal(fault: ErrorDetails, body: JsonValue) -> InvalidBodyError:
    path: list[str | int] = []
    value = body
    for part in fault["loc"]:  # names of union members are among the parts: they lead nowhere in the value
        if isinstance(value, dict) and part in value:
            value = value[str(part)]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        elif fault["type"] != "missing":
            continue
        else:
            break
        path.append(part)
    return InvalidBodyError(_message(fault, value), path, value)


def _message(fault: ErrorDetails, value: JsonValue) -> str:
    if fault["type"] == "missing":
        return f"{shown(fault['loc'][-1])} is a required property"
    if fault["type"] == "literal_error":
        return f"{shown(value)} is not one of {fault.get('ctx', {}).get('expected', '')}"
    return f"{shown(value)} does not fit: {fault['msg'][:200]}"
