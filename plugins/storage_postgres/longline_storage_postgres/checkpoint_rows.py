"""Rows of checkpoints ↔ what LangGraph takes and gives."""

from collections.abc import Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import WRITES_IDX_MAP, CheckpointTuple, get_checkpoint_id
from langgraph.checkpoint.serde.base import SerializerProtocol
from psycopg.rows import DictRow

from longline_storage_postgres.channel_values import decode_metadata, joined


def key_of(row: DictRow) -> tuple[str, str, str]:
    """What names a checkpoint."""
    return row["thread_id"], row["checkpoint_ns"], row["checkpoint_id"]


def wanted_of(config: RunnableConfig) -> dict[str, str | None]:
    """What a config asks for: without an id, the latest checkpoint."""
    configurable, checkpoint_id = config["configurable"], get_checkpoint_id(config)
    return {
        "thread_id": str(configurable["thread_id"]),
        "checkpoint_ns": configurable.get("checkpoint_ns", ""),
        "checkpoint_id": str(checkpoint_id) if checkpoint_id else None,
    }


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


def columns_of(writes: Sequence[tuple[str, Any]], serde: SerializerProtocol, *, replaces: bool) -> dict[str, object]:
    """The writes of a task, column by column. Of several at one place the last counts where it `replaces` what is
    stored, else the first."""
    rows: dict[int, tuple[str, str, bytes]] = {}
    for index, (channel, value) in enumerate(writes):
        place = WRITES_IDX_MAP.get(channel, index)
        if replaces or place not in rows:
            rows[place] = (channel, *serde.dumps_typed(value))
    return {
        "idx": list(rows),
        "channels": [channel for channel, _, _ in rows.values()],
        "types": [kind for _, kind, _ in rows.values()],
        "blobs": [data for _, _, data in rows.values()],
    }
