"""What is past its time goes from the file, in short transactions between which others write."""

import logging
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime

from longline.errors import NotFoundError
from longline.models.filters import EVERYTHING, Filter, matches
from longline.models.retention import SweepOrder, Swept
from longline.threads import in_thread
from longline_storage_sqlite.clocks import micros
from longline_storage_sqlite.connections import open_writer
from longline_storage_sqlite.database import Database
from longline_storage_sqlite.errors import translated
from longline_storage_sqlite.fencing import require_idle
from longline_storage_sqlite.langgraph_parts import LangGraphParts
from longline_storage_sqlite.rows import decode_object, encode
from longline_storage_sqlite.statements import load_statements

Keeps = Callable[[sqlite3.Connection, str], set[tuple[str, str]]]
"""Which checkpoints of a thread its latest state needs."""

logger = logging.getLogger(__name__)

_SQL = load_statements("retention")
_THREADS = load_statements("threads")
_CHECKPOINTS = load_statements("checkpoints")

_TRUNCATE_SECONDS = 0.1  # writers wait while it waits for readers: a heartbeat must not come too late for that
_TRUNCATE_PAUSE_SECONDS = 0.25
_TRUNCATE_ATTEMPTS = 20
_VACUUM_ROUNDS = 1_000  # of 200 pages each: at most so much of the file is given back at a time


class SqliteRetention:
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

        def work(connection: sqlite3.Connection) -> None:
            row = connection.execute(_THREADS["find_metadata"], {"thread_id": thread_id}).fetchone()
            if row is None or not matches(visible, decode_object(row["metadata"])):
                raise NotFoundError("thread", thread_id)
            require_idle(connection, thread_id)
            others = {"thread_id": thread_id, "kept": _encoded(keeps(connection, thread_id))}
            connection.execute(_CHECKPOINTS["delete_other_checkpoints"], others)
            connection.execute(_CHECKPOINTS["delete_other_writes"], others)

        await self._database.writer.run(work)

    async def scrub(self) -> None:
        """See Retention. Freed pages are zero already (`secure_delete`); what is left is in the write-ahead log."""
        await in_thread(_scrub, self._database)

    # -- threads ----------------------------------------------------------------------------------------------------

    async def _sweep_threads(self, order: SweepOrder) -> Swept:
        due = {"now": micros(order.at), "limit": order.most_threads}
        rows = await self._database.readers.run(
            lambda connection: connection.execute(_SQL["due_threads"], due).fetchall()
        )
        swept = Swept(is_done=len(rows) < order.most_threads)
        if not rows:
            return swept
        keeps = await self._keeps()
        budget = order.most_rows
        for number, row in enumerate(rows):
            part = await self._database.writer.run(
                lambda connection, thread_id=row["thread_id"], rows_left=budget: _sweep_thread(  # type: ignore[misc]  # bound now
                    connection, thread_id, micros(order.at), rows_left, keeps
                )
            )
            swept += part
            budget -= part.rows
            if budget <= 0 or not part.is_done:
                return swept + Swept(is_done=part.is_done and swept.is_done and number == len(rows) - 1)
        return swept

    async def _keeps(self) -> Keeps:
        saver = await self._parts.checkpointer(None)
        return saver.needed

    # -- streams and items ------------------------------------------------------------------------------------------

    async def _sweep_streams(self, order: SweepOrder, before: datetime) -> Swept:
        due = {"before": micros(before), "limit": order.most_threads}
        rows = await self._database.readers.run(
            lambda connection: connection.execute(_SQL["due_streams"], due).fetchall()
        )
        run_ids = [row["run_id"] for row in rows]
        if not run_ids:
            return Swept()
        removed = await self._database.writer.run(
            lambda connection: _delete_events(connection, run_ids, order.most_rows)
        )
        return Swept(rows=removed, is_done=removed < order.most_rows and len(rows) < order.most_threads)

    async def _sweep_items(self, order: SweepOrder) -> Swept:
        due = {"now": order.at.strftime("%Y-%m-%d %H:%M:%S.%f"), "limit": order.most_rows}

        def work(connection: sqlite3.Connection) -> int:
            if not connection.execute(_SQL["has_items"]).fetchone()[0]:
                return 0
            return connection.execute(_SQL["delete_some_items"], due).rowcount

        removed = await self._database.writer.run(work)
        return Swept(items=removed, is_done=removed < order.most_rows)


