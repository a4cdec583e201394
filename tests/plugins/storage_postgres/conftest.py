"""A fresh database for every test."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager

import psycopg
import pytest
from tests.postgres import OwnServer, fresh_database, migrated_template, own_server, server_url

from longline.storage.protocols import Storage
from longline_storage_postgres.backends import postgres_backend
from longline_storage_postgres.settings import PostgresSettings


@pytest.fixture(scope="session")
def postgres_server() -> str:
    return server_url()


@pytest.fixture(scope="session")
def template(postgres_server: str) -> str:
    return migrated_template(postgres_server)


@pytest.fixture
def database_url(postgres_server: str, template: str) -> Iterator[str]:
    with fresh_database(postgres_server, template) as url:
        yield url


@pytest.fixture
def reopen(database_url: str) -> Callable[[], AbstractAsyncContextManager[Storage]]:
    backend = postgres_backend(PostgresSettings())
    return lambda: backend.connect(database_url)


@pytest.fixture
async def storage(
    anyio_backend: str, reopen: Callable[[], AbstractAsyncContextManager[Storage]]
) -> AsyncIterator[Storage]:
    async with reopen() as opened:
        yield opened


@pytest.fixture
def server() -> Iterator[OwnServer]:
    """A Postgres that a test may stop, with a table."""
    with own_server() as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept (number INT PRIMARY KEY)")
        yield server
