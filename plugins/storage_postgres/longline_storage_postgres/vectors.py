"""The table of vectors, made where items are to be found by meaning; the extension pgvector compares them."""

import logging
from typing import Final

from psycopg import errors as pg
from psycopg import sql

from longline.errors import StorageError
from longline_storage_postgres.connections import Connection
from longline_storage_postgres.database import Database, open_database
from longline_storage_postgres.settings import PostgresSettings
from longline_storage_postgres.statements import load_statements

logger = logging.getLogger(__name__)

_SQL = load_statements("items")
_MIGRATIONS = load_statements("migrations")

_MISSING: Final = (
    "items.index needs the extension pgvector, which the database server does not have; install it there, or remove"
    " items.index (store.index in langgraph.json)"
)
_RIGHTS: Final = (
    "items.index needs the extension pgvector, which the user may not create; let somebody who may run"
    " CREATE EXTENSION vector in this database once"
)


async def prepare_vectors(database: Database, dims: int) -> str:
    """Make what is missing, and remove vectors of another size. The schema in which the extension stands. Raises
    StorageError."""

    async def prepare(connection: Connection) -> tuple[str, int]:
        schema = await _find(connection)
        if schema is None:
            await connection.execute(_MIGRATIONS["lock"])
            schema = await _create(connection)
        return schema, (await connection.execute(_SQL["delete_other_vectors"], {"dims": dims})).rowcount

    schema, foreign = await database.write(prepare)
    if foreign:
        logger.warning("vectors of another size removed", extra={"vectors": foreign, "dims": dims})
    return schema


async def prepare_vectors_of(url: str, settings: PostgresSettings, dims: int) -> None:
    """The same for a database that is not open. Raises StorageError."""
    async with open_database(url, settings) as database:
        await prepare_vectors(database, dims)


def with_vectors(name: str, schema: str) -> sql.Composed:
    """A statement in which it says where the extension stands."""
    return sql.SQL(_SQL[name]).format(vectors=sql.Identifier(schema))


async def _find(connection: Connection) -> str | None:
    """Where the extension stands, if all is there."""
    row = await (await connection.execute(_SQL["find_vectors"])).fetchone()
    return row["vectors"] if row is not None and row["has_table"] else None


async def _create(connection: Connection) -> str:
    row = await (await connection.execute(_SQL["find_vectors"])).fetchone()
    if row is None or row["vectors"] is None:
        try:
            await connection.execute(_SQL["create_extension"])
        except (pg.FeatureNotSupported, pg.UndefinedFile) as error:
            raise StorageError(_MISSING) from error
        except pg.InsufficientPrivilege as error:
            raise StorageError(_RIGHTS) from error
        row = await (await connection.execute(_SQL["find_vectors"])).fetchone()
    if row is None or row["vectors"] is None:
        raise StorageError(_MISSING)
    schema: str = row["vectors"]
    await connection.execute(with_vectors("create_vectors", schema))
    return schema