def _sweep_thread(connection: sqlite3.Connection, thread_id: str, now: int, limit: int, keeps: Keeps) -> Swept:
    """One piece of a thread that is still due. Its latest checkpoints stay to the end: until the thread itself goes, a
    caller who comes back to it finds its state whole."""
    row = connection.execute(_SQL["is_due"], {"thread_id": thread_id, "now": now}).fetchone()
    if row is None:
        return Swept()
    deletes = row["ttl_strategy"] == "delete"
    kept = _kept(connection, thread_id, keeps)
    if kept is None and not deletes:
        connection.execute(_SQL["set_pruned"], {"thread_id": thread_id})
        return Swept()
    piece: dict[str, str | int] = {"thread_id": thread_id, "kept": _encoded(kept or set())}
    removed = 0
    steps = ["delete_some_other_writes", "delete_some_other_checkpoints"]
    for name in [*steps, "delete_some_events_of_thread", "delete_some_runs_of_thread"] if deletes else steps:
        removed += connection.execute(_SQL[name], {**piece, "limit": limit - removed}).rowcount
        if removed >= limit:
            return Swept(rows=removed, is_done=False)
    if not deletes:
        connection.execute(_SQL["set_pruned"], {"thread_id": thread_id})
        return Swept(rows=removed, pruned=(thread_id,))
    connection.execute(_THREADS["delete"], {"thread_id": thread_id})
    return Swept(rows=removed + 1, gone=(thread_id,))


def _kept(connection: sqlite3.Connection, thread_id: str, keeps: Keeps) -> set[tuple[str, str]] | None:
    """What the latest state needs; None where that cannot be told, which must not hold up other threads."""
    try:
        return keeps(connection, thread_id)
    except sqlite3.Error:
        raise
    except Exception:
        logger.exception("checkpoints not readable", extra={"thread_id": thread_id})
        return None


def _delete_events(connection: sqlite3.Connection, run_ids: list[str], limit: int) -> int:
    removed = 0
    for run_id in run_ids:
        if removed >= limit:
            break
        removed += connection.execute(
            _SQL["delete_some_events_of_run"], {"run_id": run_id, "limit": limit - removed}
        ).rowcount
    return removed


def _scrub(database: Database) -> None:
    # Not through the writer: neither can be done inside a transaction.
    with (
        translated(database.path),
        closing(open_writer(database.path, busy_timeout_seconds=database.busy_timeout_seconds)) as connection,
    ):
        for _ in range(_VACUUM_ROUNDS):
            if not _return_pages(connection):
                break
    for _ in range(_TRUNCATE_ATTEMPTS):
        if _truncate_log(database):
            return
        time.sleep(_TRUNCATE_PAUSE_SECONDS)
    logger.info("write-ahead log still in use", extra={"file": str(database.path)})


def _truncate_log(database: Database) -> bool:
    """Whether the write-ahead log could be emptied."""
    with (
        translated(database.path),
        closing(open_writer(database.path, busy_timeout_seconds=_TRUNCATE_SECONDS)) as connection,
    ):
        return not connection.execute(_SQL["truncate_log"]).fetchone()[0]


def _return_pages(connection: sqlite3.Connection) -> bool:
    """Give some pages back; whether there may be more to give."""
    before: int = connection.execute(_SQL["free_pages"]).fetchone()[0]
    connection.executescript(_SQL["return_pages"])  # `execute` would stop after the first of its steps
    after: int = connection.execute(_SQL["free_pages"]).fetchone()[0]
    return 0 < after < before


def _encoded(kept: set[tuple[str, str]]) -> str:
    return encode([list(key) for key in sorted(kept)])
