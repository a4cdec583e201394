"""The schema: made once however many start, checked without a change, shared with the version before."""

import asyncio
from collections.abc import Iterator

import psycopg
import pytest
from tests.postgres import fresh_database

from longline.errors import SchemaTooNewError, StorageError
from longline.models.runs import Claim
from longline.testing.storage_samples import begin, put, sample_run
from longline_storage_postgres import migrate
from longline_storage_postgres.backends import postgres_backend
from longline_storage_postgres.errors import UnmarkedMigrationError
from longline_storage_postgres.migrate import migrations, pending_migrations, run_migrations
from longline_storage_postgres.settings import PostgresSettings

pytestmark = pytest.mark.anyio

SETTINGS = PostgresSettings()
ALL = [one.name for one in migrations()]


@pytest.fixture
def empty_url(postgres_server: str) -> Iterator[str]:
    with fresh_database(postgres_server) as url:
        yield url


async def test_ten_servers_that_start_together_on_an_empty_database_all_come_up(empty_url: str) -> None:
    backend = postgres_backend(SETTINGS)

    async def boot() -> None:
        async with backend.connect(empty_url) as storage:
            await storage.check()

    await asyncio.gather(*(boot() for _ in range(10)))
    with psycopg.connect(empty_url) as connection:
        rows = connection.execute("SELECT name FROM longline.migrations ORDER BY number").fetchall()
    assert [name for (name,) in rows] == ALL


async def test_what_is_pending_is_told_and_nothing_is_changed(empty_url: str) -> None:
    assert await pending_migrations(empty_url, SETTINGS) == ALL
    with psycopg.connect(empty_url) as connection:
        assert connection.execute("SELECT to_regnamespace('longline')").fetchone() == (None,)
    assert await run_migrations(empty_url, SETTINGS) == ALL
    assert await pending_migrations(empty_url, SETTINGS) == []
    assert await run_migrations(empty_url, SETTINGS) == []


def _later(url: str, *, serves_from: int) -> None:
    newest = migrations()[-1].number
    with psycopg.connect(url) as connection:
        connection.execute("ALTER TABLE longline.threads ADD COLUMN later TEXT")
        connection.execute(
            "INSERT INTO longline.migrations (number, name, serves_from) VALUES (%s, 'later', %s)",
            (newest + 1, serves_from),
        )


async def test_a_server_starts_on_the_schema_of_the_next_version_that_still_serves_it(database_url: str) -> None:
    _later(database_url, serves_from=migrations()[-1].number)
    async with postgres_backend(SETTINGS).connect(database_url) as storage:
        await storage.check()
    assert await pending_migrations(database_url, SETTINGS) == []


async def test_a_schema_that_serves_only_newer_code_is_left_alone(database_url: str) -> None:
    newest = migrations()[-1].number
    _later(database_url, serves_from=newest + 1)
    with pytest.raises(SchemaTooNewError, match=f"has schema version {newest + 1}, this Longline knows up to {newest}"):
        async with postgres_backend(SETTINGS).connect(database_url):
            raise AssertionError("it opened")


def test_every_migration_says_which_code_it_serves() -> None:
    assert all(1 <= one.serves_from <= one.number for one in migrations())
    with pytest.raises(UnmarkedMigrationError, match="0009_x does not begin with"):
        migrate._read("0009_x", "CREATE TABLE x ();")


def _as_before_chains(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("ALTER TABLE longline.runs DROP COLUMN chain_id, DROP COLUMN verdict")
        connection.execute("DELETE FROM longline.migrations WHERE number >= 3")


def _waits(connection: psycopg.Connection) -> bool:
    found = connection.execute(
        "SELECT count(*) FROM pg_locks WHERE relation = 'longline.runs'::regclass AND NOT granted"
        " AND mode = 'AccessExclusiveLock'"
    ).fetchone()
    return found != (0,)


async def test_servers_go_on_while_a_migration_waits_for_a_long_transaction(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "_PAUSE_SECONDS", 0.1)
    _as_before_chains(database_url)
    with psycopg.connect(database_url) as backup, psycopg.connect(database_url, autocommit=True) as server:
        backup.execute("SELECT count(*) FROM longline.runs")
        migrating = asyncio.create_task(run_migrations(database_url, SETTINGS))
        while not await asyncio.to_thread(_waits, server):
            assert not migrating.done()
        server.execute("SET statement_timeout = '30s'")
        assert await asyncio.to_thread(server.execute, "SELECT count(*) FROM longline.runs")
        assert not migrating.done()
        backup.rollback()
        assert await migrating == ["0003_chains", "0004_chain_indexes"]


async def test_a_migration_does_not_wait_for_ever(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "_MOST_TRIES", 1)
    _as_before_chains(database_url)
    with psycopg.connect(database_url) as backup:
        backup.execute("SELECT count(*) FROM longline.runs")
        with pytest.raises(StorageError, match="another transaction"):
            await run_migrations(database_url, SETTINGS)
    assert await pending_migrations(database_url, SETTINGS) == ["0003_chains", "0004_chain_indexes"]


async def test_a_server_goes_on_over_a_migration_of_the_next_version(database_url: str) -> None:
    async with postgres_backend(SETTINGS).connect(database_url) as storage:
        for number in range(20):  # often enough for the server to keep plans
            run = await begin(storage)
            assert (await storage.runs.get(run.thread_id, run.run_id)).run_id == run.run_id
            await put(storage, sample_run(temporary=True))
            assert len(await storage.runs.claim(Claim(owner="x", lease_seconds=60), limit=1)) == 1
            if number == 10:
                with psycopg.connect(database_url) as connection:
                    connection.execute("ALTER TABLE longline.runs ADD COLUMN later TEXT")
                    connection.execute("ALTER TABLE longline.threads ADD COLUMN later TEXT")
