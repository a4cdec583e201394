"""Which checkpoints of a thread must stay when only the latest is wanted."""

from longline_storage_postgres.connections import Connection
from longline_storage_postgres.statements import load_statements

_SQL = load_statements("checkpoints")


async def kept_checkpoints(connection: Connection, thread_id: str) -> set[tuple[str, str]]:
    """The latest checkpoint of each namespace, and those ancestors from which its delta channels are rebuilt, as
    pairs of namespace and id."""
    return await _with_ancestors(connection, thread_id, await _latest(connection, thread_id))


async def needed_checkpoints(connection: Connection, thread_id: str) -> set[tuple[str, str]]:
    """The same without subgraphs that ended: each call of one has a namespace of its own (`name:task`), and a thread
    may have had very many. Those that the latest state waits for began after it was stored."""
    latest = await _latest(connection, thread_id)
    state = latest[""][0] if "" in latest else ""
    needed = {name: newest for name, newest in latest.items() if ":" not in name or newest[0] > state}
    return await _with_ancestors(connection, thread_id, needed)


async def _latest(connection: Connection, thread_id: str) -> dict[str, tuple[str, list[str]]]:
    """The newest checkpoint of each namespace, and which of its channels are not stored whole there."""
    found = await connection.execute(_SQL["latest_of_namespaces"], {"thread_id": thread_id})
    return {row["checkpoint_ns"]: (row["checkpoint_id"], row["channels"]) for row in await found.fetchall()}


async def _with_ancestors(
    connection: Connection, thread_id: str, latest: dict[str, tuple[str, list[str]]]
) -> set[tuple[str, str]]:
    kept = {(namespace, newest) for namespace, (newest, _) in latest.items()}
    for namespace, (newest, channels) in latest.items():
        if channels:
            start = {
                "thread_id": thread_id, "checkpoint_ns": namespace, "checkpoint_id": newest, "channels": channels
            }  # fmt: skip
            rows = await (await connection.execute(_SQL["walk"], start)).fetchall()
            kept |= {(namespace, row["checkpoint_id"]) for row in rows}
    return kept
