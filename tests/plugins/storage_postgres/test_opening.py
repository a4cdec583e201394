"""What an operator may get wrong ends in one sentence that says what to do, and never shows a password."""

import asyncio
import logging
import os
import shutil
import subprocess
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr
from tests.postgres import NOT_ROOT, OwnServer, own_server
from tests.processes import LONGLINE, free_port

from longline.errors import SchemaTooNewError, StorageAwayError, StorageError
from longline.models.threads import Thread
from longline.storage.protocols import Storage
from longline.testing.storage_samples import sample_thread
from longline_storage_postgres.backends import postgres_backend
from longline_storage_postgres.connections import place_of
from longline_storage_postgres.errors import storage_error
from longline_storage_postgres.migrate import migrations
from longline_storage_postgres.settings import PostgresSettings

SETTINGS = PostgresSettings(start_wait_seconds=0, connect_seconds=2)
SECRET = "hush/hush@7?#"


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    with own_server() as server:
        yield server


@pytest.fixture
def database(server: OwnServer) -> Iterator[str]:
    """The name of an empty database."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS tried WITH (FORCE)")
        connection.execute("CREATE DATABASE tried")
        yield "tried"
        connection.execute("DROP DATABASE IF EXISTS tried WITH (FORCE)")


def do(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(sql.SQL(statement))  # type: ignore[arg-type]  # of this file


async def opening_error(url: str, settings: PostgresSettings = SETTINGS) -> StorageError | SchemaTooNewError:
    """The error of opening the storage; whatever it shows shows no password."""
    with pytest.raises((StorageError, SchemaTooNewError)) as caught:
        async with postgres_backend(settings).connect(url):
            pass
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert "\n" not in str(caught.value)
    assert SECRET not in shown
    assert "hush" not in str(caught.value)
    error = caught.value
    assert isinstance(error, (StorageError, SchemaTooNewError))
    return error


@pytest.mark.anyio
class TestBadInput:
    async def test_a_wrong_host(self) -> None:
        error = await opening_error("postgresql://ann:hush@no-such-host.invalid:5432/agents")
        assert "no-such-host.invalid:5432/agents: the host's name is not known" in str(error)

    async def test_a_wrong_port(self) -> None:
        error = await opening_error(f"postgresql://ann:hush@127.0.0.1:{free_port()}/agents")
        assert "nothing listens there" in str(error)

    async def test_a_wrong_password(self, server: OwnServer) -> None:
        assert "password is refused" in str(await opening_error(server.url_of("postgres", password=SECRET)))

    async def test_an_unknown_user(self, server: OwnServer) -> None:
        error = await opening_error(server.url_of("postgres", user="nobody_here", password=SECRET))
        assert "refused; check DATABASE_URL" in str(error)

    async def test_a_missing_database(self, server: OwnServer) -> None:
        assert "there is no such database" in str(await opening_error(server.url_of("not_there")))

    async def test_a_user_that_may_not_create_the_schema(self, server: OwnServer, database: str) -> None:
        do(server.url, "DROP ROLE IF EXISTS weak", "CREATE ROLE weak LOGIN PASSWORD 'weak'")
        error = await opening_error(server.url_of(database, user="weak", password="weak"))
        assert "the user lacks rights" in str(error)
        assert "longline migrate" in str(error)

    async def test_a_user_that_may_use_what_another_migrated(self, server: OwnServer, database: str) -> None:
        do(server.url, "DROP ROLE IF EXISTS worker", "CREATE ROLE worker LOGIN PASSWORD 'worker'")
        await postgres_backend(SETTINGS).migrate(server.url_of(database))
        do(
            server.url_of(database),
            "GRANT USAGE ON SCHEMA longline TO worker",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA longline TO worker",
            "GRANT USAGE ON ALL SEQUENCES IN SCHEMA longline TO worker",
        )
        async with postgres_backend(SETTINGS).connect(
            server.url_of(database, user="worker", password="worker")
        ) as storage:
            thread = await storage.threads.create(sample_thread("made"))
            assert (await storage.threads.get("made")) == thread
        do(server.url_of(database), "DROP OWNED BY worker")

    async def test_a_schema_of_a_newer_version_is_left_alone(self, server: OwnServer, database: str) -> None:
        backend = postgres_backend(SETTINGS)
        assert backend.pending is not None
        await backend.migrate(server.url_of(database))
        later = migrations()[-1].number + 1
        do(server.url_of(database), f"INSERT INTO longline.migrations VALUES ({later}, 'later', {later})")
        error = await opening_error(server.url_of(database))
        assert isinstance(error, SchemaTooNewError)
        for attempt in (backend.migrate, backend.pending):
            with pytest.raises(SchemaTooNewError, match="upgrade Longline"):
                await attempt(server.url_of(database))

    async def test_a_database_that_only_reads(self, server: OwnServer, database: str) -> None:
        await postgres_backend(SETTINGS).migrate(server.url_of(database))
        do(server.url, f"ALTER DATABASE {database} SET default_transaction_read_only = on")
        assert "the database only reads" in str(await opening_error(server.url_of(database)))

    async def test_an_empty_database_that_only_reads(self, server: OwnServer, database: str) -> None:
        do(server.url, f"ALTER DATABASE {database} SET default_transaction_read_only = on")
        assert "the database only reads" in str(await opening_error(server.url_of(database)))

    async def test_a_database_of_another_encoding(self, server: OwnServer) -> None:
        do(
            server.url,
            "DROP DATABASE IF EXISTS latin",
            "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
        )
        assert "its encoding is LATIN1" in str(await opening_error(server.url_of("latin")))

    async def test_a_server_without_ssl(self, server: OwnServer) -> None:
        error = await opening_error(server.url_of("postgres", password=SECRET) + "?sslmode=require")
        assert "speaks no SSL" in str(error)

    @pytest.mark.parametrize(
        "url",
        [
            "postgresql://ann:hush/hush@7@db.example.com/agents",
            "postgresql://ann:hush@7@db.example.com/agents",
            "postgresql://ann:hu%zzsh@db/agents",
            "postgresql://ann:hush hush@db/agents",
            "postgresql://ann:hush@db:port/agents",
            "postgresql:///agents?nonsense=1",
            "postgresql:///.longline/longline.db?timeout=5",
            "postgres:hush@db/agents",
        ],
    )
    async def test_a_url_that_cannot_be_read_is_not_repeated(self, url: str) -> None:
        error = await opening_error(url)
        assert "the database URL cannot be read; write postgresql://" in str(error)
        assert place_of(url) == "postgresql"

    async def test_a_parameter_that_does_not_fit(self, server: OwnServer) -> None:
        error = await opening_error(server.url_of("postgres", password=SECRET) + "?sslmode=perhaps")
        assert "a parameter with a value that does not fit" in str(error)

    async def test_a_connection_limit_of_the_user(self, server: OwnServer) -> None:
        do(server.url, "DROP ROLE IF EXISTS few", "CREATE ROLE few LOGIN PASSWORD 'few' CONNECTION LIMIT 0")
        error = await opening_error(server.url_of("postgres", user="few", password="few"))
        assert "takes no more connections" in str(error)

    @pytest.mark.parametrize(
        "statement",
        ["CREATE EXTENSION not_there", "CREATE EXTENSION IF NOT EXISTS not_there"],
    )
    async def test_a_missing_extension(self, server: OwnServer, statement: str) -> None:
        with pytest.raises(psycopg.Error) as caught:
            do(server.url, statement)
        sentence = str(storage_error(caught.value, "here"))
        assert "here: the extension not_there cannot be created; install it on the database server" in sentence

    async def test_settings_show_no_password(self, server: OwnServer) -> None:
        settings = PostgresSettings(direct_url=SecretStr(server.url_of("postgres", password=SECRET)))
        assert "hush" not in repr(settings) + str(settings) + settings.model_dump_json()

    async def test_logs_show_no_password(self, server: OwnServer, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        port = free_port()
        patient = PostgresSettings(start_wait_seconds=0.5)
        await opening_error(server.url_of("postgres", password=SECRET, port=port), patient)
        await opening_error(server.url_of("postgres", password=SECRET), patient)
        assert "waiting for the database" in caplog.text
        shown = caplog.text + "".join(repr(record.__dict__) for record in caplog.records)
        assert "hush" not in shown


class TestCommand:
    @pytest.mark.parametrize(
        "command", [["migrate"], ["migrate", "--check"], ["serve", "--insecure-no-auth", "--port", f"{free_port()}"]]
    )
    def test_a_wrong_password_ends_a_command_with_one_sentence(
        self, server: OwnServer, tmp_path: Path, command: list[str]
    ) -> None:
        url = server.url_of("postgres", password=SECRET)
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("LONGLINE_", "DATABASE_"))}
        done = subprocess.run(
            [str(LONGLINE), *command, "--database", url],
            cwd=tmp_path, env=clean, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        said = done.stdout + done.stderr
        assert done.returncode != 0
        assert "password is refused" in said
        assert "Traceback" not in said
        assert "hush" not in said


@pytest.mark.anyio
class TestStandby:
    async def test_a_standby_is_refused_until_it_is_promoted(self) -> None:
        with own_server("wal_level=replica", "max_wal_senders=4", "hot_standby=on") as primary:
            await postgres_backend(SETTINGS).migrate(primary.url)
            copy = primary.data.parent / "standby"
            primary.run("pg_basebackup", "-D", str(copy), "-R", "-d", primary.url_of("postgres"))
            with primary.beside(copy) as standby:
                assert "the database only reads" in str(await opening_error(standby.url))
                do(standby.url, "SELECT pg_promote()")
                async with postgres_backend(SETTINGS).connect(standby.url) as storage:
                    await storage.threads.create(sample_thread("made"))


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A folder that holds no more than so much."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root may mount a small disk")
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this machine mounts no tmpfs")
    try:
        if NOT_ROOT is not None:
            shutil.chown(folder, NOT_ROOT)
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(url: str) -> None:
    while True:
        do(url, "INSERT INTO ballast SELECT repeat('x', 7000) FROM generate_series(1, 100)")


async def create_for_ever(storage: Storage, made: list[Thread]) -> None:
    """Note each thread that is acknowledged, until one is not."""
    async with asyncio.timeout(60):
        while True:
            made.append(await storage.threads.create(sample_thread(f"t-{len(made)}")))


@pytest.mark.anyio
class TestFullDisk:
    async def test_a_full_disk_is_told_and_nothing_acknowledged_is_lost(self) -> None:
        with own_server() as server, small_disk(server.data.parent / "small", 24) as folder:
            do(server.url, f"CREATE TABLESPACE small LOCATION '{folder}'", "CREATE DATABASE tight TABLESPACE small")
            url = server.url_of("tight")
            async with postgres_backend(SETTINGS).connect(url) as storage:
                do(url, "CREATE TABLE ballast (x TEXT)", "ALTER TABLE ballast ALTER x SET STORAGE PLAIN")
                with pytest.raises(psycopg.errors.DiskFull):
                    fill(url)
                made: list[Thread] = []
                with pytest.raises(StorageAwayError, match="the disk of the database server is full"):
                    await create_for_ever(storage, made)
                do(url, "DROP TABLE ballast")
                made.append(await storage.threads.create(sample_thread("after")))
                for thread in made:
                    assert await storage.threads.get(thread.thread_id) == thread
