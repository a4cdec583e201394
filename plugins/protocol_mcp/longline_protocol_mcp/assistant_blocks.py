"""What a message of a model holds → blocks that the caller of a tool can show."""

import base64
import binascii
from collections.abc import Iterator
from typing import Final

import orjson
from pydantic import AnyUrl, ValidationError

from longline.models.json import JsonObject, JsonValue, as_object
from longline.tools.content import Audio, Block, File, Image, Link, Text

_SILENT: Final = frozenset({
    "reasoning", "thinking", "redacted_thinking", "tool_call", "tool_call_chunk", "invalid_tool_call", "tool_use",
    "server_tool_call", "server_tool_result", "input_json_delta", "function_call",
})  # fmt: skip
"""Blocks that are the model's own business."""
_MEDIA: Final = {"image": "image/png", "audio": "audio/wav", "file": "application/octet-stream", "video": "video/mp4"}
"""What data of such a block is, if it does not say."""


def blocks_of(content: JsonValue) -> Iterator[Block]:
    """The blocks of a message's content, in order: texts, pictures, recordings, files, links to them."""
    if isinstance(content, str):
        if content:
            yield Text(content)
        return
    for part in content if isinstance(content, list) else []:
        if isinstance(part, str):
            if part:
                yield Text(part)
        elif isinstance(part, dict):
            block = _block(part)
            if block is not None:
                yield block


def _block(part: JsonObject) -> Block | None:
    kind = str(part.get("type", ""))
    if kind in ("text", "output_text", "text-plain"):
        text = str(part.get("text", ""))
        return Text(text) if text else None
    if kind in ("image_url", "input_image"):
        found = part.get("image_url")
        url = as_object(found).get("url") if isinstance(found, dict) else found
        return _at("image", str(url), None) if url else None
    if kind in _MEDIA:
        return _media(kind, part)
    if kind in _SILENT:
        return None
    value = part.get("value") if kind == "non_standard" else part
    return Text(orjson.dumps(value).decode())


def _media(kind: str, part: JsonObject) -> Block | None:
    source = as_object(part.get("source"))
    media_type = part.get("mime_type") or source.get("media_type")
    data = part.get("base64") or part.get("data") or source.get("data")
    if isinstance(data, str) and data:
        return _with_data(kind, data, str(media_type or _MEDIA[kind]))
    url = part.get("url") or source.get("url")
    return _at(kind, str(url), str(media_type) if media_type else None) if url else None


def _with_data(kind: str, data: str, media_type: str) -> Block | None:
    try:
        raw = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None
    if kind == "image":
        return Image(raw, media_type)
    if kind == "audio":
        return Audio(raw, media_type)
    return File(uri=f"longline:{kind}", data=raw, media_type=media_type)


def _at(kind: str, url: str, media_type: str | None) -> Block | None:
    """What an address names: the data itself where the address holds it. What is none is told as it is."""
    head, comma, data = url.partition(",")
    if head.startswith("data:") and comma:
        said, *options = head.removeprefix("data:").split(";")
        return _with_data(kind, data, said or _MEDIA[kind]) if "base64" in options else None
    try:
        path = AnyUrl(url).path or ""
    except ValidationError:
        return Text(url)
    return Link(uri=url, name=path.rsplit("/", 1)[-1] or kind, media_type=media_type)
