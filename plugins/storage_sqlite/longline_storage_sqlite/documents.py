"""Documents: versioned, owned, perhaps due. Each function is a part of a transaction of its caller."""

import sqlite3
from collections.abc import Iterable, Sequence

from longline.errors import NotFoundError, VersionConflictError
from longline.models.collections import Document, DocumentQuery, NewDocument
from longline_storage_sqlite.clocks import wall_micros
from longline_storage_sqlite.conditions import Condition, condition
from longline_storage_sqlite.rows import Parameters, document_from_row, document_parameters
from longline_storage_sqlite.searches import Search
from longline_storage_sqlite.statements import load_statements

_SQL = load_statements("collections")

COUNT = _SQL["count"]
"""The start of the total of a search for documents."""


def put_document(connection: sqlite3.Connection, new: NewDocument, expected: int | None = None) -> Document:
    """See CollectionStore.put."""
    row = document_parameters(new, wall_micros())
    _expect(connection, row, new.key, expected)
    return document_from_row(connection.execute(_SQL["put"], row).fetchone())


def put_documents(connection: sqlite3.Connection, documents: Iterable[NewDocument]) -> None:
    """Store documents over whatever is there."""
    for document in documents:
        put_document(connection, document)


def get_document(connection: sqlite3.Connection, collection: str, owner: str, key: str) -> Document:
    """See CollectionStore.get."""
    row = _find(connection, {"collection": collection, "owner": owner, "key": key, "now": wall_micros()})
    if row is None:
        raise NotFoundError(collection, key)
    return document_from_row(row)


def delete_document(
    connection: sqlite3.Connection, collection: str, owner: str, key: str, expected: int | None
) -> bool:
    """See CollectionStore.delete."""
    row: Parameters = {"collection": collection, "owner": owner, "key": key, "now": wall_micros()}
    _expect(connection, row, key, expected)
    is_there = _find(connection, row) is not None
    connection.execute(_SQL["delete"], row)
    return is_there


def take_documents(
    connection: sqlite3.Connection, collection: str, holder: str, lease_seconds: float, limit: int
) -> Sequence[Document]:
    """See CollectionStore.take_due."""
    now = wall_micros()
    lease_ends_at = now + int(lease_seconds * 1_000_000)
    due = connection.execute(_SQL["due"], {"collection": collection, "now": now, "limit": limit}).fetchall()
    taken = {"lease_ends_at": lease_ends_at, "holder": holder, "now": now}
    return [
        document_from_row(connection.execute(_SQL["take"], {**taken, "rowid": row["rowid"]}).fetchone()) for row in due
    ]


def find_next_due(connection: sqlite3.Connection, collection: str) -> int | None:
    """See CollectionStore.next_due; in microseconds."""
    found: int | None = connection.execute(
        _SQL["next_due"], {"collection": collection, "now": wall_micros()}
    ).fetchone()[0]
    return found


def search_of(query: DocumentQuery) -> Search:
    """See CollectionStore.search."""
    conditions = [Condition(_SQL["of_collection"], (query.collection,)), Condition(_SQL["alive"], (wall_micros(),))]
    if query.owner is not None:
        conditions.append(Condition(_SQL["of_owner"], (query.owner,)))
    conditions.append(condition(query.where, "value"))
    return Search(
        select=Condition(_SQL["search"]),
        conditions=conditions,
        order=_SQL[f"by_age_{query.sort_order}"],
        limit=query.limit,
        offset=query.offset,
    )


def _expect(connection: sqlite3.Connection, row: Parameters, key: str, expected: int | None) -> None:
    if expected is None:
        return
    found = _find(connection, row)
    version = 0 if found is None else int(found["version"])
    if version != expected:
        raise VersionConflictError(str(row["collection"]), key, expected, version)


def _find(connection: sqlite3.Connection, row: Parameters) -> sqlite3.Row | None:
    found: sqlite3.Row | None = connection.execute(_SQL["find"], row).fetchone()
    return found
