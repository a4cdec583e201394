"""What a thread's history takes, measured by serialising it as LangGraph's savers do."""

from typing import TYPE_CHECKING, Any

from longline.models.threads import ChannelFootprint, ThreadFootprint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langgraph.checkpoint.base import BaseCheckpointSaver, Checkpoint
    from langgraph.checkpoint.serde.base import SerializerProtocol


async def measure(saver: "BaseCheckpointSaver[Any]", thread_id: str) -> ThreadFootprint:
    """The footprint of a thread; all zero for one that has no history. Reads all of it."""
    channels = _Channels(saver.serde)
    checkpoint_count = checkpoint_bytes = write_count = write_bytes = 0
    async for found in saver.alist({"configurable": {"thread_id": thread_id}}):
        checkpoint_count += 1
        rest = {key: value for key, value in found.checkpoint.items() if key != "channel_values"}
        checkpoint_bytes += _size(saver.serde, rest) + _size(saver.serde, dict(found.metadata))
        channels.add(found.checkpoint)
        writes = found.pending_writes or []
        write_count += len(writes)
        write_bytes += sum(_size(saver.serde, value) for _, _, value in writes)
    return ThreadFootprint(
        checkpoint_count=checkpoint_count,
        checkpoint_bytes=checkpoint_bytes,
        write_count=write_count,
        write_bytes=write_bytes,
        channels=channels.footprints(),
    )


class _Channels:
    """Sizes by channel and version: a value that stays the same from checkpoint to checkpoint counts once."""

    def __init__(self, serde: "SerializerProtocol") -> None:
        self._serde = serde
        self._sizes: dict[str, dict[object, int]] = {}

    def add(self, checkpoint: "Checkpoint") -> None:
        values = checkpoint["channel_values"]
        for channel, version in checkpoint["channel_versions"].items():
            known = self._sizes.setdefault(channel, {})
            if version not in known:
                known[version] = _size(self._serde, values[channel]) if channel in values else 0

    def footprints(self) -> "Mapping[str, ChannelFootprint]":
        return {
            channel: ChannelFootprint(versions=len(sizes), size_bytes=sum(sizes.values()))
            for channel, sizes in self._sizes.items()
        }


def _size(serde: "SerializerProtocol", value: object) -> int:
    return len(serde.dumps_typed(value)[1])
