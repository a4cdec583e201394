"""One operation of the API, as it is described: what it takes, and every answer it may give."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from longline.models.json import JsonObject
from longline_protocol_langgraph.parameters import Parameter

EVENT_STREAM = "text/event-stream"

Shape = type[Any] | TypeAdapter[Any] | JsonObject
"""What makes a JSON schema, or is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer that is no refusal. Without a shape it has no body."""

    status: int = 200
    description: str
    shape: Shape | None = None
    media: str = "application/json"
    headers: Mapping[str, str] | None = None
    """Headers by name, with what they say."""
    is_partial: bool = False
    """Whether the client may have asked for some fields only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What one method does at one path. 401, 403, 413, 422, 500 and 503 are known from what it takes."""

    summary: str
    answers: Sequence[Answer]
    description: str = ""
    body: TypeAdapter[Any] | None = None
    is_body_required: bool = True
    parameters: Sequence[Parameter] = ()
    refusals: Sequence[int] = ()
    """Further statuses with `{"detail": …}`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Operations that belong together: path → method → operation."""

    tag: str
    description: str
    paths: Mapping[str, Mapping[str, Operation]]


def json_answer(
    description: str, shape: Shape, *, is_partial: bool = False, headers: Mapping[str, str] | None = None
) -> Answer:
    """200 with JSON."""
    return Answer(description=description, shape=shape, is_partial=is_partial, headers=headers)


def stream_answer(description: str, *, headers: Mapping[str, str] | None = None) -> Answer:
    """200 with server-sent events."""
    return Answer(description=description, shape={"type": "string"}, media=EVENT_STREAM, headers=headers)


def no_answer(description: str, status: int = 204) -> Answer:
    """A status alone."""
    return Answer(status=status, description=description)
