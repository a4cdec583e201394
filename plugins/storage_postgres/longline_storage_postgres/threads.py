"""Threads. That one is busy is not stored: it follows from its unfinished runs."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from longline.errors import AlreadyExistsError, NotFoundError, ThreadBusyError
from longline.models.filters import EVERYTHING, Filter, matches
from longline.models.json import JsonObject
from longline.models.pages import Page
from longline.models.threads import NewThread, Thread, ThreadQuery, ThreadState, ThreadTtl
from longline_storage_postgres.clocks import instant
from longline_storage_postgres.conditions import Condition, condition
from longline_storage_postgres.connections import Connection
from longline_storage_postgres.database import Database
from longline_storage_postgres.rows import (
    can_be_stored,
    encode,
    new_thread_model,
    state_parameters,
    thread_from_row,
    thread_parameters,
    ttl_from_row,
    ttl_parameters,
)
from longline_storage_postgres.searches import Search, fetch_page
from longline_storage_postgres.statements import load_statements

_SQL = load_statements("threads")
_CHECKPOINTS = load_statements("checkpoints")


class PostgresThreads:
    """See ThreadStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, thread: NewThread) -> Thread:
        """See ThreadStore."""
        row = thread_parameters(thread)

        async def work(connection: Connection) -> None:
            if (await connection.execute(_SQL["insert"], row)).rowcount == 0:
                raise AlreadyExistsError("thread", thread.thread_id)

        await self._database.write(work)
        return new_thread_model(thread)

    async def get(self, thread_id: str, *, visible: Filter = EVERYTHING) -> Thread:
        """See ThreadStore."""
        return await self._database.read(lambda connection: _get(connection, thread_id, visible))

    async def search(self, query: ThreadQuery) -> Page[Thread]:
        """See ThreadStore."""
        search = _search(query)
        return await self._database.read_snapshot(
            lambda connection: fetch_page(connection, search, count=_SQL["count"], build=thread_from_row)
        )

    async def update(
        self,
        thread_id: str,
        *,
        metadata: JsonObject,
        at: datetime,
        ttl: ThreadTtl | None = None,
        visible: Filter = EVERYTHING,
    ) -> Thread:
        """See ThreadStore."""

        async def work(connection: Connection) -> Thread:
            await _lock(connection, thread_id)
            thread = await _get(connection, thread_id, visible)
            merged = {**thread.metadata, **metadata}
            row = {"thread_id": thread_id, "metadata": encode(merged), "at": at}
            await connection.execute(_SQL["set_metadata"], row)
            if ttl is not None:
                stay = ttl_parameters(ttl)
                await connection.execute(_SQL["set_ttl"], {"thread_id": thread_id, **stay})
                thread = replace(thread, ttl=ttl_from_row(dict(stay)))
            return replace(thread, metadata=merged, updated_at=instant(at))

        return await self._database.write(work)

    async def set_state(self, thread_id: str, state: ThreadState, *, at: datetime) -> int:
        """See ThreadStore."""
        row = {**state_parameters(state), "thread_id": thread_id, "at": at}

        async def work(connection: Connection) -> int:
            await _lock(connection, thread_id)
            stored = await (await connection.execute(_SQL["set_state_between_runs"], row)).fetchone()
            if stored is None:
                raise ThreadBusyError(thread_id)
            return int(stored["turns"])

        return await self._database.write(work)

    async def copy(self, thread_id: str, new_thread_id: str, *, at: datetime, visible: Filter = EVERYTHING) -> Thread:
        """See ThreadStore."""
        row = {"thread_id": thread_id, "new_thread_id": new_thread_id, "at": at}

        async def work(connection: Connection) -> Thread:
            await _lock(connection, thread_id, "hold")  # so that nothing of it goes while it is copied
            await _get(connection, thread_id, visible)
            if (await connection.execute(_SQL["copy"], row)).rowcount == 0:
                raise AlreadyExistsError("thread", new_thread_id)
            for part in ("copy_checkpoints", "copy_blobs", "copy_writes"):
                await connection.execute(_CHECKPOINTS[part], row)
            return await _get(connection, new_thread_id, EVERYTHING)

        return await self._database.write(work)

    async def delete(self, thread_id: str, *, visible: Filter = EVERYTHING) -> Sequence[str]:
        """See ThreadStore."""

        async def work(connection: Connection) -> Sequence[str]:
            await _lock(connection, thread_id)
            await _get(connection, thread_id, visible)
            row = {"thread_id": thread_id}
            unfinished = await (await connection.execute(_SQL["unfinished_run_ids"], row)).fetchall()
            await connection.execute(_SQL["delete"], row)
            return [run["run_id"] for run in unfinished]

        return await self._database.write(work)


async def _lock(connection: Connection, thread_id: str, how: str = "lock") -> None:
    """Nobody else changes the thread before the end of the transaction. Raises NotFoundError: one that is made a moment
    later was not locked, and to go on with it would break the order of locks."""
    row = {"thread_id": thread_id}
    if not can_be_stored(thread_id) or await (await connection.execute(_SQL[how], row)).fetchone() is None:
        raise NotFoundError("thread", thread_id)


async def _get(connection: Connection, thread_id: str, visible: Filter) -> Thread:
    if can_be_stored(thread_id):
        row = await (await connection.execute(_SQL["find"], {"thread_id": thread_id})).fetchone()
        if row is not None:
            thread = thread_from_row(row)
            if matches(visible, thread.metadata):
                return thread
    raise NotFoundError("thread", thread_id)


def _search(query: ThreadQuery) -> Search:
    conditions = [condition(query.visible, "metadata"), condition(query.metadata, "metadata")]
    if query.values != EVERYTHING:
        conditions.append(condition(query.values, "values"))
    if query.status is not None:
        conditions.append(Condition(_SQL["of_status"], (query.status,)))
    if query.thread_ids is not None:
        conditions.append(Condition(_SQL["of_ids"], (list(filter(can_be_stored, query.thread_ids)),)))
    return Search(
        select=Condition(_SQL["search"]),
        conditions=conditions,
        order=_SQL[f"by_{query.sort_by}_{query.sort_order}"],
        limit=query.limit,
        offset=query.offset,
    )
