"""Threads. That one is busy is not stored: it follows from its unfinished runs."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from longline.errors import AlreadyExistsError, NotFoundError, ThreadBusyError
from longline.models.filters import EVERYTHING, Filter, matches
from longline.models.json import JsonObject
from longline.models.pages import Page
from longline.models.threads import NewThread, Thread, ThreadQuery, ThreadState, ThreadTtl
from longline_storage_sqlite.clocks import micros
from longline_storage_sqlite.conditions import Condition, condition
from longline_storage_sqlite.database import Database
from longline_storage_sqlite.rows import (
    encode,
    new_thread_model,
    state_parameters,
    thread_from_row,
    thread_parameters,
    ttl_parameters,
)
from longline_storage_sqlite.searches import Search, fetch_page
from longline_storage_sqlite.statements import load_statements
from longline_storage_sqlite.turns import take_turn

_SQL = load_statements("threads")
_RUNS = load_statements("queue")
_CHECKPOINTS = load_statements("checkpoints")


class SqliteThreads:
    """See ThreadStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, thread: NewThread) -> Thread:
        """See ThreadStore."""
        row = thread_parameters(thread)

        def work(connection: sqlite3.Connection) -> None:
            if connection.execute(_SQL["insert"], row).rowcount == 0:
                raise AlreadyExistsError("thread", thread.thread_id)

        await self._database.writer.run(work)
        return new_thread_model(thread)

    async def get(self, thread_id: str, *, visible: Filter = EVERYTHING) -> Thread:
        """See ThreadStore."""
        return await self._database.readers.run(lambda connection: _get(connection, thread_id, visible))

    async def search(self, query: ThreadQuery) -> Page[Thread]:
        """See ThreadStore."""
        search = _search(query)
        return await self._database.readers.run(
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

        def work(connection: sqlite3.Connection) -> Thread:
            merged = {**_get(connection, thread_id, visible).metadata, **metadata}
            connection.execute(
                _SQL["set_metadata"], {"thread_id": thread_id, "metadata": encode(merged), "at": micros(at)}
            )
            if ttl is not None:
                connection.execute(_SQL["set_ttl"], {"thread_id": thread_id, **ttl_parameters(ttl)})
            return _get(connection, thread_id, EVERYTHING)

        return await self._database.writer.run(work)

    async def set_state(self, thread_id: str, state: ThreadState, *, at: datetime) -> int:
        """See ThreadStore."""
        row = {**state_parameters(state), "thread_id": thread_id, "at": micros(at), "has_run": False}

        def work(connection: sqlite3.Connection) -> int:
            if connection.execute(_RUNS["has_unfinished"], {"thread_id": thread_id}).fetchone()[0]:
                raise ThreadBusyError(thread_id)
            if connection.execute(_SQL["set_state"], row).rowcount == 0:
                raise NotFoundError("thread", thread_id)
            return take_turn(connection, thread_id)

        return await self._database.writer.run(work)

    async def copy(self, thread_id: str, new_thread_id: str, *, at: datetime, visible: Filter = EVERYTHING) -> Thread:
        """See ThreadStore."""
        row = {"thread_id": thread_id, "new_thread_id": new_thread_id, "at": micros(at)}

        def work(connection: sqlite3.Connection) -> Thread:
            _get(connection, thread_id, visible)
            if connection.execute(_SQL["copy"], row).rowcount == 0:
                raise AlreadyExistsError("thread", new_thread_id)
            connection.execute(_CHECKPOINTS["copy_checkpoints"], row)
            connection.execute(_CHECKPOINTS["copy_writes"], row)
            return _get(connection, new_thread_id, EVERYTHING)

        return await self._database.writer.run(work)

    async def delete(self, thread_id: str, *, visible: Filter = EVERYTHING) -> Sequence[str]:
        """See ThreadStore."""

        def work(connection: sqlite3.Connection) -> Sequence[str]:
            _get(connection, thread_id, visible)
            unfinished = connection.execute(_RUNS["unfinished_ids_of_thread"], {"thread_id": thread_id}).fetchall()
            connection.execute(_SQL["delete"], {"thread_id": thread_id})
            return [row["run_id"] for row in unfinished]

        return await self._database.writer.run(work)


def _get(connection: sqlite3.Connection, thread_id: str, visible: Filter) -> Thread:
    row = connection.execute(_SQL["find"], {"thread_id": thread_id}).fetchone()
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
        conditions.append(Condition(_SQL["of_ids"], (encode(list(query.thread_ids)),)))
    return Search(
        select=Condition(_SQL["search"]),
        conditions=conditions,
        order=_SQL[f"by_{query.sort_by}_{query.sort_order}"],
        limit=query.limit,
        offset=query.offset,
    )
