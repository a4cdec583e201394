"""What is past its time goes from the database, in short transactions between which others write.

Several processes may sweep at once. A thread is held while a piece of it goes: other sweeps and claims pass it over, a
new run waits for the end of the piece.
"""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial

import psycopg

from longline.errors import NotFoundError
from longline.models.filters import EVERYTHING, Filter, matches
from longline.models.retention import SweepOrder, Swept
from longline_storage_postgres.connections import Connection
from longline_storage_postgres.database import Database
from longline_storage_postgres.fencing import require_idle
from longline_storage_postgres.langgraph_parts import LangGraphParts
from longline_storage_postgres.rows import decode_object
from longline_storage_postgres.statements import load_statements

Keeps = Callable[[Connection, str], Awaitable[set[tuple[str, str]]]]
"""Which checkpoints of a thread its latest state needs."""

logger = logging.getLogger(__name__)

_SQL = load_statements("retention")
_CHECKPOINTS = load_statements("checkpoints")

_OTHER_PARTS = ("delete_some_other_writes", "delete_some_other_checkpoints", "delete_some_unused_blobs")
_ALL_PARTS = (*_OTHER_PARTS, "delete_some_events_of_thread", "delete_some_runs_of_thread")


class PostgresRetention:
    """See Retention."""

    def __init__(self, database: Database, parts: LangGraphParts) -> None:
        self._database = database
        self._parts = parts

    async def sweep(self, order: SweepOrder) -> Swept:
        """See Retention."""
        swept = await self._sweep_threads(order)
        if not swept.is_done:  # looking for the rest after each piece of a thread would take most of the time
            return swept
        if order.streams_before is not None:
            swept += await self._sweep_streams(order, order.streams_before)
        return swept + await self._sweep_items(order)

    async def keep_latest(self, thread_id: str, *, visible: Filter = EVERYTHING) -> None:
        """See Retention."""
        keeps = await self._keeps()

        async def work(connection: Connection) -> None:
            row = await (await connection.execute(_SQL["lock_thread"], {"thread_id": thread_id})).fetchone()
            if row is None or not matches(visible, decode_object(row["metadata"])):
                raise NotFoundError("thread", thread_id)
            await require_idle(connection, thread_id)
            others = _others(thread_id, await keeps(connection, thread_id))
            for name in ("delete_other_writes", "delete_other_checkpoints", "delete_unused_blobs"):
                await connection.execute(_CHECKPOINTS[name], others)

        await self._database.write(work)

    async def scrub(self) -> None:
        """See Retention. The server frees and overwrites space by itself (autovacuum); what its write-ahead log, its
        replicas and its backups still hold is out of a client's reach."""

    # -- threads ----------------------------------------------------------------------------------------------------

    async def _sweep_threads(self, order: SweepOrder) -> Swept:
        thread_ids = await self._due_threads(order)
        if not thread_ids:
            return Swept()
        keeps = await self._keeps()
        swept = Swept()
        has_moved = False
        for number, thread_id in enumerate(thread_ids, 1):
            limit = order.most_rows - swept.rows
            part = await self._database.write(
                partial(_sweep_thread, thread_id=thread_id, at=order.at, limit=limit, keeps=keeps)
            )
            has_moved = has_moved or part is not None
            swept += part or Swept()
            if swept.rows >= order.most_rows or not swept.is_done:
                return swept + Swept(is_done=swept.is_done and _is_last(order, thread_ids, number))
        # Where nothing moved, somebody else is at all of them: to look again at once would help nobody.
        return swept + Swept(is_done=not has_moved or _is_last(order, thread_ids, len(thread_ids)))

    async def _due_threads(self, order: SweepOrder) -> list[str]:
        due = {"now": order.at, "limit": order.most_threads}

        async def work(connection: Connection) -> list[str]:
            rows = await (await connection.execute(_SQL["due_threads"], due)).fetchall()
            return [row["thread_id"] for row in rows]

        return await self._database.read(work)

    async def _keeps(self) -> Keeps:
        saver = await self._parts.checkpointer(None)
        return saver.needed

    # -- streams and items ------------------------------------------------------------------------------------------

    async def _sweep_streams(self, order: SweepOrder, before: datetime) -> Swept:
        due = {"before": before, "limit": order.most_threads}

        async def find(connection: Connection) -> list[str]:
            rows = await (await connection.execute(_SQL["due_streams"], due)).fetchall()
            return [row["run_id"] for row in rows]

        run_ids = await self._database.read(find)
        if not run_ids:
            return Swept()
        some = {"run_ids": run_ids, "limit": order.most_rows}

        async def work(connection: Connection) -> int:
            return (await connection.execute(_SQL["delete_some_events_of_runs"], some)).rowcount

        removed = await self._database.write(work)
        is_done = removed < order.most_rows and (len(run_ids) < order.most_threads or removed == 0)
        return Swept(rows=removed, is_done=is_done)

    async def _sweep_items(self, order: SweepOrder) -> Swept:
        due = {"now": order.at, "limit": order.most_rows}

        async def work(connection: Connection) -> int:
            return (await connection.execute(_SQL["delete_some_items"], due)).rowcount

        removed = await self._database.write(work)
        return Swept(items=removed, is_done=removed < order.most_rows)


async def _sweep_thread(
    connection: Connection, *, thread_id: str, at: datetime, limit: int, keeps: Keeps
) -> Swept | None:
    """One piece of a thread that is still due; None if somebody else is at it. Its latest checkpoints stay to the end:
    until the thread itself goes, a caller who comes back to it finds its state whole."""
    thread = {"thread_id": thread_id}
    if await (await connection.execute(_SQL["lock_free_thread"], thread)).fetchone() is None:
        return None
    row = await (await connection.execute(_SQL["is_due"], {**thread, "now": at})).fetchone()
    if row is None:
        return Swept()
    deletes = row["ttl_strategy"] == "delete"
    kept = await _kept(connection, thread_id, keeps)
    if kept is None and not deletes:
        await connection.execute(_SQL["set_pruned"], thread)
        return Swept()
    removed = 0
    others = _others(thread_id, kept or set())
    for name in _ALL_PARTS if deletes else _OTHER_PARTS:
        removed += (await connection.execute(_SQL[name], {**others, "limit": limit - removed})).rowcount
        if removed >= limit:
            return Swept(rows=removed, is_done=False)
    if not deletes:
        await connection.execute(_SQL["set_pruned"], thread)
        return Swept(rows=removed, pruned=(thread_id,))
    await connection.execute(_SQL["delete_thread"], thread)
    return Swept(rows=removed + 1, gone=(thread_id,))


async def _kept(connection: Connection, thread_id: str, keeps: Keeps) -> set[tuple[str, str]] | None:
    """What the latest state needs; None where that cannot be told, which must not hold up other threads."""
    try:
        return await keeps(connection, thread_id)
    except psycopg.Error:
        raise
    except Exception:
        logger.exception("checkpoints not readable", extra={"thread_id": thread_id})
        return None


def _is_last(order: SweepOrder, thread_ids: list[str], number: int) -> bool:
    """Whether no thread is due after this one."""
    return number == len(thread_ids) < order.most_threads


def _others(thread_id: str, kept: set[tuple[str, str]]) -> dict[str, str | int | list[str]]:
    pairs = sorted(kept)
    return {
        "thread_id": thread_id,
        "kept_ns": [namespace for namespace, _ in pairs],
        "kept_ids": [checkpoint_id for _, checkpoint_id in pairs],
    }
