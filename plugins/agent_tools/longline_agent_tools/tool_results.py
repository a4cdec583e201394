"""What a registered tool answered → what a model can read: text, media where models take them, the rest in words."""

import base64
import json
from collections.abc import Iterable, Sequence
from typing import Any

from longline.models.json import JsonValue
from longline.tools.content import Audio, Block, File, Image, Link, Text, ToolAnswer, ToolResult


def readable(answer: ToolAnswer, *, with_media: bool) -> str | list[dict[str, Any]]:
    """A text, or LangChain's content blocks where there is more than text; `with_media`: pictures, recordings and files
    are handed on, else they are named."""
    if not isinstance(answer, ToolResult):
        return _as_text(answer)
    if not answer.content:
        return _as_text(answer.structured) if answer.structured is not None else ""
    if with_media and any(_is_media(block) for block in answer.content):
        return [_block(block) for block in answer.content]
    return in_words(answer.content)


def in_words(blocks: Iterable[Block]) -> str:
    """All the text, a block a line; what is no text is named."""
    return _storable("\n".join(_named(block) for block in blocks))


def _is_media(block: Block) -> bool:
    return isinstance(block, Image | Audio) or (isinstance(block, File) and block.data is not None)


def _block(block: Block) -> dict[str, Any]:
    match block:
        case Image(data, media_type):
            return {"type": "image", "base64": _encoded(data), "mime_type": media_type}
        case Audio(data, media_type):
            return {"type": "audio", "base64": _encoded(data), "mime_type": media_type}
        case File(data=bytes(data)):
            media_type = block.media_type or "application/octet-stream"
            return {"type": "file", "base64": _encoded(data), "mime_type": media_type}
    return {"type": "text", "text": _storable(_named(block))}


def _named(block: Block) -> str:
    match block:
        case Text(text) | File(text=str(text)):
            return text
        case Image(data, media_type):
            return f"[an image, {media_type}, {len(data):,} bytes]"
        case Audio(data, media_type):
            return f"[a recording, {media_type}, {len(data):,} bytes]"
        case File(uri=uri, data=data, media_type=media_type):
            return f"[a file: {uri}, {media_type or 'of an unknown type'}, {len(data or b''):,} bytes]"
        case Link():
            said: Sequence[str | None] = (block.title or block.name, block.description, block.media_type, block.uri)
            return f"[a resource: {', '.join(part for part in said if part)}]"


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _as_text(result: JsonValue) -> str:
    return _storable(result if isinstance(result, str) else json.dumps(result, ensure_ascii=False))


def _storable(text: str) -> str:
    """Half characters, which no state of a run can hold, as `?`."""
    return text.encode(errors="replace").decode()
