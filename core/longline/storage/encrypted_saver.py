"""LangGraph's saver behind a cipher."""

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

import orjson

from longline.models.json import JsonObject
from longline.storage.cipher import Place, Seal
from longline.storage.outer_saver import OuterSaver

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import (
        BaseCheckpointSaver,
        ChannelVersions,
        Checkpoint,
        CheckpointMetadata,
        CheckpointTuple,
    )

T = TypeVar("T")

_SEALED: Final = "__sealed__"
_CHECKPOINT: Final = Place("checkpoint", "checkpoint")
_WRITE: Final = Place("checkpoint", "write")
_METADATA: Final = Place("checkpoint", "metadata")
_PLAIN_METADATA: Final = frozenset({
    "source", "step", "parents", "run_id", "thread_id", "checkpoint_ns", "checkpoint_id",
    "counters_since_delta_snapshot", "run_attempt", "graph_id", "assistant_id", "langgraph_version",
})  # fmt: skip
"""What LangGraph and storages work with: ids, numbers, names of nodes."""
_PLACE_KEYS: Final = ("thread_id", "checkpoint_ns", "checkpoint_id", "checkpoint_map")


def encrypted_saver(saver: "BaseCheckpointSaver[str]", seal: Seal) -> "BaseCheckpointSaver[str]":
    """The saver, with values, writes and what callers put into the metadata encrypted. Which channels, nodes and tasks
    there are stays readable. Imports LangGraph."""
    return _saver_class()(saver, seal)


class _Methods(OuterSaver):
    """What an encrypted saver does; it inherits the rest from LangGraph's base class, which is slow to import."""

    def __init__(self, inner: "BaseCheckpointSaver[str]", seal: Seal) -> None:
        super().__init__(inner)
        self._seal = seal

    async def aget_tuple(self, config: "RunnableConfig") -> "CheckpointTuple | None":
        """See BaseCheckpointSaver."""
        found = await self._inner.aget_tuple(config)
        return None if found is None else await self._open(found)

    async def alist(
        self,
        config: "RunnableConfig | None",
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002  # LangGraph's name
        before: "RunnableConfig | None" = None,
        limit: int | None = None,
    ) -> "AsyncIterator[CheckpointTuple]":
        """See BaseCheckpointSaver. The filter sees metadata as they are stored."""
        async for found in self._inner.alist(config, filter=filter, before=before, limit=limit):
            yield await self._open(found)

    async def aput(
        self,
        config: "RunnableConfig",
        checkpoint: "Checkpoint",
        metadata: "CheckpointMetadata",
        new_versions: "ChannelVersions",
    ) -> "RunnableConfig":
        """See BaseCheckpointSaver."""
        from langgraph.checkpoint.base import get_checkpoint_metadata  # noqa: PLC0415  # LangGraph is slow to import

        values = checkpoint["channel_values"]
        closed: Any = dict.fromkeys(values)
        closed[_SEALED] = await self._close_value(_CHECKPOINT, values)
        described: Any = await self._close_metadata(dict(get_checkpoint_metadata(config, metadata)))
        stored: Any = {**checkpoint, "channel_values": closed}
        return await self._inner.aput(_only_place(config), stored, described, new_versions)

    async def aput_writes(
        self, config: "RunnableConfig", writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """See BaseCheckpointSaver."""
        closed = [(channel, await self._close_value(_WRITE, value)) for channel, value in writes]
        await self._inner.aput_writes(config, closed, task_id, task_path)

    async def adelete_thread(self, thread_id: str) -> None:
        """See BaseCheckpointSaver."""
        await self._inner.adelete_thread(thread_id)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """See BaseCheckpointSaver."""
        await self._inner.adelete_for_runs(run_ids)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """See BaseCheckpointSaver."""
        await self._inner.acopy_thread(source_thread_id, target_thread_id)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """See BaseCheckpointSaver."""
        await self._inner.aprune(thread_ids, strategy=strategy)

    def _from_thread(self, work: Coroutine[object, object, T]) -> T:
        return self._seal.from_thread(work)

    # -- one value at a time ------------------------------------------------------------------------------------

    async def _open(self, found: "CheckpointTuple") -> "CheckpointTuple":
        values: Any = found.checkpoint["channel_values"]
        if _SEALED in values:
            values = await self._open_value(_CHECKPOINT, values[_SEALED])
        checkpoint: Any = {**found.checkpoint, "channel_values": values}
        writes = [
            (task_id, channel, await self._open_value(_WRITE, value))
            for task_id, channel, value in found.pending_writes or ()
        ]
        metadata: Any = await self._open_metadata(dict(found.metadata))
        return found._replace(checkpoint=checkpoint, metadata=metadata, pending_writes=writes)

    async def _close_value(self, place: Place, value: object) -> bytes:
        kind, data = self.serde.dumps_typed(value)
        return await self._seal.close_blob(place, kind.encode() + b"\0" + data)

    async def _open_value(self, place: Place, value: object) -> object:
        if not isinstance(value, bytes):
            return value
        opened = await self._seal.open_blob(place, value)
        if opened is value:  # stored before there was a cipher
            return value
        kind, _, data = opened.partition(b"\0")
        return self.serde.loads_typed((kind.decode(), data))

    async def _close_metadata(self, metadata: dict[str, Any]) -> dict[str, Any]:
        """Through JSON, as it will be stored: what a graph put there may be anything."""
        plain = {key: value for key, value in metadata.items() if key in _PLAIN_METADATA}
        rest: JsonObject = orjson.loads(
            orjson.dumps({key: value for key, value in metadata.items() if key not in plain}, default=str)
        )
        return {**plain, **await self._seal.close(_METADATA, rest)}

    async def _open_metadata(self, metadata: dict[str, Any]) -> dict[str, Any]:
        plain = {key: value for key, value in metadata.items() if key in _PLAIN_METADATA}
        rest = {key: value for key, value in metadata.items() if key not in plain}
        return {**plain, **await self._seal.open(_METADATA, rest)}


def _only_place(config: "RunnableConfig") -> "RunnableConfig":
    """Without what a saver would copy into the metadata, which is there already."""
    configurable = config["configurable"]
    return {"configurable": {key: configurable[key] for key in _PLACE_KEYS if key in configurable}}


@cache
def _saver_class() -> "Callable[[BaseCheckpointSaver[str], Seal], BaseCheckpointSaver[str]]":
    from langgraph.checkpoint.base import BaseCheckpointSaver  # noqa: PLC0415  # LangGraph is slow to import

    class EncryptedSaver(_Methods, BaseCheckpointSaver[str]):
        """See encrypted_saver."""

    return EncryptedSaver
