"""Numbered migrations under a lock: however many servers start at once, each migration runs once.

The first line of each says from which number on the code can work with what it leaves behind: servers of the version
before go on, and start again, while others migrate. What breaks older code comes a version after the code that no
longer needs it.
"""

import asyncio
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Final

from psycopg import errors as pg

from longline.errors import SchemaTooNewError
from longline_storage_postgres.connections import Connection, connect, direct_place, direct_url
from longline_storage_postgres.errors import UnmarkedMigrationError, translated
from longline_storage_postgres.looks import check_server
from longline_storage_postgres.settings import PostgresSettings
from longline_storage_postgres.statements import load_statements

logger = logging.getLogger(__name__)

_SQL = load_statements("migrations")
_LOOK = load_statements("transactions")["look"]

_MOST_TRIES: Final = 200  # about ten minutes
_PAUSE_SECONDS: Final = 2.0

_SERVES = re.compile(r"-- Serves code from (\d{4}) on\.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step of the schema, and the oldest code, by its newest migration, that can work with it."""

    number: int
    name: str
    script: str
    serves_from: int


def migrations() -> Sequence[Migration]:
    """All migrations in order."""
    folder = resources.files("longline_storage_postgres") / "sql" / "migrations"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return [_read(file.name.removesuffix(".sql"), file.read_text("utf-8")) for file in files]


def _read(name: str, text: str) -> Migration:
    said = _SERVES.match(text)
    if said is None:
        raise UnmarkedMigrationError(name)
    return Migration(number=int(name[:4]), name=name, script=text, serves_from=int(said[1]))


async def run_migrations(url: str, settings: PostgresSettings) -> Sequence[str]:
    """Bring the schema up to date; the names of what ran. Raises SchemaTooNewError and leaves such a database alone,
    StorageError."""
    if not await pending_migrations(url, settings):  # the usual start: no lock, no rights to create anything
        return []
    place = direct_place(url, settings)
    ran: list[str] = []
    with translated(place):
        async with connect(direct_url(url, settings), settings) as connection:
            while (name := await _run_next(connection, place)) is not None:
                ran.append(name)
    return ran


async def _run_next(connection: Connection, place: str) -> str | None:
    """Run the next migration, each in a transaction of its own; its name, None if there is none. It waits for a table
    only for a moment at a time, over and over: behind a migration that waits for a long transaction (a backup), every
    statement of the servers that go on would wait too. Raises LockNotAvailable after many times."""
    for tries_left in reversed(range(_MOST_TRIES)):
        try:
            async with connection.transaction():
                await connection.execute(_SQL["lock"])
                await connection.execute(_SQL["prepare"])
                one = next(iter(_missing(place, await _state(connection))), None)
                if one is None:
                    return None
                await connection.execute(_SQL["wait_briefly"])
                await connection.execute(one.script)
                row = {"number": one.number, "name": one.name, "serves_from": one.serves_from}
                await connection.execute(_SQL["ran"], row)
                return one.name
        except pg.LockNotAvailable:
            if not tries_left:
                raise
            if tries_left == _MOST_TRIES - 1:
                logger.warning("a migration waits for a long transaction to end", extra={"place": place})
        await asyncio.sleep(_PAUSE_SECONDS)
    return None


async def pending_migrations(url: str, settings: PostgresSettings) -> Sequence[str]:
    """The names of the migrations that have not run; changes nothing. Raises SchemaTooNewError, StorageError: also
    for a server on which none could run, or that could not serve afterwards."""
    place = direct_place(url, settings)
    with translated(place):
        async with connect(direct_url(url, settings), settings) as connection:
            check_server(await (await connection.execute(_LOOK)).fetchone() or {}, place)
            found = await _state(connection) if await _is_prepared(connection) else _NOTHING
    return [migration.name for migration in _missing(place, found)]


@dataclass(frozen=True, slots=True)
class _State:
    newest: int
    serves_from: int


_NOTHING = _State(0, 0)


def _missing(place: str, found: _State) -> Sequence[Migration]:
    known = migrations()
    newest = known[-1].number
    if found.serves_from > newest:
        raise SchemaTooNewError(place, found.newest, newest)
    return [migration for migration in known if migration.number > found.newest]


async def _is_prepared(connection: Connection) -> bool:
    row = await (await connection.execute(_SQL["is_prepared"])).fetchone()
    return row is not None and bool(row["found"])


async def _state(connection: Connection) -> _State:
    row = await (await connection.execute(_SQL["state"])).fetchone()
    return _NOTHING if row is None else _State(int(row["newest"]), int(row["serves_from"]))
