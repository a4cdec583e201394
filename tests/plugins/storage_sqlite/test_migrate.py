"""Migrations: what they make, that they run once, and what happens when one cannot."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from importlib import resources
from pathlib import Path

import pytest

from longline.errors import SchemaTooNewError, StorageError
from longline_storage_sqlite import migrate
from longline_storage_sqlite.connections import open_writer
from longline_storage_sqlite.migrate import migrations, run_migrations, split_script
from longline_storage_sqlite.settings import SqliteSettings
from longline_storage_sqlite.storage import sqlite_backend


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.db"


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_writer(path, busy_timeout_seconds=1)) as opened:
        yield opened


def describe(connection: sqlite3.Connection) -> dict[str, object]:
    """The schema, whatever way it was made."""
    names = connection.execute("SELECT type, name, tbl_name FROM sqlite_master ORDER BY type, name").fetchall()
    described: dict[str, object] = {}
    for kind, name, table in names:
        if kind in ("table", "view"):
            columns = connection.execute("SELECT * FROM pragma_table_xinfo(?)", (name,)).fetchall()
            described[f"{kind} {name}"] = [tuple(column) for column in columns]
        elif kind == "index":
            columns = connection.execute("SELECT * FROM pragma_index_xinfo(?)", (name,)).fetchall()
            described[f"{kind} {name}"] = (table, [tuple(column) for column in columns])
        if kind in ("trigger", "view", "index"):
            sql = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()[0]
            described[f"{kind} {name} sql"] = " ".join((sql or "").split())
    return described


def test_the_migrations_make_the_schema_that_is_written_down(connection: sqlite3.Connection, path: Path) -> None:
    run_migrations(connection, path)
    schema = (resources.files("longline_storage_sqlite") / "sql" / "schema.sql").read_text("utf-8")
    with closing(sqlite3.connect(":memory:")) as written:
        written.executescript(schema)
        assert describe(connection) == describe(written)


def test_migrations_are_numbered_without_a_gap() -> None:
    assert [number for number, _, _ in migrations()] == list(range(1, len(migrations()) + 1))


def test_migrations_run_once(connection: sqlite3.Connection, path: Path) -> None:
    assert run_migrations(connection, path) == [name for _, name, _ in migrations()]
    assert run_migrations(connection, path) == []


def test_a_newer_schema_is_refused_and_left_alone(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA user_version = 999")
    with pytest.raises(SchemaTooNewError, match="999"):
        run_migrations(connection, path)
    assert describe(connection) == {}


def test_a_migration_that_fails_is_undone_whole(
    connection: sqlite3.Connection, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_migrations(connection, path)
    before = describe(connection)
    broken = (2, "0002_broken", "CREATE TABLE half (n);\nCREATE TABLE threads (n);\nPRAGMA user_version = 2;\n")
    known = [*migrations(), broken]
    monkeypatch.setattr(migrate, "migrations", lambda: known)
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        run_migrations(connection, path)
    assert describe(connection) == before
    assert connection.execute("PRAGMA user_version").fetchone()[0] == 1


def test_a_migration_that_forgets_its_number_is_refused(
    connection: sqlite3.Connection, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "migrations", lambda: [(1, "0001_mute", "CREATE TABLE x (n);")])
    with pytest.raises(StorageError, match="0001_mute"):
        run_migrations(connection, path)


def test_a_script_is_split_at_the_ends_of_its_statements() -> None:
    script = (
        "-- A comment; with a semicolon.\n\nCREATE TABLE a (n);\n"
        "CREATE TRIGGER t AFTER DELETE ON a BEGIN\n    DELETE FROM a;\n    DELETE FROM a;\nEND;\n-- end\n"
    )
    assert [statement.split()[1] for statement in split_script(script)] == ["TABLE", "TRIGGER"]


@pytest.mark.anyio
async def test_the_backend_migrates_without_serving(database_file: Path) -> None:
    backend = sqlite_backend(SqliteSettings())
    url = f"sqlite:///{database_file}"
    assert await backend.migrate(url) == [name for _, name, _ in migrations()]
    assert await backend.migrate(url) == []
    async with backend.connect(url) as storage:
        await storage.check()
