"""Why a server refuses what was asked of it, in words that fit the reason, from all that looks at the database."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr
from tests.postgres import OwnServer, own_server

from longline.errors import StorageAwayError, StorageError
from longline_storage_postgres.backends import postgres_backend
from longline_storage_postgres.errors import storage_error
from longline_storage_postgres.settings import PostgresSettings

BACKEND = postgres_backend(PostgresSettings(start_wait_seconds=0, connect_seconds=2))
SECRET = "hush/hush@7?#"


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    with own_server() as server:
        do(server.url, "CREATE ROLE weak LOGIN PASSWORD 'weak'")
        yield server


@pytest.fixture
def database(server: OwnServer) -> Iterator[str]:
    """The name of an empty database."""
    do(server.url, "CREATE DATABASE tried")
    yield "tried"
    do(server.url, "DROP DATABASE tried WITH (FORCE)")


def do(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(sql.SQL(statement))  # type: ignore[arg-type]  # of this file


async def refusal(url: str) -> str:
    """What all that looks at the database says: opening it, migrating it, and asking what has not run."""
    said = set()
    assert BACKEND.pending is not None
    for attempt in (BACKEND.migrate, BACKEND.pending):
        with pytest.raises(StorageError) as caught:
            await attempt(url)
        said.add((type(caught.value) is StorageAwayError, caught.value.reason))
    with pytest.raises(StorageError) as caught:
        async with BACKEND.connect(url):
            pass
    said.add((type(caught.value) is StorageAwayError, caught.value.reason))
    [(is_away, reason)] = said
    assert not is_away, f"a start would wait for it: {reason}"
    assert "hush" not in reason
    return reason


@pytest.mark.anyio
class TestRefusals:
    async def test_a_user_that_may_not_use_the_schema(self, server: OwnServer, database: str) -> None:
        await BACKEND.migrate(server.url_of(database))
        reason = await refusal(server.url_of(database, user="weak", password="weak"))
        assert "the user may not use the schema longline; grant it" in reason

    async def test_a_user_that_may_use_the_schema_and_none_of_its_tables(
        self, server: OwnServer, database: str
    ) -> None:
        await BACKEND.migrate(server.url_of(database))
        do(server.url_of(database), "GRANT USAGE ON SCHEMA longline TO weak")
        reason = await refusal(server.url_of(database, user="weak", password="weak"))
        assert "the user may not use the schema longline; grant it" in reason

    async def test_a_user_that_may_not_connect(self, server: OwnServer, database: str) -> None:
        do(server.url, f"REVOKE CONNECT ON DATABASE {database} FROM public")
        reason = await refusal(server.url_of(database, user="weak", password="weak"))
        assert "run GRANT CONNECT ON DATABASE" in reason

    async def test_a_database_that_takes_no_connections(self, server: OwnServer, database: str) -> None:
        do(server.url, f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
        assert "ALLOW_CONNECTIONS true" in await refusal(server.url_of(database))

    async def test_no_password(self, server: OwnServer) -> None:
        reason = await refusal(f"postgresql://postgres@127.0.0.1:{server.port}/postgres")
        assert "the server wants a password" in reason

    @pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
    async def test_another_encoding(self, server: OwnServer, database: str, encoding: str) -> None:
        do(
            server.url,
            f"DROP DATABASE {database}",
            f"CREATE DATABASE {database} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
        )
        assert f"its encoding is {encoding}" in await refusal(server.url_of(database))

    @pytest.mark.parametrize("is_migrated", [True, False])
    async def test_a_database_that_only_reads(self, server: OwnServer, database: str, is_migrated: bool) -> None:
        if is_migrated:
            await BACKEND.migrate(server.url_of(database))
        do(server.url, f"ALTER DATABASE {database} SET default_transaction_read_only = on")
        assert "the database only reads" in await refusal(server.url_of(database))

    @pytest.mark.parametrize(
        "parameter", ["options=-c%20nonsense%3D1", "options=-c%20statement_timeout%3Dsoon", "port=99999"]
    )
    async def test_a_value_that_no_waiting_mends(self, server: OwnServer, parameter: str) -> None:
        reason = await refusal(f"{server.url}?{parameter}")
        assert "a value that does not fit" in reason

    async def test_the_url_without_a_pooler_is_named_where_that_one_is_wrong(self, server: OwnServer) -> None:
        direct = SecretStr(server.url_of("not_there"))
        backend = postgres_backend(PostgresSettings(start_wait_seconds=0, direct_url=direct))
        with pytest.raises(StorageError, match=r"/not_there \(DATABASE_DIRECT_URL\): there is no such database"):
            await backend.migrate(server.url)

    async def test_a_parameter_that_nobody_knows(self, server: OwnServer) -> None:
        reason = await refusal(f"{server.url_of('postgres', password=SECRET)}?color=hush")
        assert "only parameters of libpq behind a ?" in reason


@pytest.mark.parametrize(
    "words", ['could not write block 7 in file "x": No space left on device', "could not write init file"]
)
def test_a_disk_that_is_too_full_to_connect_may_be_waited_for(words: str) -> None:
    error = storage_error(psycopg.OperationalError(f"connection failed: FATAL:  {words}"), "here")
    assert isinstance(error, StorageAwayError)
    assert "the disk of the database server is full" in str(error)
