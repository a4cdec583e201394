"""What of a checkpoint stands in its own row, and what beside it: what many checkpoints share is stored once."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.types import _DeltaSnapshot

_MARK: Final = "\ue000"  # see longline.jsonb_of
_LARGEST: Final = 2**63  # whole numbers that every reader of JSON takes


@dataclass(frozen=True, slots=True)
class Blobs:
    """Values for their table: a list for each of its columns."""

    channels: Sequence[str]
    versions: Sequence[str]
    types: Sequence[str]
    data: Sequence[bytes]


def split(checkpoint: Checkpoint, new_versions: ChannelVersions, serde: SerializerProtocol) -> tuple[str, Blobs]:
    """A checkpoint as JSON, and its values that JSON cannot hold and that no earlier checkpoint brought along. A value
    whose channel has no version (not every caller has versions) gets the checkpoint's id for one."""
    versions: dict[str, Any] = dict(checkpoint["channel_versions"])
    plain: dict[str, Any] = {}
    rows: list[tuple[str, str, str, bytes]] = []
    for channel, value in checkpoint["channel_values"].items():
        if _is_plain(value):
            plain[channel] = value
            continue
        is_new = channel in new_versions or channel not in versions or isinstance(value, _DeltaSnapshot)
        version = versions.setdefault(channel, checkpoint["id"])
        if is_new:
            rows.append((channel, str(version), *serde.dumps_typed(value)))
    stored = {**checkpoint, "channel_values": plain, "channel_versions": versions}
    columns: Any = [list(column) for column in zip(*rows, strict=True)] or [[], [], [], []]
    return orjson.dumps(stored).decode(), Blobs(*columns)


def joined(
    stored: str, channels: Sequence[str], values: Sequence[tuple[str, bytes]], serde: SerializerProtocol
) -> Checkpoint:
    """The checkpoint, from its JSON and the values beside it."""
    checkpoint: Checkpoint = orjson.loads(stored)
    versions = checkpoint["channel_versions"]
    own = checkpoint["id"]
    checkpoint["channel_versions"] = {name: version for name, version in versions.items() if version != own}
    for channel, value in zip(channels, values, strict=True):
        checkpoint["channel_values"][channel] = serde.loads_typed(value)
    return checkpoint


def encode_metadata(metadata: CheckpointMetadata | Mapping[str, Any]) -> str:
    """Metadata as JSON that Postgres takes: without halves of characters, and with null for what is no number."""
    text = json.dumps(metadata, ensure_ascii=False).encode("utf-8", "ignore").decode()
    if "NaN" in text or "Infinity" in text:
        text = json.dumps(json.loads(text, parse_constant=lambda _: None), ensure_ascii=False)
    return text


def decode_metadata(text: str) -> CheckpointMetadata:
    """Metadata as they were; see longline.jsonb_of for what stands for NUL."""
    if _MARK in text:
        text = text.replace(_MARK + "0", "\\u0000").replace(_MARK + "1", _MARK)
    metadata: CheckpointMetadata = json.loads(text)
    return metadata


def _is_plain(value: object) -> bool:
    """Whether JSON, and Postgres' idea of it, gives back just this value."""
    if type(value) is str:
        return "\0" not in value and _is_text(value)
    if type(value) is int:
        return -_LARGEST <= value < _LARGEST
    return value is None or type(value) is bool


def _is_text(value: str) -> bool:
    """Whether it has no half of a character."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
