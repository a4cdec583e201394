"""The storages that a served server may have in a test, by name, and how `longline` is told of each."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

Database = Literal["sqlite", "postgres"]
DATABASES: Final[tuple[Database, ...]] = ("sqlite", "postgres")


@contextmanager
def database_arguments(database: Database) -> Iterator[tuple[str, ...]]:
    """What a command of `longline` is called with to have an empty database of this kind, gone at the end."""
    if database == "sqlite":  # a file in the project's folder, which is the default
        yield ()
        return
    from tests.postgres import fresh_database, server_url  # psycopg only where it is needed

    with fresh_database(server_url()) as url:
        yield ("--database", url)
