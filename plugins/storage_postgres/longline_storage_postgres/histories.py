"""How a channel that is stored as differences came to be."""

from collections.abc import Mapping, Sequence

import orjson
from langgraph.checkpoint.base import DeltaChannelHistory, PendingWrite
from langgraph.checkpoint.serde.base import SerializerProtocol
from psycopg.rows import DictRow

from longline_storage_postgres.connections import Connection
from longline_storage_postgres.statements import load_statements

_SQL = load_statements("checkpoints")


async def read_history(
    connection: Connection, serde: SerializerProtocol, key: Mapping[str, str | None], channels: Sequence[str]
) -> dict[str, DeltaChannelHistory]:
    """For each channel: its whole value at the nearest checkpoint before one (the newest if the key has no id) that has
    it, and the writes since, oldest first."""
    names = list(dict.fromkeys(channels))
    histories: dict[str, DeltaChannelHistory] = {name: {"writes": []} for name in names}
    sql = _SQL["find_parent" if key["checkpoint_id"] else "find_latest_parent"]
    row = await (await connection.execute(sql, key)).fetchone()
    if row is None or row["parent_checkpoint_id"] is None:
        return histories
    start = {**key, "checkpoint_id": row["parent_checkpoint_id"], "channels": names}
    steps = await (await connection.execute(_SQL["walk"], start)).fetchall()
    for name, writes in (await _writes(connection, serde, key, steps)).items():
        histories[name]["writes"] = writes
    for name, seed in (await _seeds(connection, serde, key, steps)).items():
        histories[name]["seed"] = seed
    return histories


async def _writes(
    connection: Connection, serde: SerializerProtocol, key: Mapping[str, str | None], steps: Sequence[DictRow]
) -> dict[str, list[PendingWrite]]:
    wanted = {
        **key,
        "channels": [step["channel"] for step in steps],
        "checkpoint_ids": [step["checkpoint_id"] for step in steps],
    }
    of_step: dict[tuple[str, str], list[PendingWrite]] = {}
    found = await connection.execute(_SQL["find_writes_of_channels"], wanted, binary=True)
    for row in await found.fetchall():
        value = serde.loads_typed((row["type"], row["blob"]))
        of_step.setdefault((row["channel"], row["checkpoint_id"]), []).append((row["task_id"], row["channel"], value))
    writes: dict[str, list[PendingWrite]] = {}
    for step in reversed(steps):  # nearest first
        writes.setdefault(step["channel"], []).extend(of_step.get((step["channel"], step["checkpoint_id"]), ()))
    return writes


async def _seeds(
    connection: Connection, serde: SerializerProtocol, key: Mapping[str, str | None], steps: Sequence[DictRow]
) -> dict[str, object]:
    whole = [step for step in steps if step["is_whole"]]
    seeds: dict[str, object] = {step["channel"]: orjson.loads(step["value"]) for step in whole if step["value"]}
    wanted = {**key, "channels": [step["channel"] for step in whole], "versions": [step["version"] for step in whole]}
    found = await connection.execute(_SQL["find_blobs"], wanted, binary=True)
    for row in await found.fetchall():
        seeds[row["channel"]] = serde.loads_typed((row["type"], row["blob"]))
    return seeds
