"""Numbered migrations, each in a transaction of its own; `PRAGMA user_version` says which ran last."""

import sqlite3
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path

from longline.errors import SchemaTooNewError
from longline_storage_sqlite.errors import UnnumberedMigrationError


def migrations() -> Sequence[tuple[int, str, str]]:
    """All migrations in order: number, name, SQL."""
    folder = resources.files("longline_storage_sqlite") / "sql" / "migrations"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return [(int(file.name[:4]), file.name.removesuffix(".sql"), file.read_text("utf-8")) for file in files]


def run_migrations(connection: sqlite3.Connection, path: Path) -> Sequence[str]:
    """Bring the schema up to date; the names of what ran. Raises SchemaTooNewError and leaves such a file alone."""
    missing = missing_migrations(connection, path)
    for number, name, script in missing:
        _run(connection, script)
        if _version(connection) != number:
            raise UnnumberedMigrationError(name, number)
    return [name for _, name, _ in missing]


def missing_migrations(connection: sqlite3.Connection, path: Path) -> Sequence[tuple[int, str, str]]:
    """Those of `migrations` that have not run. Raises SchemaTooNewError."""
    known = migrations()
    found = _version(connection)
    newest = known[-1][0]
    if found > newest:
        raise SchemaTooNewError(str(path), found, newest)
    return [migration for migration in known if migration[0] > found]


def split_script(script: str) -> Iterator[str]:
    """The statements of a script. sqlite3's own `executescript` would commit between them."""
    statement = ""
    for line in script.splitlines(keepends=True):
        if not statement and (not line.strip() or line.startswith("--")):
            continue
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _run(connection: sqlite3.Connection, script: str) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in split_script(script):
            connection.execute(statement)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version
