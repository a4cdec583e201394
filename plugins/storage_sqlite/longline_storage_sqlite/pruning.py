"""Which checkpoints of a thread must stay when only the latest is wanted."""

import json
import sqlite3
from collections.abc import Mapping

from langgraph.checkpoint.serde.base import SerializerProtocol

from longline_storage_sqlite.statements import load_statements

_SQL = load_statements("checkpoints")

_COUNTERS = "counters_since_delta_snapshot"  # LangGraph's note on which channels are not stored whole here


def kept_checkpoints(connection: sqlite3.Connection, serde: SerializerProtocol, thread_id: str) -> set[tuple[str, str]]:
    """The latest checkpoint of each namespace, and those ancestors from which its delta channels are rebuilt, as
    pairs of namespace and id."""
    return _with_ancestors(connection, serde, thread_id, _latest(connection, thread_id))


def needed_checkpoints(
    connection: sqlite3.Connection, serde: SerializerProtocol, thread_id: str
) -> set[tuple[str, str]]:
    """The same without subgraphs that ended: each call of one has a namespace of its own (`name:task`), and a thread
    may have had very many. Those that the latest state waits for began after it was stored."""
    latest = _latest(connection, thread_id)
    state = latest.get("", "")
    needed = {name: newest for name, newest in latest.items() if ":" not in name or newest > state}
    return _with_ancestors(connection, serde, thread_id, needed)


def _latest(connection: sqlite3.Connection, thread_id: str) -> dict[str, str]:
    """The newest checkpoint of each namespace."""
    rows = connection.execute(_SQL["latest_of_namespaces"], {"thread_id": thread_id}).fetchall()
    return {row["checkpoint_ns"]: row["checkpoint_id"] for row in rows}


def _with_ancestors(
    connection: sqlite3.Connection, serde: SerializerProtocol, thread_id: str, latest: Mapping[str, str]
) -> set[tuple[str, str]]:
    kept: set[tuple[str, str]] = set()
    for namespace, newest in latest.items():
        missing: set[str] | None = None
        checkpoint_id: str | None = newest
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
