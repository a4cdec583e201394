"""The open database: pieces of work, each in a transaction of its own, tried again where that is safe."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

import psycopg
from psycopg import errors as pg
from psycopg import sql
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row

from longline_storage_postgres.connections import Connection, configure, conninfo, cut_after, place_of
from longline_storage_postgres.errors import NotKeptError, translated
from longline_storage_postgres.looks import check_server
from longline_storage_postgres.pool import Pool
from longline_storage_postgres.settings import PostgresSettings
from longline_storage_postgres.starting import patiently
from longline_storage_postgres.statements import load_statements

T = TypeVar("T")

Work = Callable[[Connection], Awaitable[T]]
_Kind = Literal["write", "snapshot", "read"]

_SQL = load_statements("transactions")
_TRIES: Final = 6
_AGAIN: Final = (pg.SerializationFailure, pg.DeadlockDetected)
_PREPARE_AFTER: Final = 5  # times a statement is seen, before the server keeps its plan


@dataclass(slots=True)
class _Progress:
    has_begun: bool = False


class Database:
    """Work on the database, each piece in a transaction of its own. Errors come out as StorageError, of which
    StorageAwayError where waiting may mend it.

    A piece of work is done again where two were in each other's way, and where its connection turned out to be dead
    before it began: it must have no effect but on the database. One that breaks off later may have been kept or not:
    StorageAwayError says that nobody knows.
    """

    def __init__(self, pool: Pool, url: str, settings: PostgresSettings, *, is_pooled: bool) -> None:
        self._pool = pool
        self.url = url
        self.settings = settings
        self.is_pooled = is_pooled
        """Whether a transaction pooler stands between: nothing lasts longer than a transaction there."""
        self.place = place_of(url)
        self._begin: Mapping[_Kind, bytes] = {
            "write": _begin("write", settings, is_pooled=is_pooled),
            "snapshot": _begin("snapshot", settings, is_pooled=is_pooled),
            "read": _begin("read", settings, is_pooled=is_pooled),
        }

    async def write(self, work: Work[T]) -> T:
        """Do the work in one transaction. Raises StorageError, and whatever the work raises: then nothing is kept."""
        return await self._do(work, "write")

    async def write_alone(self, work: Work[T]) -> T:
        """Do a write of one statement, which is a transaction by itself: nothing goes to and fro but that statement.
        For work that may be done twice. Raises StorageError."""
        return await self._do(work, "write" if self.is_pooled else None)

    async def write_once(self, work: Work[T]) -> T:
        """The same for work that may not be done twice: one that breaks off is told, as with `write`."""
        return await self._do(work, "write" if self.is_pooled else None, is_repeatable=False)

    async def read(self, work: Work[T]) -> T:
        """Do work that only reads, statement by statement: each sees the newest state. Raises StorageError."""
        return await self._do(work, "read" if self.is_pooled else None)

    async def read_snapshot(self, work: Work[T]) -> T:
        """Do work that only reads, all of it from one state of the database. Raises StorageError."""
        return await self._do(work, "snapshot")

    async def _do(self, work: Work[T], kind: _Kind | None, *, is_repeatable: bool = True) -> T:
        """Without a kind, the work is statements that are transactions by themselves, and may be done twice unless it
        is not repeatable."""
        clock = asyncio.get_running_loop().time
        patient_until = clock() + self.settings.pool_wait_seconds
        with translated(self.place):
            for number in range(_TRIES - 1):
                progress = _Progress(has_begun=kind is None and not is_repeatable)
                async with self._pool.connection() as connection:
                    try:
                        return await self._once(connection, work, kind, progress)
                    except _AGAIN:
                        pass
                    except pg.FeatureNotSupported:  # a plan that the server kept no longer fits a migrated table
                        if self.is_pooled or number:
                            raise
                        self._pool.renew()
                    except pg.ReadOnlySqlTransaction:  # after a fail-over the way may lead to another server by now
                        if number:
                            raise
                        self._pool.renew()
                    except psycopg.OperationalError:
                        if progress.has_begun or not connection.broken or clock() >= patient_until:
                            raise
                        continue  # the pool hands out no second one that is known to be dead
                await asyncio.sleep(random.uniform(0.0, 0.005 * 2**number))  # noqa: S311  # no secret
            async with self._pool.connection() as connection:
                return await self._once(connection, work, kind, _Progress())

    async def _once(self, connection: Connection, work: Work[T], kind: _Kind | None, progress: _Progress) -> T:
        if kind is None:
            with cut_after(connection, self._work_seconds):
                return await work(connection)
        with cut_after(connection, self.settings.pool_wait_seconds):  # a pooler lets this wait for its servers
            await connection.execute(self._begin[kind], prepare=False)
        progress.has_begun = kind == "write"
        with cut_after(connection, self._work_seconds):
            try:
                result = await work(connection)
                ended = await connection.execute(_SQL["commit"], prepare=False)
            except BaseException:
                await _roll_back(connection)
                raise
        if ended.statusmessage != "COMMIT":  # the work went on after one of its statements had failed
            raise NotKeptError(self.place)
        return result

    @property
    def _work_seconds(self) -> float:
        """After which a server that stays silent is given up. Its own limit for each statement comes first."""
        return 2 * self.settings.read_seconds


async def _roll_back(connection: Connection) -> None:
    if connection.pgconn.transaction_status not in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
        return  # nothing to take back, or a connection that the pool drops
    try:
        await connection.execute(_SQL["rollback"], prepare=False)
    except psycopg.Error:
        return  # it broke: the server takes back


def _begin(kind: _Kind, settings: PostgresSettings, *, is_pooled: bool) -> bytes:
    """What starts a transaction. Behind a pooler the limits go with it in the same message: what is set for a session
    there would stay for whoever gets the pooler's connection next."""
    if not is_pooled:
        return _SQL[kind].encode()
    limits = sql.SQL(_SQL["limits"]).format(
        statement_ms=round(settings.read_seconds * 1000), idle_ms=round(settings.idle_transaction_seconds * 1000)
    )
    return (sql.SQL(_SQL[kind]) + limits).as_bytes(None)


