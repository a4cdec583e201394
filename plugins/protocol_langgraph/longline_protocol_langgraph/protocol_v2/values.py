"""Values of a graph as this protocol shows them: messages short, what a model said as content blocks."""

from typing import Final

from longline.models.json import JsonObject, JsonValue

_TYPES: Final = frozenset({"ai", "human", "system", "tool", "function", "chat", "developer", "remove"})
_MARKS: Final = ("content", "additional_kwargs", "response_metadata")
"""What every encoded message has, whatever it is."""
_SHOWN_IF_ANY: Final = (
    "name",
    "additional_kwargs",
    "response_metadata",
    "tool_calls",
    "invalid_tool_calls",
    "usage_metadata",
)
_OF_TOOLS: Final = ("tool_call_id", "status", "artifact")


def shown_values(values: JsonValue) -> JsonValue:
    """The values, with the messages in them (alone, or in lists) as the protocol shows them."""
    if not isinstance(values, dict):
        return _shown(values)
    return {key: _shown(value) for key, value in values.items()}


def _shown(value: JsonValue) -> JsonValue:
    if isinstance(value, list):
        return [_message(item) if _is_message(item) else item for item in value]
    return _message(value) if _is_message(value) else value


def _is_message(value: JsonValue) -> bool:
    return isinstance(value, dict) and value.get("type") in _TYPES and all(mark in value for mark in _MARKS)


def _message(value: JsonValue) -> JsonValue:
    message: JsonObject = value if isinstance(value, dict) else {}
    shown: JsonObject = {key: message.get(key) for key in ("type", "content", "id")}
    shown |= {key: message[key] for key in _SHOWN_IF_ANY if message.get(key)}
    if message["type"] == "tool":
        shown |= {key: message.get(key) for key in _OF_TOOLS}
    if message["type"] == "ai":
        shown["content"] = _blocks(message)
        known = message.get("response_metadata")
        shown["response_metadata"] = {**(known if isinstance(known, dict) else {}), "output_version": "v1"}
    return shown


def _blocks(message: JsonObject) -> JsonValue:
    content, calls = message.get("content"), message.get("tool_calls")
    if not isinstance(content, str):
        return content
    blocks: list[JsonValue] = [{"type": "text", "text": content, "index": 0}] if content else []
    told = [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    return [
        *blocks,
        *({"type": "tool_call", **{key: call.get(key) for key in ("id", "name", "args")}} for call in told),
    ]
