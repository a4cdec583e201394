"""What savers in front of another saver have in common."""

from collections.abc import Coroutine, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import (
        BaseCheckpointSaver,
        ChannelVersions,
        Checkpoint,
        CheckpointMetadata,
        CheckpointTuple,
    )

    _Saver = BaseCheckpointSaver[str]
else:  # slow to import: LangGraph's class is mixed in where a saver is made
    _Saver = object

T = TypeVar("T")


class OuterSaver(_Saver):
    """A saver in front of another. A subclass has the async methods, and says how work of other threads gets to the
    event loop; here are the methods for those threads."""

    def __init__(self, inner: "BaseCheckpointSaver[Any]") -> None:
        self.serde = inner.serde
        self._inner = inner

    def _from_thread(self, work: Coroutine[object, object, T]) -> T:
        """The result of work on the event loop, for another thread."""
        raise NotImplementedError

    def get_next_version(self, current: str | None, channel: None) -> str:
        """See BaseCheckpointSaver."""
        version: str = self._inner.get_next_version(current, channel)
        return version

    def get_tuple(self, config: "RunnableConfig") -> "CheckpointTuple | None":
        """See BaseCheckpointSaver."""
        return self._from_thread(self.aget_tuple(config))

    def list(
        self,
        config: "RunnableConfig | None",
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002  # LangGraph's name
        before: "RunnableConfig | None" = None,
        limit: int | None = None,
    ) -> "Iterator[CheckpointTuple]":
        """See BaseCheckpointSaver."""

        async def gather() -> "tuple[CheckpointTuple, ...]":
            return tuple([one async for one in self.alist(config, filter=filter, before=before, limit=limit)])

        yield from self._from_thread(gather())

    def put(
        self,
        config: "RunnableConfig",
        checkpoint: "Checkpoint",
        metadata: "CheckpointMetadata",
        new_versions: "ChannelVersions",
    ) -> "RunnableConfig":
        """See BaseCheckpointSaver."""
        return self._from_thread(self.aput(config, checkpoint, metadata, new_versions))

    def put_writes(
        self, config: "RunnableConfig", writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """See BaseCheckpointSaver."""
        self._from_thread(self.aput_writes(config, writes, task_id, task_path))

    def delete_thread(self, thread_id: str) -> None:
        """See BaseCheckpointSaver."""
        self._from_thread(self.adelete_thread(thread_id))
