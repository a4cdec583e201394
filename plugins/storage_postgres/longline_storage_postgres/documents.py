"""Documents: versioned, owned, perhaps due. Each function is a part of a transaction of its caller."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from psycopg.rows import DictRow

from longline.errors import NotFoundError, VersionConflictError
from longline.models.collections import Document, DocumentQuery, NewDocument
from longline_storage_postgres.clocks import optional_instant
from longline_storage_postgres.conditions import Condition, condition, text_condition
from longline_storage_postgres.connections import Connection
from longline_storage_postgres.rows import Parameters, document_from_row, document_parameters
from longline_storage_postgres.searches import Search
from longline_storage_postgres.statements import load_statements

_SQL = load_statements("collections")

COUNT = _SQL["count"]
"""The start of the total of a search for documents."""


async def put_document(connection: Connection, new: NewDocument, expected: int | None = None) -> Document:
    """See CollectionStore.put."""
    row: Parameters = {**document_parameters(new), "expected": expected, "is_new": expected == 0}
    statement = _SQL["put_over" if expected else "put"]
    while True:
        stored = await (await connection.execute(statement, row)).fetchone()
        if stored is not None:
            return document_from_row(stored)
        await _require_version(connection, row, expected or 0)


async def put_documents(connection: Connection, documents: Iterable[NewDocument]) -> None:
    """Store documents over whatever is there; by name, so that no two transactions wait for each other in a circle."""
    ordered = sorted(documents, key=lambda document: (document.collection, document.owner, document.key))
    rows = [{**document_parameters(document), "is_new": False} for document in ordered]
    if rows:
        async with connection.cursor() as cursor:
            await cursor.executemany(_SQL["put"], rows)


async def get_document(connection: Connection, collection: str, owner: str, key: str) -> Document:
    """See CollectionStore.get."""
    row = await _find(connection, {"collection": collection, "owner": owner, "key": key})
    if row is None:
        raise NotFoundError(collection, key)
    return document_from_row(row)


async def delete_document(connection: Connection, collection: str, owner: str, key: str, expected: int | None) -> bool:
    """See CollectionStore.delete."""
    row: Parameters = {"collection": collection, "owner": owner, "key": key, "expected": expected}
    gone = await (await connection.execute(_SQL["delete"], row)).fetchone()
    if gone is None and expected is not None:
        await _require_version(connection, row, expected)
    return gone is not None and bool(gone["was_there"])


async def take_documents(
    connection: Connection, collection: str, holder: str, lease_seconds: float, limit: int
) -> Sequence[Document]:
    """See CollectionStore.take_due."""
    row = {"collection": collection, "holder": holder, "lease_seconds": lease_seconds, "limit": limit}
    taken = await (await connection.execute(_SQL["take_due"], row)).fetchall()
    return [document_from_row(found) for found in sorted(taken, key=_longest_due)]


async def find_next_due(connection: Connection, collection: str) -> datetime | None:
    """See CollectionStore.next_due."""
    row = await (await connection.execute(_SQL["next_due"], {"collection": collection})).fetchone()
    return None if row is None else optional_instant(row["due_at"])


def search_of(query: DocumentQuery) -> Search:
    """See CollectionStore.search."""
    conditions = [text_condition(_SQL["of_collection"], query.collection), Condition(_SQL["alive"])]
    if query.owner is not None:
        conditions.append(text_condition(_SQL["of_owner"], query.owner))
    conditions.append(condition(query.where, "value"))
    return Search(
        select=Condition(_SQL["search"]),
        conditions=conditions,
        order=_SQL[f"by_age_{query.sort_order}"],
        limit=query.limit,
        offset=query.offset,
    )


def _longest_due(row: DictRow) -> tuple[datetime, datetime, str, str]:
    return row["was_due_at"], row["created_at"], row["owner"], row["key"]


async def _require_version(connection: Connection, row: Parameters, expected: int) -> None:
    """Raises VersionConflictError unless the document is at this version by now (0: is not there)."""
    found = await _find(connection, row)
    version = 0 if found is None else int(found["version"])
    if version != expected:
        raise VersionConflictError(str(row["collection"]), str(row["key"]), expected, version)


async def _find(connection: Connection, row: Parameters) -> DictRow | None:
    return await (await connection.execute(_SQL["find"], row)).fetchone()
