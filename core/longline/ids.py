"""Ids: UUIDv7 for what is listed by age, UUIDv5 for a graph's own assistant, and the check of caller-given ones."""

import hashlib
import os
import re
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

NewId = Callable[[], str]

_USUAL_FORM = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# The namespace of the LangGraph Server API for the assistant that stands for a graph (it is none of uuid.NAMESPACE_*).
_GRAPH_NAMESPACE = uuid.UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")


def new_id() -> str:
    """A fresh UUIDv7 (RFC 9562 §5.7): milliseconds since 1970, then random bits, so ids sort by creation time."""
    return _version_7(time.time_ns() // 1_000_000, os.urandom(10))


def tick_run_id(cron_id: str, tick: datetime) -> str:
    """The id of the run that a tick of a cron makes: a UUIDv7 of that time, the same whoever makes the run."""
    rest = hashlib.sha256(f"{cron_id} {tick.astimezone(UTC).isoformat()}".encode()).digest()[:10]
    return _version_7(int(tick.timestamp() * 1000), rest)


def _version_7(milliseconds: int, rest: bytes) -> str:
    value = (milliseconds & (1 << 48) - 1) << 80 | int.from_bytes(rest)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


def graph_assistant_id(graph_id: str) -> str:
    """The id of the assistant that the server makes for a graph: the same on every server."""
    return str(uuid.uuid5(_GRAPH_NAMESPACE, graph_id))


def parse_uuid(text: str) -> str | None:
    """The canonical lower-case spelling of a UUID in its 36-character form, or None."""
    return text.lower() if _USUAL_FORM.fullmatch(text.lower()) else None