@asynccontextmanager
async def open_database(url: str, settings: PostgresSettings) -> AsyncIterator[Database]:
    """The database, once its server is there and can serve; work may begin when its schema is up to date. Waits for the
    server as start_wait_seconds say. Raises StorageError."""
    place = place_of(url)

    async def look() -> bool:
        with translated(place):
            return await goes_through_pooler(url, settings)

    is_pooled = await patiently(look, url, settings)

    async def connect() -> Connection:
        connection = await psycopg.AsyncConnection[DictRow].connect(
            conninfo(url, settings),
            autocommit=True,
            row_factory=dict_row,
            prepare_threshold=None if is_pooled else _PREPARE_AFTER,
        )
        if not is_pooled:
            try:
                with cut_after(connection, settings.connect_seconds):
                    await configure(connection, settings)
            except BaseException:
                await connection.close()
                raise
        return connection

    pool = Pool(connect, place, size=settings.pool_size, wait_seconds=settings.pool_wait_seconds)
    await pool.open()
    try:
        yield Database(pool, url, settings, is_pooled=is_pooled)
    finally:
        await pool.close()


async def goes_through_pooler(url: str, settings: PostgresSettings) -> bool:
    """Whether the process that the driver was told of is another than the one that answers: a pooler is between. Raises
    StorageError where the server cannot serve as storage."""
    connection = await psycopg.AsyncConnection[DictRow].connect(
        conninfo(url, settings), autocommit=True, row_factory=dict_row, prepare_threshold=None
    )
    async with connection:
        with cut_after(connection, settings.connect_seconds):
            row = await (await connection.execute(_SQL["look"])).fetchone()
        check_server(row or {}, place_of(url))
        return row is None or row["pid"] != connection.info.backend_pid
