"""Rows of checkpoints → what LangGraph takes."""

from langgraph.checkpoint.base import CheckpointTuple
from langgraph.checkpoint.serde.base import SerializerProtocol
from psycopg.rows import DictRow

from longline_storage_postgres.channel_values import decode_metadata, joined


def key_of(row: DictRow) -> tuple[str, str, str]:
    """What names a checkpoint."""
    return row["thread_id"], row["checkpoint_ns"], row["checkpoint_id"]


def load_tuple(row: DictRow, serde: SerializerProtocol) -> CheckpointTuple:
    """A checkpoint as LangGraph wants it."""
    place = {"thread_id": row["thread_id"], "checkpoint_ns": row["checkpoint_ns"]}
    parent = row["parent_checkpoint_id"]
    values = list(zip(row["types"] or (), row["blobs"] or (), strict=True))
    writes = zip(row["write_types"] or (), row["write_blobs"] or (), strict=True)
    return CheckpointTuple(
        config={"configurable": {**place, "checkpoint_id": row["checkpoint_id"]}},
        checkpoint=joined(row["checkpoint"], row["channels"] or (), values, serde),
        metadata=decode_metadata(row["metadata"]),
        parent_config={"configurable": {**place, "checkpoint_id": parent}} if parent else None,
        pending_writes=[
            (task_id, channel, serde.loads_typed(write))
            for task_id, channel, write in zip(row["task_ids"] or (), row["write_channels"] or (), writes, strict=True)
        ],
    )
