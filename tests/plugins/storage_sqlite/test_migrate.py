"""Migrations: what they make, that they run once, and what happens when one cannot."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import pytest
from langgraph.store.sqlite import SqliteStore

from longline.errors import SchemaTooNewError, StorageError
from longline.models.events import THREAD_BEGINNING
from longline.models.retention import SweepOrder
from longline.models.runs import Claim
from longline.models.threads import ThreadTtl
from longline.testing.storage_samples import batch_of, ended
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
    newest = migrations()[-1][0]
    script = f"CREATE TABLE half (n);\nCREATE TABLE threads (n);\nPRAGMA user_version = {newest + 1};\n"
    known = [*migrations(), (newest + 1, "9999_broken", script)]
    monkeypatch.setattr(migrate, "migrations", lambda: known)
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        run_migrations(connection, path)
    assert describe(connection) == before
    assert connection.execute("PRAGMA user_version").fetchone()[0] == newest


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


FIRST_ROWS = """
INSERT INTO threads (thread_id, created_at, updated_at, state_updated_at, metadata, "values", has_run)
VALUES ('t', 1, 1, 1, '{"graph_id": "g"}', CAST('{"n": 1}' AS BLOB), 1), ('u', 1, 1, 1, '{}', NULL, 0);
INSERT INTO runs (
    run_id, thread_id, assistant_id, metadata, status, spec, temporary, multitask_strategy, created_at, updated_at,
    not_before, attempt, lease_owner, lease_expires_at
) VALUES
    ('ended', 't', 'a', '{}', 'success', :kept, 0, 'enqueue', 1, 1, 1, 1, NULL, NULL),
    ('running', 't', 'a', '{}', 'running', :kept, 0, 'enqueue', 1, 1, 1, 1, 'gone', 99),
    ('waiting', 'u', 'a', '{}', 'pending', :kept, 0, 'enqueue', 1, 1, 1, 0, NULL, NULL),
    ('unkept', 'v', 'a', '{}', 'pending', :unkept, 0, 'enqueue', 1, 1, 1, 0, NULL, NULL),
    ('unreadable', 'w', 'a', '{}', 'pending', 'no JSON', 0, 'enqueue', 1, 1, 1, 0, NULL, NULL);
INSERT INTO events (run_id, attempt, seq, mode, namespace, data) VALUES ('ended', 1, 1, 'values', '[]', '{}');
INSERT INTO checkpoints (thread_id, checkpoint_id, metadata) VALUES ('t', '1', '{}'), ('t', '2', '{}');
INSERT INTO writes (thread_id, checkpoint_id, task_id, idx, channel) VALUES ('t', '2', 'x', 0, 'n');
"""


def _first_spec(*, resumable: bool) -> str:
    spec: dict[str, object] = {"graph_id": "g", "config": {}, "stream_modes": ["values"], "resumable": resumable}
    return json.dumps({**spec, "feedback_keys": None})


@pytest.fixture
def first_file(database_file: Path) -> Path:
    """A file as the first version left it when it was killed."""
    database_file.parent.mkdir()
    with closing(sqlite3.connect(database_file, isolation_level=None)) as first:
        first.execute("PRAGMA journal_mode = WAL")
        for statement in split_script(migrations()[0][2]):
            first.execute(statement)
        specs = {name: _first_spec(resumable=name == "kept") for name in ("kept", "unkept")}
        for statement in split_script(FIRST_ROWS):
            first.execute(statement, specs)
        SqliteStore(first).setup()
        first.execute("INSERT INTO store (prefix, key, value) VALUES ('a.b', 'k', '{}')")
    return database_file


@pytest.mark.anyio
async def test_a_file_of_the_first_version_goes_on_where_it_was(first_file: Path) -> None:
    async with sqlite_backend(SqliteSettings()).connect(f"sqlite:///{first_file}") as storage:
        thread = await storage.threads.get("t")
        assert (thread.values, thread.ttl) == (b'{"n": 1}', None)
        claimed = await storage.runs.claim(Claim(owner="me", lease_seconds=60), limit=9)
        assert [(run.run_id, run.attempt, run.turn) for run in claimed if run.run_id in ("running", "waiting")] == [
            ("running", 2, 1), ("waiting", 1, 1),
        ]  # fmt: skip
        for run in claimed:
            await storage.events.append([batch_of(run.lease, b"{}")])
        for thread_id, run_id in (("t", "running"), ("u", "waiting")):
            kept = await storage.events.read_thread(thread_id, after=THREAD_BEGINNING, limit=9)
            assert [entry.run_id for entry in kept] == [run_id]
        item = await (await storage.items()).aget(("a", "b"), "k")
        assert item is not None
        run = next(run for run in claimed if run.run_id == "running")
        at = datetime.now(UTC)
        await storage.runs.finish(run.lease, ended(), at=at)
        await storage.threads.update("t", metadata={}, at=at, ttl=ThreadTtl(minutes=1))
        swept = await storage.retention.sweep(SweepOrder(at=at + timedelta(minutes=2)))
        assert (swept.threads_deleted, swept.is_done) == (1, True)
