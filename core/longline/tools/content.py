"""What tools, prompts and resources are made of beyond plain JSON: texts, pictures, recordings, files and links."""

from dataclasses import dataclass
from typing import TypeAlias

from longline.models.json import JsonObject, JsonValue


@dataclass(frozen=True, slots=True)
class Text:
    """Words."""

    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """A picture: its bytes, and what they are (`image/png`)."""

    data: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Audio:
    """A recording: its bytes, and what they are (`audio/wav`)."""

    data: bytes
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A document with its own URI, as text or as bytes: exactly one of the two."""

    uri: str
    text: str | None = None
    data: bytes | None = None
    media_type: str | None = None

    def __post_init__(self) -> None:
        if (self.text is None) == (self.data is None):
            raise ValueError("a file has either a text or data")  # noqa: TRY003  # a plugin's mistake


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A document that the reader may fetch, if it wants it."""

    uri: str
    name: str
    title: str = ""
    description: str = ""
    media_type: str | None = None


Block: TypeAlias = Text | Image | Audio | File | Link


@dataclass(frozen=True, slots=True)
class ToolResult:
    """A tool's answer where plain JSON does not say it all.

    `structured` is for programs and fits the tool's `output_schema`; `content` says the same to people and models, and
    may stay empty where `structured` is all there is. An answer with `is_error` tells why the tool could not do it, in
    words that the caller may read."""

    content: tuple[Block, ...] = ()
    structured: JsonObject | None = None
    is_error: bool = False


ToolAnswer: TypeAlias = "JsonValue | ToolResult"
"""What a tool returns."""
