"""What plugins keep: documents, logs and counters."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from longline.models.collections import Count, Document, DocumentQuery, LogEntry, NewDocument
from longline.models.json import JsonObject
from longline.models.pages import Page
from longline_storage_sqlite.clocks import instant, optional_instant, optional_micros, wall_micros
from longline_storage_sqlite.database import Database
from longline_storage_sqlite.documents import (
    COUNT,
    delete_document,
    find_next_due,
    get_document,
    put_document,
    search_of,
    take_documents,
)
from longline_storage_sqlite.rows import decode_object, document_from_row, encode
from longline_storage_sqlite.searches import fetch_page
from longline_storage_sqlite.statements import load_statements

_SQL = load_statements("collections")
_EXPIRING = ("delete_expired_documents", "delete_expired_entries", "delete_expired_counters")


class SqliteCollections:
    """See CollectionStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, new: NewDocument, *, expected: int | None = None) -> Document:
        """See CollectionStore."""
        return await self._database.writer.run(lambda connection: put_document(connection, new, expected))

    async def get(self, collection: str, owner: str, key: str) -> Document:
        """See CollectionStore."""
        return await self._database.readers.run(lambda connection: get_document(connection, collection, owner, key))

    async def search(self, query: DocumentQuery) -> Page[Document]:
        """See CollectionStore."""
        search = search_of(query)
        return await self._database.readers.run(
            lambda connection: fetch_page(connection, search, count=COUNT, build=document_from_row)
        )

    async def delete(self, collection: str, owner: str, key: str, *, expected: int | None = None) -> bool:
        """See CollectionStore."""
        return await self._database.writer.run(
            lambda connection: delete_document(connection, collection, owner, key, expected)
        )

    async def take_due(self, collection: str, *, holder: str, lease_seconds: float, limit: int) -> Sequence[Document]:
        """See CollectionStore."""
        return await self._database.writer.run(
            lambda connection: take_documents(connection, collection, holder, lease_seconds, limit)
        )

    async def next_due(self, collection: str) -> datetime | None:
        """See CollectionStore."""
        due = await self._database.readers.run(lambda connection: find_next_due(connection, collection))
        return optional_instant(due)

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
        texts = [encode(value) for value in values]
        ends_at = optional_micros(expires_at)

        def work(connection: sqlite3.Connection) -> Sequence[LogEntry]:
            now = wall_micros()
            row = {"collection": collection, "owner": owner, "log": log, "now": now, "expires_at": ends_at}
            positions = [
                connection.execute(_SQL["append"], {**row, "value": text}).fetchone()["position"] for text in texts
            ]
            entries = zip(positions, values, strict=True)
            return [LogEntry(position=position, at=instant(now), value=value) for position, value in entries]

        return await self._database.writer.run(work)

    async def read(self, collection: str, owner: str, log: str, *, after: int = 0, limit: int) -> Sequence[LogEntry]:
        """See CollectionStore."""
        row = {
            "collection": collection, "owner": owner, "log": log, "after": after, "limit": limit, "now": wall_micros(),
        }  # fmt: skip
        rows = await self._database.readers.run(lambda connection: connection.execute(_SQL["read"], row).fetchall())
        return [
            LogEntry(position=row["position"], at=instant(row["at"]), value=decode_object(row["value"])) for row in rows
        ]

    async def delete_log(self, collection: str, owner: str, log: str) -> bool:
        """See CollectionStore."""

        def work(connection: sqlite3.Connection) -> bool:
            now = wall_micros()
            row = {"collection": collection, "owner": owner, "log": log}
            gone = connection.execute(_SQL["delete_log"], row).fetchall()
            return any(entry["expires_at"] is None or entry["expires_at"] > now for entry in gone)

        return await self._database.writer.run(work)

    async def add(self, collection: str, owner: str, key: str, amount: int = 1, *, window_seconds: float) -> Count:
        """See CollectionStore."""

        def work(connection: sqlite3.Connection) -> Count:
            now = wall_micros()
            row = {
                "collection": collection, "owner": owner, "key": key, "amount": amount, "now": now,
                "ends_at": now + int(window_seconds * 1_000_000),
            }  # fmt: skip
            found = connection.execute(_SQL["add"], row).fetchone()
            return Count(value=found["value"], ends_at=instant(found["expires_at"]))

        return await self._database.writer.run(work)

    async def delete_expired(self, *, limit: int) -> int:
        """See CollectionStore."""

        def work(connection: sqlite3.Connection) -> int:
            row = {"now": wall_micros(), "limit": limit}
            return max(connection.execute(_SQL[name], row).rowcount for name in _EXPIRING)

        return await self._database.writer.run(work)
