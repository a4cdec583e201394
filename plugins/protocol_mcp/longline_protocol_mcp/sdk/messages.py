"""Messages as they come in: which of them are worked on. The SDK answers a bad one as if its arguments were wrong, and
logs what it holds. And messages as they go out."""

import json
import math
from typing import Final

from mcp import types
from mcp.server.streamable_http import GET_STREAM_KEY
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from longline.models.json import JsonObject, JsonValue
from longline_protocol_mcp.errors import MessageError, RefusedError

_LONGEST_ID: Final = 256
_LONGEST_NAME: Final = 200


def read_message(message: JsonObject, known: frozenset[str]) -> types.JSONRPCMessage | None:
    """The message of somebody who may ask for the `known` methods; None for one that nobody waits for. Raises
    RefusedError for what is no message, MessageError for a request that cannot be answered."""
    if "id" in message and not _is_id(message["id"]):
        raise RefusedError(400, "Invalid message format.")
    try:
        parsed = types.JSONRPCMessage.model_validate(message)
    except (ValidationError, RecursionError):
        raise RefusedError(400, "Invalid message format.") from None  # the reference's words
    match parsed.root:
        case types.JSONRPCRequest(method=method):
            if method not in known:
                raise MessageError(types.METHOD_NOT_FOUND, f"Method not found: {method}"[:_LONGEST_NAME])
            if not _fits(types.ClientRequest, message):
                raise MessageError(types.INVALID_PARAMS, "Invalid request parameters")
            return parsed
        case types.JSONRPCNotification():
            return parsed if _fits(types.ClientNotification, message) else None
    return parsed


def error_answer(message: JsonObject, error: MessageError) -> JsonObject:
    """What a request is answered that failed at once."""
    return {"jsonrpc": "2.0", "id": message.get("id"), "error": {"code": error.number, "message": str(error)}}


def written(message: types.JSONRPCMessage) -> str:
    """A message as JSON. What a plugin says may be no Unicode, which would end its caller's session: a half of a
    character becomes a question mark."""
    try:
        return message.model_dump_json(by_alias=True, exclude_none=True)
    except PydanticSerializationError:
        return json.dumps(_whole(message.model_dump(by_alias=True, exclude_none=True)), ensure_ascii=False)


def _whole(value: object) -> object:
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case dict():
            return {str(_whole(key)): _whole(one) for key, one in value.items()}
        case list():
            return [_whole(one) for one in value]
        case float() if not math.isfinite(value):
            return None
    return value


def _is_id(value: JsonValue) -> bool:
    if isinstance(value, str):
        return len(value) <= _LONGEST_ID and value != GET_STREAM_KEY  # the SDK's name for another stream
    return isinstance(value, int) and not isinstance(value, bool)


def _fits(kind: type[types.ClientRequest | types.ClientNotification], message: JsonObject) -> bool:
    try:
        kind.model_validate(message)
    except ValidationError:
        return False
    return True
