"""Assistants and their versions. The assistant's row points at the version that is current."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from longline.errors import AlreadyExistsError, NotFoundError, VersionNotFoundError
from longline.models.assistants import Assistant, AssistantChange, AssistantQuery
from longline.models.filters import EVERYTHING, Filter, matches
from longline.models.pages import Page
from longline_storage_postgres.clocks import instant
from longline_storage_postgres.conditions import Condition, condition, text_condition
from longline_storage_postgres.connections import Connection
from longline_storage_postgres.database import Database
from longline_storage_postgres.rows import assistant_from_row, assistant_parameters, can_be_stored
from longline_storage_postgres.searches import Search, fetch, fetch_page
from longline_storage_postgres.statements import load_statements

_SQL = load_statements("assistants")


class PostgresAssistants:
    """See AssistantStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, assistant: Assistant) -> Assistant:
        """See AssistantStore."""
        first = _stored(replace(assistant, version=1))
        row = assistant_parameters(first)

        async def work(connection: Connection) -> None:
            if await (await connection.execute(_SQL["insert"], row)).fetchone() is None:
                raise AlreadyExistsError("assistant", first.assistant_id)

        await self._database.write(work)
        return first

    async def get(self, assistant_id: str, *, visible: Filter = EVERYTHING) -> Assistant:
        """See AssistantStore."""
        return await self._database.read(lambda connection: _get(connection, assistant_id, visible))

    async def search(self, query: AssistantQuery) -> Page[Assistant]:
        """See AssistantStore."""
        search = _search(query)
        return await self._database.read_snapshot(
            lambda connection: fetch_page(connection, search, count=_SQL["count"], build=assistant_from_row)
        )

    async def update(
        self, assistant_id: str, change: AssistantChange, *, at: datetime, visible: Filter = EVERYTHING
    ) -> Assistant:
        """See AssistantStore."""

        async def work(connection: Connection) -> Assistant:
            return await _update(connection, await _get_locked(connection, assistant_id, visible), change, at)

        return await self._database.write(work)

    async def delete(self, assistant_id: str, *, visible: Filter = EVERYTHING) -> None:
        """See AssistantStore."""

        async def work(connection: Connection) -> None:
            await _get_locked(connection, assistant_id, visible)
            await connection.execute(_SQL["delete"], {"assistant_id": assistant_id})

        await self._database.write(work)

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

        async def work(connection: Connection) -> Sequence[Assistant]:
            if await _find(connection, assistant_id, visible) is None:
                return []
            return [assistant_from_row(row) for row in await fetch(connection, search)]

        return await self._database.read_snapshot(work)

    async def set_latest(
        self, assistant_id: str, version: int, *, at: datetime, visible: Filter = EVERYTHING
    ) -> Assistant:
        """See AssistantStore."""

        async def work(connection: Connection) -> Assistant:
            await _get_locked(connection, assistant_id, visible)
            chosen = {"assistant_id": assistant_id, "version": version, "updated_at": at}
            if await (await connection.execute(_SQL["find_version"], chosen)).fetchone() is None:
                raise VersionNotFoundError(assistant_id, version)
            await connection.execute(_SQL["choose_version"], chosen)
            return await _get(connection, assistant_id, EVERYTHING)

        return await self._database.write(work)


async def _find(connection: Connection, assistant_id: str, visible: Filter) -> Assistant | None:
    if not can_be_stored(assistant_id):
        return None
    row = await (await connection.execute(_SQL["find"], {"assistant_id": assistant_id})).fetchone()
    if row is None:
        return None
    assistant = assistant_from_row(row)
    return assistant if matches(visible, assistant.metadata) else None


async def _get(connection: Connection, assistant_id: str, visible: Filter) -> Assistant:
    assistant = await _find(connection, assistant_id, visible)
    if assistant is None:
        raise NotFoundError("assistant", assistant_id)
    return assistant


async def _get_locked(connection: Connection, assistant_id: str, visible: Filter) -> Assistant:
    """The assistant, which nobody else changes before the end of the transaction. Two statements: one that waited for
    the lock would look for its version among those from before."""
    if can_be_stored(assistant_id):
        await connection.execute(_SQL["lock"], {"assistant_id": assistant_id})
    return await _get(connection, assistant_id, visible)


async def _update(connection: Connection, old: Assistant, change: AssistantChange, at: datetime) -> Assistant:
    (row,) = await (await connection.execute(_SQL["newest_version"], {"assistant_id": old.assistant_id})).fetchall()
    new = _stored(
        replace(
            old,
            graph_id=old.graph_id if change.graph_id is None else change.graph_id,
            name=old.name if change.name is None else change.name,
            description=old.description if change.description is None else change.description,
            config=old.config if change.config is None else change.config,
            context=old.context if change.context is None else change.context,
            metadata={**old.metadata, **(change.metadata or {})},
            version=row["version"] + 1,
            updated_at=at,
        )
    )
    await connection.execute(_SQL["insert_current_version"], assistant_parameters(new))
    return new


def _stored(assistant: Assistant) -> Assistant:
    """The assistant with its times as they will be read back."""
    return replace(assistant, created_at=instant(assistant.created_at), updated_at=instant(assistant.updated_at))


def _search(query: AssistantQuery) -> Search:
    conditions = [condition(query.visible, "metadata"), condition(query.metadata, "metadata")]
    if query.graph_id is not None:
        conditions.append(text_condition(_SQL["of_graph"], query.graph_id))
    if query.name is not None:
        conditions.append(text_condition(_SQL["named_like"], query.name.casefold()))
    return Search(
        select=Condition(_SQL["search"]),
        conditions=conditions,
        order=_SQL[f"by_{query.sort_by}_{query.sort_order}"],
        limit=query.limit,
        offset=query.offset,
    )
