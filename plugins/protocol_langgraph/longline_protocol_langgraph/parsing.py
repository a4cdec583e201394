"""Request bodies: bytes → JSON → a model, or a refusal that names the fault."""

from typing import Final, TypeVar

import orjson
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from starlette.requests import Request

from longline.asgi.json_shape import fault_in
from longline.models.json import JsonValue
from longline.threads import in_thread
from longline_protocol_langgraph.errors import InvalidBodyError, InvalidJsonError, TooManyValuesError, shown

T = TypeVar("T")

MAX_DEPTH: Final = 128
"""How deep a body may be nested. The encoder of answers and events stops at 254 levels, and they add some."""
MAX_VALUES: Final = 1_000_000
"""How many values a body may hold. Parsing holds the interpreter, a third of a microsecond and up to 100 bytes of
memory for each: a body of 24 MB can have eight million, and nobody else would be answered for seconds."""
_LARGE: Final = 1 << 20  # bytes: parsing that takes a while happens in steps between which others are served


async def read_body(request: Request, adapter: TypeAdapter[T], *, default: JsonValue = None) -> T:
    """The body as what `adapter` takes. An empty one is `default`, if there is a default. Raises InvalidJsonError,
    TooManyValuesError or InvalidBodyError."""
    data = await request.body()
    if not data and default is not None:
        return validate(default, adapter)
    if len(data) > _LARGE:
        return validate(await in_thread(parse_json, data), adapter)
    return validate(parse_json(data), adapter)


def parse_json(data: bytes) -> JsonValue:
    """The JSON value. Raises InvalidJsonError, TooManyValuesError."""
    fault = fault_in(data, max_depth=MAX_DEPTH, max_values=MAX_VALUES)
    if fault == "many":
        raise TooManyValuesError(MAX_VALUES)
    if fault == "deep":
        raise InvalidJsonError
    try:
        value: JsonValue = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise InvalidJsonError from None
    return value


def validate(value: JsonValue, adapter: TypeAdapter[T]) -> T:
    """The value as what `adapter` takes. Raises InvalidBodyError."""
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise _refusal(error.errors(include_url=False, include_input=False)[0], value) from None


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
