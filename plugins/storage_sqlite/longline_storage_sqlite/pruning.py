"""Which checkpoints of a thread must stay when only the latest is wanted."""

import json
import sqlite3

from langgraph.checkpoint.serde.base import SerializerProtocol

from longline_storage_sqlite.statements import load_statements

_SQL = load_statements("checkpoints")

_COUNTERS = "counters_since_delta_snapshot"  # LangGraph's note on which channels are not stored whole here


def kept_checkpoints(connection: sqlite3.Connection, serde: SerializerProtocol, thread_id: str) -> set[tuple[str, str]]:
    """The latest checkpoint of each namespace, and those ancestors from which its delta channels are rebuilt, as
    pairs of namespace and id."""
    kept: set[tuple[str, str]] = set()
    for latest in connection.execute(_SQL["latest_of_namespaces"], {"thread_id": thread_id}).fetchall():
        namespace = latest["checkpoint_ns"]
        missing: set[str] | None = None
        checkpoint_id = latest["checkpoint_id"]
        while checkpoint_id is not None and (namespace, checkpoint_id) not in kept:
            row = connection.execute(_SQL["find"], (thread_id, namespace, checkpoint_id)).fetchone()
            if row is None:
                break
            kept.add((namespace, checkpoint_id))
            if missing is None:
                missing = set(json.loads(row["metadata"] or b"{}").get(_COUNTERS) or ())
            if missing:
                missing -= set(serde.loads_typed((row["type"], row["checkpoint"])).get("channel_values") or ())
            if not missing:
                break
            checkpoint_id = row["parent_checkpoint_id"]
    return kept
