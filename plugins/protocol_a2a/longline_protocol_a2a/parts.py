"""Parts of messages ↔ content blocks of LangChain, both ways. What blocks cannot hold stands beside them, as facts.

Imports the protocol's SDK: only what answers a request imports this module.
"""

import base64
import binascii
from collections.abc import Sequence
from typing import Final

import orjson
from a2a.types import Part
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError

from longline.models.json import JsonObject, JsonValue
from longline_protocol_a2a.media import JSON

_UNTYPED: Final = "application/octet-stream"
_EXACT: Final = 2**53
_KINDS: Final = frozenset({"image", "audio", "video"})
_HIDDEN: Final = frozenset({
    "reasoning", "reasoning_content", "thinking", "redacted_thinking", "tool_call", "tool_call_chunk", "tool_use",
    "invalid_tool_call", "server_tool_call", "server_tool_call_chunk", "server_tool_result", "server_tool_use",
    "function_call", "input_json_delta",
})  # fmt: skip
"""Blocks that are the agent's own business: its thoughts, and calls of its tools."""


def to_block(part: Part) -> tuple[JsonObject, JsonObject]:
    """A part as a block that models read, and the facts about it that a block has no place for."""
    facts: JsonObject = {}
    if part.HasField("metadata"):
        facts["metadata"] = MessageToDict(part.metadata)
    if part.filename:
        facts["filename"] = part.filename
    which = part.WhichOneof("content")
    if which in ("raw", "url"):
        return _file_block(part, facts), facts
    if part.media_type:
        facts["media_type"] = part.media_type
    if which == "data":
        facts["kind"] = "data"
        return {"type": "text", "text": orjson.dumps(data_in(part)).decode()}, facts
    return {"type": "text", "text": part.text}, facts


def to_parts(content: JsonValue, facts: Sequence[JsonValue] = ()) -> list[Part]:
    """The parts that a message's content shows: text, files and data, without the agent's thoughts and tool calls."""
    blocks = content if isinstance(content, list) else [] if content in (None, "") else [content]
    known = facts if len(facts) == len(blocks) else [{}] * len(blocks)
    parts = [_to_part(block, fact if isinstance(fact, dict) else {}) for block, fact in zip(blocks, known, strict=True)]
    return [part for part in parts if part is not None]


def data_part(value: JsonValue) -> Part:
    """A value as a part. What is nested too deep for the wire goes as text."""
    part = Part()
    try:
        ParseDict(value, part.data)  # type: ignore[arg-type]  # a Value takes any JSON
    except (ParseError, RecursionError):
        return Part(text=orjson.dumps(value).decode(), media_type=JSON)
    return part


def data_in(part: Part) -> JsonValue:
    """The value of a data part. The wire knows one kind of number; whole ones are meant as such."""
    return _with_integers(MessageToDict(part.data))


def text_of(parts: Sequence[Part]) -> str:
    """The text in some parts, joined."""
    return "".join(part.text for part in parts if part.WhichOneof("content") == "text")


def _with_integers(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {key: _with_integers(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_integers(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT else value


def _file_block(part: Part, facts: JsonObject) -> JsonObject:
    if not part.media_type:
        facts["untyped"] = True
    media_type = part.media_type or _UNTYPED
    kind = media_type.partition("/")[0]
    block: JsonObject = {"type": kind if kind in _KINDS else "file", "mime_type": media_type}
    if part.WhichOneof("content") == "url":
        block["url"] = part.url
    else:
        block["base64"] = base64.b64encode(part.raw).decode()
    if part.filename:
        block["extras"] = {"filename": part.filename}
    return block


def _to_part(block: JsonValue, facts: JsonObject) -> Part | None:
    part = _text_part(block) if isinstance(block, str) else _block_part(block) if isinstance(block, dict) else None
    if part is None:
        return None
    if facts.get("kind") == "data" and part.WhichOneof("content") == "text":
        part = _parsed(part)
    if isinstance(filename := facts.get("filename"), str):
        part.filename = filename
    if isinstance(media_type := facts.get("media_type"), str):
        part.media_type = media_type
    if facts.get("untyped") is True:
        part.media_type = ""
    if isinstance(metadata := facts.get("metadata"), dict):
        ParseDict(metadata, part.metadata)
    return part


def _block_part(block: JsonObject) -> Part | None:
    kind = block.get("type")
    if kind in _HIDDEN:
        return None
    if isinstance(text := block.get("text"), str) and kind in ("text", "output_text", "input_text"):
        return _text_part(text)
    if kind == "non_standard":
        return data_part(block.get("value"))
    return _file_part(block) or data_part(block)


def _text_part(text: str) -> Part | None:
    return Part(text=text) if text else None


def _file_part(block: JsonObject) -> Part | None:
    """A file, in the spellings that LangChain and its providers know."""
    source = block.get("source")
    told = source if isinstance(source, dict) else block
    linked = block.get("image_url")
    url = linked.get("url") if isinstance(linked, dict) else linked if linked is not None else told.get("url")
    media_type = told.get("mime_type") or told.get("media_type")
    data = told.get("base64") or (told.get("data") if "mime_type" in told or "media_type" in told else None)
    if isinstance(url, str) and url.startswith("data:"):
        head, _, data = url.removeprefix("data:").partition(",")
        media_type, url = head.removesuffix(";base64"), None
    if isinstance(data, str):
        part = _raw_part(data)
    elif isinstance(url, str):
        part = Part(url=url)
    elif block.get("type") == "text-plain" and isinstance(text := block.get("text"), str):
        part = Part(text=text)
    else:
        return None
    if part is not None and isinstance(media_type, str):
        part.media_type = media_type
    if part is not None and (filename := _filename_in(block)):
        part.filename = filename
    return part


def _raw_part(data: str) -> Part | None:
    try:
        return Part(raw=base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        return None


def _filename_in(block: JsonObject) -> str:
    for holder in (block, block.get("extras"), block.get("metadata")):
        if isinstance(holder, dict) and isinstance(found := holder.get("filename") or holder.get("name"), str):
            return found
    return ""


def _parsed(part: Part) -> Part:
    try:
        return data_part(orjson.loads(part.text))
    except orjson.JSONDecodeError:
        return part
