"""Connections: how they are made, what is set on each, and where they go in words that hold no secret."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final, TypeAlias, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import DictRow, dict_row

from longline_storage_postgres.errors import BadUrlError
from longline_storage_postgres.settings import PostgresSettings

T = TypeVar("T")

Connection: TypeAlias = psycopg.AsyncConnection[DictRow]

_KEEPALIVE: Final[Mapping[str, str]] = {
    "keepalives": "1",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
"""A server that vanished without a word is noticed in about ten seconds."""


def conninfo(url: str, settings: PostgresSettings) -> str:
    """What the driver takes for a URL. Raises BadUrlError for one that cannot be read."""
    defaults = {"application_name": "longline", "connect_timeout": str(max(1, round(settings.connect_seconds)))}
    return make_conninfo("", **{**defaults, **_KEEPALIVE, **_parts(url), "client_encoding": "UTF8"})


def _parts(url: str) -> Mapping[str, str]:
    """The parts of a URL; `postgresql+driver://` is read as `postgresql://`. Raises BadUrlError."""
    scheme, _, rest = url.partition("://")
    try:
        given = conninfo_to_dict(f"{scheme.partition('+')[0]}://{rest}")
    except psycopg.Error:
        raise BadUrlError from None  # the driver's words repeat a piece of the URL
    parts = {key: str(value) for key, value in given.items() if value is not None}
    if not _is_plain(parts):
        raise BadUrlError
    return parts


def _is_plain(parts: Mapping[str, str]) -> bool:
    """False where a password that is not percent-encoded went into what seems to be the host, port or database."""
    ports = parts.get("port", "").split(",")
    named = [parts.get(key, "") for key in ("host", "dbname")]
    return all(not port or port.isdecimal() for port in ports) and not any("@" in name for name in named)


def direct_url(url: str, settings: PostgresSettings) -> str:
    """The way to the database without a pooler between, where one is known."""
    return settings.direct_url.get_secret_value() or url


def place_of(url: str) -> str:
    """Where a URL goes, without its user and password."""
    try:
        parts = _parts(url)
    except BadUrlError:
        return "postgresql"
    host, port, name = parts.get("host", "localhost"), parts.get("port", "5432"), parts.get("dbname", "")
    return f"{host}:{port}/{name}" if not host.startswith("/") else f"{host}/{name}"


def direct_place(url: str, settings: PostgresSettings) -> str:
    """Where the way without a pooler goes, and which setting says so where that is not the URL itself."""
    direct = direct_url(url, settings)
    return place_of(url) if direct == url else f"{place_of(direct)} (DATABASE_DIRECT_URL)"


async def configure(connection: Connection, settings: PostgresSettings) -> None:
    """Set on a new connection what holds for all of its transactions."""
    values = {
        "statement_ms": str(round(settings.read_seconds * 1000)),
        "idle_ms": str(round(settings.idle_transaction_seconds * 1000)),
    }
    await connection.execute(
        "SELECT set_config('statement_timeout', %(statement_ms)s, false),"
        " set_config('idle_in_transaction_session_timeout', %(idle_ms)s, false)",
        values,
    )


@asynccontextmanager
async def connect(url: str, settings: PostgresSettings) -> AsyncIterator[Connection]:
    """One connection of its own, in autocommit, for as long as the context lasts."""
    connection = await psycopg.AsyncConnection.connect(
        conninfo(url, settings), autocommit=True, row_factory=dict_row, prepare_threshold=None
    )
    async with connection:
        yield connection


async def wait_readable(connection: Connection, event: asyncio.Event, seconds: float) -> bool:
    """Until the server says something (its notifications are handed on then) or the event is set; whether either
    happened in time. Nothing else may use the connection meanwhile. Raises OperationalError."""
    loop = asyncio.get_running_loop()
    said = asyncio.Event()
    file = connection.fileno()

    def note() -> None:
        said.set()
        event.set()

    loop.add_reader(file, note)
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(file)
    if said.is_set():
        connection.pgconn.consume_input()
        hand_on = connection.pgconn.notify_handler
        while (notification := connection.pgconn.notifies()) is not None:
            if hand_on is not None:
                hand_on(notification)
    return True


async def bounded(connection: Connection, work: Coroutine[object, object, T], seconds: float) -> T:
    """Do the work on the connection, and cut the connection if it takes longer or is cancelled: a server that went
    silent answers no cancel request either. Raises OperationalError."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
    finally:
        if not task.done():
            cut(connection)
            await asyncio.wait({task})
            task.exception()  # what the cut did to it; who was cancelled does not want to know
    return task.result()


@contextmanager
def cut_after(connection: Connection, seconds: float) -> Iterator[None]:
    """Cut the connection if the context lasts longer: a server that went silent answers no cancel request either."""
    timer = asyncio.get_running_loop().call_later(seconds, cut, connection)
    try:
        yield
    finally:
        timer.cancel()


def cut(connection: Connection) -> None:
    """End the connection without a word: whoever waits for it gets an OperationalError at once."""
    with suppress(OSError, psycopg.OperationalError), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)
