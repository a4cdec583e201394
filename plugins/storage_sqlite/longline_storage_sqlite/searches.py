"""A page of a search: fixed fragments joined, parameters always bound."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from longline.models.pages import Page
from longline_storage_sqlite.conditions import Condition
from longline_storage_sqlite.connections import snapshot

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A search put together: where it starts, what must hold, its order, and which part of it is wanted."""

    select: Condition
    conditions: Sequence[Condition]
    order: str
    limit: int
    offset: int


def fetch(connection: sqlite3.Connection, search: Search) -> list[sqlite3.Row]:
    """The rows of the wanted part, in order."""
    sql, parameters = _joined(search.select, search.conditions)
    return connection.execute(sql + " " + search.order, (*parameters, search.limit, search.offset)).fetchall()


def fetch_page(
    connection: sqlite3.Connection, search: Search, *, count: str, build: Callable[[sqlite3.Row], T]
) -> Page[T]:
    """The wanted part and the total, both of one state of the database."""
    count_sql, parameters = _joined(Condition(count), search.conditions)
    with snapshot(connection):
        rows = fetch(connection, search)
        total = connection.execute(count_sql, parameters).fetchone()[0]
    return Page([build(row) for row in rows], total)


def fetch_count(connection: sqlite3.Connection, *, count: str, conditions: Sequence[Condition]) -> int:
    """How many there are."""
    sql, parameters = _joined(Condition(count), conditions)
    return int(connection.execute(sql, parameters).fetchone()[0])


def _joined(start: Condition, conditions: Sequence[Condition]) -> tuple[str, tuple[str | int | bytes | None, ...]]:
    sql = " AND ".join([start.sql, *(part.sql for part in conditions)])
    return sql, (*start.parameters, *(value for part in conditions for value in part.parameters))
