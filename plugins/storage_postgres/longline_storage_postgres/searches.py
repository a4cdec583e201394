"""A page of a search: fixed fragments joined, parameters always bound."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import LiteralString, TypeVar

from psycopg.rows import DictRow

from longline.models.pages import Page
from longline_storage_postgres.conditions import Bound, Condition
from longline_storage_postgres.connections import Connection

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A search put together: where it starts, what must hold, its order, and which part of it is wanted."""

    select: Condition
    conditions: Sequence[Condition]
    order: LiteralString
    limit: int
    offset: int


async def fetch(connection: Connection, search: Search) -> list[DictRow]:
    """The rows of the wanted part, in order."""
    sql, parameters = joined(search.select, search.conditions)
    # Each search is planned for its own parameters: what finds ten threads is no plan for what finds half of them.
    statement = f"{sql} {search.order}"
    found = await connection.execute(statement, (*parameters, search.limit, search.offset), prepare=False)
    return await found.fetchall()


async def fetch_page(
    connection: Connection, search: Search, *, count: LiteralString, build: Callable[[DictRow], T]
) -> Page[T]:
    """The wanted part and the total, both of one state of the database if the transaction sees only one."""
    rows = await fetch(connection, search)
    if 0 < len(rows) < search.limit or (search.offset == 0 and search.limit > 0 and not rows):  # the end is in it
        total = search.offset + len(rows)
    else:
        sql, parameters = joined(Condition(count), search.conditions)
        (row,) = await (await connection.execute(sql, parameters, prepare=False)).fetchall()
        total = row["total"]
    return Page([build(row) for row in rows], total)


async def fetch_count(connection: Connection, *, count: LiteralString, conditions: Sequence[Condition]) -> int:
    """How many there are."""
    sql, parameters = joined(Condition(count), conditions)
    (row,) = await (await connection.execute(sql, parameters, prepare=False)).fetchall()
    return int(row["total"])


def joined(start: Condition, conditions: Sequence[Condition]) -> tuple[LiteralString, tuple[Bound, ...]]:
    """What starts a statement and what must hold, as one."""
    sql = " AND ".join([start.sql, *(part.sql for part in conditions)])
    return sql, (*start.parameters, *(value for part in conditions for value in part.parameters))
