"""What plugins keep: documents, logs and counters."""

from collections.abc import Sequence
from datetime import datetime

from psycopg.rows import DictRow

from longline.models.collections import Count, Document, DocumentQuery, LogEntry, NewDocument
from longline.models.json import JsonObject
from longline.models.pages import Page
from longline_storage_postgres.clocks import instant
from longline_storage_postgres.connections import Connection
from longline_storage_postgres.database import Database
from longline_storage_postgres.documents import (
    COUNT,
    delete_document,
    find_next_due,
    get_document,
    put_document,
    search_of,
    take_documents,
)
from longline_storage_postgres.rows import decode_object, document_from_row, encode
from longline_storage_postgres.searches import fetch_page
from longline_storage_postgres.statements import load_statements

_SQL = load_statements("collections")


class PostgresCollections:
    """See CollectionStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, new: NewDocument, *, expected: int | None = None) -> Document:
        """See CollectionStore."""
        return await self._database.write(lambda connection: put_document(connection, new, expected))

    async def get(self, collection: str, owner: str, key: str) -> Document:
        """See CollectionStore."""
        return await self._database.read(lambda connection: get_document(connection, collection, owner, key))

    async def search(self, query: DocumentQuery) -> Page[Document]:
        """See CollectionStore."""
        search = search_of(query)
        return await self._database.read_snapshot(
            lambda connection: fetch_page(connection, search, count=COUNT, build=document_from_row)
        )

    async def delete(self, collection: str, owner: str, key: str, *, expected: int | None = None) -> bool:
        """See CollectionStore."""
        return await self._database.write(
            lambda connection: delete_document(connection, collection, owner, key, expected)
        )

    async def take_due(self, collection: str, *, holder: str, lease_seconds: float, limit: int) -> Sequence[Document]:
        """See CollectionStore."""
        return await self._database.write(
            lambda connection: take_documents(connection, collection, holder, lease_seconds, limit)
        )

    async def next_due(self, collection: str) -> datetime | None:
        """See CollectionStore."""
        return await self._database.read(lambda connection: find_next_due(connection, collection))

    async def append(
        self,
        collection: str,
        owner: str,
        log: str,
        values: Sequence[JsonObject],
        *,
        expires_at: datetime | None = None,
    ) -> Sequence[LogEntry]:
        """See CollectionStore."""
        row = {
            "collection": collection, "owner": owner, "log": log, "values": [encode(value) for value in values],
            "expires_at": expires_at,
        }  # fmt: skip

        async def work(connection: Connection) -> list[DictRow]:
            return await (await connection.execute(_SQL["append"], row)).fetchall()

        stored = sorted(await self._database.write(work), key=lambda entry: entry["position"])
        entries = zip(stored, values, strict=True)
        return [_entry(found, value) for found, value in entries]

    async def read(self, collection: str, owner: str, log: str, *, after: int = 0, limit: int) -> Sequence[LogEntry]:
        """See CollectionStore."""
        row = {"collection": collection, "owner": owner, "log": log, "after": after, "limit": limit}

        async def work(connection: Connection) -> list[DictRow]:
            return await (await connection.execute(_SQL["read"], row)).fetchall()

        return [_entry(found, decode_object(found["value"])) for found in await self._database.read(work)]

    async def delete_log(self, collection: str, owner: str, log: str) -> bool:
        """See CollectionStore."""
        row = {"collection": collection, "owner": owner, "log": log}

        async def work(connection: Connection) -> bool:
            found = await (await connection.execute(_SQL["delete_log"], row)).fetchone()
            return found is not None and bool(found["was_there"])

        return await self._database.write(work)

    async def add(self, collection: str, owner: str, key: str, amount: int = 1, *, window_seconds: float) -> Count:
        """See CollectionStore."""
        row = {
            "collection": collection, "owner": owner, "key": key, "amount": amount, "window_seconds": window_seconds,
        }  # fmt: skip

        async def work(connection: Connection) -> Count:
            (found,) = await (await connection.execute(_SQL["add"], row)).fetchall()
            return Count(value=found["value"], ends_at=instant(found["expires_at"]))

        return await self._database.write(work)

    async def delete_expired(self, *, limit: int) -> int:
        """See CollectionStore."""

        async def work(connection: Connection) -> int:
            (found,) = await (await connection.execute(_SQL["delete_expired"], {"limit": limit})).fetchall()
            return int(found["gone"])

        return await self._database.write(work)


def _entry(row: DictRow, value: JsonObject) -> LogEntry:
    return LogEntry(position=row["position"], at=instant(row["at"]), value=value)
