"""Ids: UUIDv7 for what is listed by age, UUIDv5 for a graph's own assistant, and the check of caller-given ones."""

import os
import re
import time
import uuid
from collections.abc import Callable

NewId = Callable[[], str]

_USUAL_FORM = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# The namespace of the LangGraph Server API for the assistant that stands for a graph (it is none of uuid.NAMESPACE_*).
_GRAPH_NAMESPACE = uuid.UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")


def new_id() -> str:
    """A fresh UUIDv7 (RFC 9562 §5.7): milliseconds since 1970, then random bits, so ids sort by creation time."""
    value = (time.time_ns() // 1_000_000 & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


def graph_assistant_id(graph_id: str) -> str:
    """The id of the assistant that the server makes for a graph: the same on every server."""
    return str(uuid.uuid5(_GRAPH_NAMESPACE, graph_id))


def parse_uuid(text: str) -> str | None:
    """The canonical lower-case spelling of a UUID in its 36-character form, or None."""
    return text.lower() if _USUAL_FORM.fullmatch(text.lower()) else None
