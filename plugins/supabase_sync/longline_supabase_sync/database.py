"""Statements in the project's database: each a transaction of its own, in which nothing is left behind.

Whatever is set is set for the transaction: behind a pooler the session is somebody else's a moment later.
"""

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from importlib import resources
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row
from psycopg.sql import SQL, Composed

from longline.errors import SettingsError, SourceAwayError
from longline_supabase_sync.errors import translated
from longline_supabase_sync.names import SOURCE
from longline_supabase_sync.places import Place

logger = logging.getLogger(__name__)

T = TypeVar("T")

Connection: TypeAlias = psycopg.AsyncConnection[DictRow]
Query: TypeAlias = SQL | Composed
Row: TypeAlias = Mapping[str, object]
Parameters: TypeAlias = Mapping[str, object]

_PREPARE: Final = (
    "SELECT set_config('statement_timeout', %(milliseconds)s, true), set_config('lock_timeout', '2s', true),"
    " set_config('transaction_read_only', %(read_only)s, true)"
)
_GRACE_SECONDS: Final = 2.0  # after which a server that does not keep its own limit is not waited for


def load_sql(name: str) -> SQL:
    """A statement from the folder `sql`, without its comment."""
    return _statement((resources.files("longline_supabase_sync") / "sql" / f"{name}.sql").read_text("utf-8"))


def load_query(file: str) -> SQL:
    """The query in an operator's file. Raises SettingsError."""
    try:
        text = Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingsError([f"bad value for supabase_sync.query_file: {file}: {reason}"]) from None
    return _statement(text)


def _statement(text: str) -> SQL:
    kept = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))
    return SQL(kept.strip().rstrip(";"))


class Database:
    """At most `size` connections, made when they are needed: a database that is away is no reason not to start."""

    def __init__(self, place: Place, *, size: int, statement_seconds: float) -> None:
        self.place: Final = place
        self._slots = asyncio.Semaphore(size)
        self._idle: list[Connection] = []
        self._milliseconds = str(round(statement_seconds * 1000))
        self._limit_seconds = statement_seconds + _GRACE_SECONDS
        self._is_open = False
        self._told = ""
        self._failures = 0
        self._failure = ""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Statements may be made for as long as the context lasts."""
        self._is_open = True
        try:
            yield
        finally:
            self._is_open = False
            await self._close_idle()

    async def fetch(self, statement: Query, parameters: Parameters) -> Sequence[Row]:
        """The rows of a statement that only reads. Raises SourceAwayError."""
        return await self._run(statement, parameters, is_read_only=True)

    async def write(self, statement: Query, parameters: Parameters) -> Sequence[Row]:
        """What a statement that changes something gives back. Raises SourceAwayError."""
        return await self._run(statement, parameters, is_read_only=False)

    async def _run(self, statement: Query, parameters: Parameters, *, is_read_only: bool) -> Sequence[Row]:
        with self._noted(), translated():
            async with self._connection() as connection:
                settings = {"milliseconds": self._milliseconds, "read_only": "on" if is_read_only else "off"}
                work = _transaction(connection, settings, statement, parameters)
                return await bounded(connection, work, self._limit_seconds)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        failures = self._failures
        async with self._slots:
            if self._failures != failures:  # while this one waited: the others behind it need not find out one by one
                raise SourceAwayError(SOURCE, self._failure)
            if not self._is_open:
                raise SourceAwayError(SOURCE, "this server is not running")
            connection = await self._take()
            try:
                yield connection
            finally:
                if self._is_open and connection.pgconn.transaction_status == TransactionStatus.IDLE:
                    self._idle.append(connection)
                else:
                    await connection.close()
                    await self._close_idle()  # a server that is gone or silent is so for all

    @contextmanager
    def _noted(self) -> Iterator[None]:
        """Note that a connection failed, not merely a statement."""
        try:
            yield
        except SourceAwayError as error:
            if isinstance(error.__cause__, psycopg.OperationalError | OSError) and not _is_said(error.__cause__):
                self._failures += 1
                self._failure = error.reason
            raise

    async def _close_idle(self) -> None:
        while self._idle:
            await self._idle.pop().close()

    async def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if _is_sound(connection):
                return connection
            await connection.close()
        try:
            connection = await connect(self.place)
        except (psycopg.Error, OSError) as error:
            self._say_away(error)
            raise
        self._told = ""
        return connection

    def _say_away(self, error: Exception) -> None:
        """Once for each reason, in the driver's words: these are for whoever runs the server."""
        if str(error) != self._told:
            self._told = str(error)
            logger.warning("agents' database not reached", extra={"place": self.place.name, "reason": self._told})


async def connect(place: Place) -> Connection:
    """A connection in autocommit, without prepared statements: poolers know none."""
    return await psycopg.AsyncConnection.connect(
        place.conninfo, autocommit=True, row_factory=dict_row, prepare_threshold=None
    )


async def bounded(connection: Connection, work: Coroutine[object, object, T], seconds: float) -> T:
    """Do the work on the connection, and cut the connection if it takes longer or is cancelled: a server that went
    silent answers no cancel request either. Raises OperationalError."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
    finally:
        if not task.done():
            with suppress(OSError, psycopg.OperationalError), socket.socket(fileno=os.dup(connection.fileno())) as line:
                line.shutdown(socket.SHUT_RDWR)
            await asyncio.wait({task})
            task.exception()  # what the cut did to it; who was cancelled does not want to know
    return task.result()


async def _transaction(
    connection: Connection, settings: Parameters, statement: Query, parameters: Parameters
) -> Sequence[Row]:
    async with connection.transaction():
        await connection.execute(_PREPARE, settings)
        cursor = await connection.execute(statement, parameters)
        return await cursor.fetchall() if cursor.description is not None else []


def _is_said(error: BaseException | None) -> bool:
    """Whether a server that is there said it of a statement."""
    return isinstance(error, psycopg.Error) and error.sqlstate is not None


def _is_sound(connection: Connection) -> bool:
    """Whether the connection has not ended while nobody used it; asks nobody but the socket."""
    try:
        connection.pgconn.consume_input()  # the server's last words
        connection.pgconn.consume_input()  # and the end of the line behind them
    except psycopg.OperationalError:
        return False
    return connection.pgconn.transaction_status == TransactionStatus.IDLE
