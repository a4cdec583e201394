"""Assistants and their versions. The assistant's row points at the version that is current."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from longline.errors import AlreadyExistsError, NotFoundError, VersionNotFoundError
from longline.models.assistants import Assistant, AssistantChange, AssistantQuery
from longline.models.filters import EVERYTHING, Filter, matches
from longline.models.pages import Page
from longline_storage_sqlite.clocks import instant, micros
from longline_storage_sqlite.conditions import Condition, condition
from longline_storage_sqlite.database import Database
from longline_storage_sqlite.rows import assistant_from_row, assistant_parameters
from longline_storage_sqlite.searches import Search, fetch, fetch_page
from longline_storage_sqlite.statements import load_statements

_SQL = load_statements("assistants")


class SqliteAssistants:
    """See AssistantStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, assistant: Assistant) -> Assistant:
        """See AssistantStore."""
        first = _stored(replace(assistant, version=1))
        await self._database.writer.run(lambda connection: _insert(connection, first))
        return first

    async def get(self, assistant_id: str, *, visible: Filter = EVERYTHING) -> Assistant:
        """See AssistantStore."""
        return await self._database.readers.run(lambda connection: _get(connection, assistant_id, visible))

    async def search(self, query: AssistantQuery) -> Page[Assistant]:
        """See AssistantStore."""
        search = _search(query)
        return await self._database.readers.run(
            lambda connection: fetch_page(connection, search, count=_SQL["count"], build=assistant_from_row)
        )

    async def update(
        self, assistant_id: str, change: AssistantChange, *, at: datetime, visible: Filter = EVERYTHING
    ) -> Assistant:
        """See AssistantStore."""
        return await self._database.writer.run(
            lambda connection: _update(connection, _get(connection, assistant_id, visible), change, at)
        )

    async def delete(self, assistant_id: str, *, visible: Filter = EVERYTHING) -> None:
        """See AssistantStore."""

        def work(connection: sqlite3.Connection) -> None:
            _get(connection, assistant_id, visible)
            connection.execute(_SQL["delete"], {"assistant_id": assistant_id})

        await self._database.writer.run(work)

    async def versions(
        self,
        assistant_id: str,
        *,
        metadata: Filter = EVERYTHING,
        limit: int = 10,
        offset: int = 0,
        visible: Filter = EVERYTHING,
    ) -> Sequence[Assistant]:
        """See AssistantStore."""
        search = Search(
            select=Condition(_SQL["versions"], (assistant_id,)),
            conditions=[condition(metadata, "metadata")],
            order=_SQL["versions_order"],
            limit=limit,
            offset=offset,
        )

        def work(connection: sqlite3.Connection) -> Sequence[Assistant]:
            if _find(connection, assistant_id, visible) is None:
                return []
            return [assistant_from_row(row) for row in fetch(connection, search)]

        return await self._database.readers.run(work)

    async def set_latest(
        self, assistant_id: str, version: int, *, at: datetime, visible: Filter = EVERYTHING
    ) -> Assistant:
        """See AssistantStore."""

        def work(connection: sqlite3.Connection) -> Assistant:
            _get(connection, assistant_id, visible)
            chosen = {"assistant_id": assistant_id, "version": version, "updated_at": micros(at)}
            if connection.execute(_SQL["find_version"], chosen).fetchone() is None:
                raise VersionNotFoundError(assistant_id, version)
            connection.execute(_SQL["choose_version"], chosen)
            return _get(connection, assistant_id, EVERYTHING)

        return await self._database.writer.run(work)


def _find(connection: sqlite3.Connection, assistant_id: str, visible: Filter) -> Assistant | None:
    row = connection.execute(_SQL["find"], {"assistant_id": assistant_id}).fetchone()
    if row is None:
        return None
    assistant = assistant_from_row(row)
    return assistant if matches(visible, assistant.metadata) else None


def _get(connection: sqlite3.Connection, assistant_id: str, visible: Filter) -> Assistant:
    assistant = _find(connection, assistant_id, visible)
    if assistant is None:
        raise NotFoundError("assistant", assistant_id)
    return assistant


def _insert(connection: sqlite3.Connection, assistant: Assistant) -> None:
    row = assistant_parameters(assistant)
    if connection.execute(_SQL["insert"], row).rowcount == 0:
        raise AlreadyExistsError("assistant", assistant.assistant_id)
    connection.execute(_SQL["insert_version"], row)


def _update(connection: sqlite3.Connection, old: Assistant, change: AssistantChange, at: datetime) -> Assistant:
    newest = connection.execute(_SQL["newest_version"], {"assistant_id": old.assistant_id}).fetchone()[0]
    new = _stored(
        replace(
            old,
            graph_id=old.graph_id if change.graph_id is None else change.graph_id,
            name=old.name if change.name is None else change.name,
            description=old.description if change.description is None else change.description,
            config=old.config if change.config is None else change.config,
            context=old.context if change.context is None else change.context,
            metadata={**old.metadata, **(change.metadata or {})},
            version=newest + 1,
            updated_at=at,
        )
    )
    row = assistant_parameters(new)
    connection.execute(_SQL["insert_version"], {**row, "created_at": row["updated_at"]})
    connection.execute(_SQL["choose_version"], row)
    return new


def _stored(assistant: Assistant) -> Assistant:
    """The assistant with its times as they will be read back."""
    return replace(
        assistant,
        created_at=instant(micros(assistant.created_at)),
        updated_at=instant(micros(assistant.updated_at)),
    )


def _search(query: AssistantQuery) -> Search:
    conditions = [condition(query.visible, "metadata"), condition(query.metadata, "metadata")]
    if query.graph_id is not None:
        conditions.append(Condition(_SQL["of_graph"], (query.graph_id,)))
    if query.name is not None:
        conditions.append(Condition(_SQL["named_like"], (query.name.casefold(),)))
    return Search(
        select=Condition(_SQL["search"]),
        conditions=conditions,
        order=_SQL[f"by_{query.sort_by}_{query.sort_order}"],
        limit=query.limit,
        offset=query.offset,
    )
