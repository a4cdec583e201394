"""What a tool of an MCP server answered → what a model can read: text in bounds, and the rest named or handed on."""

import json
from collections.abc import Iterable
from typing import Final

from mcp import types

from longline.models.json import JsonValue

_SHORTEST_SECRET: Final = 4
_HIDDEN: Final = "***"


def readable(
    result: types.CallToolResult, *, characters: int, with_media: bool, secrets: Iterable[str]
) -> types.CallToolResult:
    """The result with everything in it that a model can use, in order, at most so many characters long. What is no text
    is named in words; `with_media`, images and files stay as they are if there is room for them. A server that quotes
    one of the `secrets` that it was shown does not get it into the conversation."""
    hidden = [secret for secret in secrets if len(secret) >= _SHORTEST_SECRET]
    room = _Room(characters, hidden)
    content = [block for one in result.content for block in room.take(_block(one, with_media=with_media))]
    structured = result.structuredContent
    if structured is not None:
        text = json.dumps(structured, ensure_ascii=False)
        if not result.content:
            content = list(room.take(_text(text)))
        if len(text) > characters or any(secret in text for secret in hidden):
            structured = None
    return types.CallToolResult(content=content, structuredContent=structured, isError=result.isError)


def text_of(result: types.CallToolResult) -> str:
    """All its text, a block a line."""
    return "\n".join(block.text for block in result.content if isinstance(block, types.TextContent))


class _Room:
    """The characters that are left."""

    def __init__(self, characters: int, hidden: list[str]) -> None:
        self._most = characters
        self._left = characters
        self._hidden = hidden

    def take(self, block: types.ContentBlock) -> list[types.ContentBlock]:
        """The block, or as much of it as there is room for; nothing once that was said."""
        if self._left < 0:
            return []
        if not isinstance(block, types.TextContent):
            size = len(block.model_dump_json())
            if size <= self._left:
                self._left -= size
                return [block]
            block = _text(_named(block))
        text = block.text
        for secret in self._hidden:
            text = text.replace(secret, _HIDDEN)
        if len(text) <= self._left:
            self._left -= len(text)
            return [_text(text)]
        shown = text[: self._left]
        self._left = -1
        return [_text(f"{shown}\n[cut: the result is longer than {self._most} characters]")]


def _block(block: types.ContentBlock, *, with_media: bool) -> types.ContentBlock:
    """As it is if a model can have it, else in words."""
    match block:
        case types.TextContent():
            return block
        case types.EmbeddedResource(resource=types.TextResourceContents(text=text)):
            return _text(text)
        case types.ImageContent() | types.EmbeddedResource() if with_media:
            return block
    return _text(_named(block))


def _named(block: types.ContentBlock) -> str:
    match block:
        case types.ImageContent():
            return f"[an image, {block.mimeType}, {_size(block.data)}]"
        case types.AudioContent():
            return f"[a recording, {block.mimeType}, {_size(block.data)}]"
        case types.ResourceLink():
            said: list[JsonValue] = [block.title or block.name, block.description, block.mimeType, str(block.uri)]
            return f"[a resource: {', '.join(str(part) for part in said if part)}]"
        case types.EmbeddedResource(resource=types.BlobResourceContents(blob=blob) as resource):
            return f"[a file: {resource.uri}, {resource.mimeType or 'of an unknown type'}, {_size(blob)}]"
    return "[something that is no text]"


def _size(encoded: str) -> str:
    """How many bytes so much base64 is."""
    return f"{len(encoded) * 3 // 4 - encoded[-2:].count('='):,} bytes"


def _text(text: str) -> types.TextContent:
    return types.TextContent(type="text", text=text)
