"""The connections of one process: psycopg's pool, and at its edges what outages of the server ask for.

The library makes, keeps and ends connections. Ours is that who waits for one learns at once that there is none, and
why, and that nobody is given one that ended while it was idle.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final
from weakref import WeakKeyDictionary

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow
from psycopg_pool import AsyncConnectionPool, PoolClosed

from longline.errors import StorageError
from longline_storage_postgres.connections import Connection
from longline_storage_postgres.errors import (
    NetworkError,
    NoConnectionError,
    PoolClosedError,
    is_too_many,
    storage_error,
)

_LIFETIME_SECONDS: Final = 3600.0  # so that load moves to new servers behind a name, and plans do not grow old
_IDLE_SECONDS: Final = 300.0
_AWAY_SECONDS: Final = 0.25  # for which everybody is told at once what the last attempt to connect was told
_FULL_SECONDS: Final = 1.0  # for which a server that took no more connections is not asked for another
_AWAY_WAIT_SECONDS: Final = 0.5  # for an attempt at a server that was away
_RENEW_SECONDS: Final = 1.0  # a server that only reads is not connected to anew for each write that it refuses
_NEVER: Final = 1e6  # seconds: the library's limits, where ours come first

_Fault = psycopg.Error | OSError


class Pool:
    """At most `size` connections. Who takes one waits at most `wait_seconds`, and hardly at all where the server is
    known to be away: then one attempt at a time asks whether it is back."""

    def __init__(
        self, connect: Callable[[], Awaitable[Connection]], place: str, *, size: int, wait_seconds: float
    ) -> None:
        self._connect = connect
        self._place = place
        self._wait_seconds = wait_seconds
        self._library = AsyncConnectionPool[Connection](
            connection_class=_Made,
            kwargs={"make": self._attempt},
            min_size=0,
            max_size=size,
            open=False,
            reset=_keep,
            max_lifetime=_LIFETIME_SECONDS,
            max_idle=_IDLE_SECONDS,
            reconnect_timeout=0.0,  # the next request asks again
            num_workers=size + 2,  # attempts to connect must not keep connections from being given back
        )
        self._born: WeakKeyDictionary[Connection, float] = WeakKeyDictionary()
        self._used: set[Connection] = set()
        self._waiting: set[asyncio.Task[Connection]] = set()
        self._aside: set[asyncio.Task[None]] = set()  # what whoever began it does not wait for
        self._attempts: set[asyncio.Timeout] = set()
        self._ended = asyncio.Event()  # of the attempt that runs, or of the next
        self._changed = asyncio.Event()
        self._fault: _Fault | None = None
        self._is_away = False
        self._quiet_until = 0.0
        self._renewed_at = 0.0
        self._is_closed = False

    async def open(self) -> None:
        """Be ready; nothing is connected yet."""
        await self._library.open()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A sound connection outside of any transaction. Raises StorageError."""
        connection = await self._take()
        self._used.add(connection)
        try:
            yield connection
        finally:
            self._used.remove(connection)
            self._changed.set()
            await self._give(connection)

    def renew(self) -> None:
        """Use no connection any longer that was made before now; nothing where that was said a moment ago."""
        now = asyncio.get_running_loop().time()
        if now - self._renewed_at >= _RENEW_SECONDS:
            self._renewed_at = now

    async def close(self) -> None:
        """Give nothing to who comes now, let those who came before end, and end all connections: also where who closes
        is cancelled meanwhile."""
        self._is_closed = True
        try:
            await self._finish_work()
        finally:
            await self._end()

    async def _finish_work(self) -> None:
        deadline = asyncio.get_running_loop().time() + self._wait_seconds
        while (self._used or self._waiting) and not self._is_away:
            self._changed.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._changed.wait()
            except TimeoutError:
                break

    async def _end(self) -> None:
        for limit in self._attempts:
            limit.reschedule(asyncio.get_running_loop().time())
        try:
            await self._library.close()
        finally:
            for connection in self._alive:
                if connection not in self._used:
                    await connection.close()

    # -- taking and giving ------------------------------------------------------------------------------------------

    async def _take(self) -> Connection:
        if self._is_closed:
            raise PoolClosedError(self._place)
        deadline = asyncio.get_running_loop().time() + self._wait_seconds
        while True:
            if self._is_away:
                await self._wait_until_back(deadline)
            connection = await self._get(deadline)
            if self._is_young(connection) and _is_sound(connection):
                return connection
            await connection.close()
            await self._give(connection)

    async def _get(self, deadline: float) -> Connection:
        loop = asyncio.get_running_loop()
        getting = asyncio.create_task(self._library.getconn(_NEVER))  # apart, as its wait_for may drop a cancellation
        self._waiting.add(getting)
        try:
            await asyncio.sleep(0)  # where one is free it has it by then; to wait for a task costs several times more
            while not getting.done() and (left := deadline - loop.time()) > 0:
                await asyncio.wait({getting}, timeout=min(left, _FULL_SECONDS))
                if not getting.done() and self._fault is not None and loop.time() >= self._quiet_until:
                    self._ask()  # the library made an attempt that failed, and makes no other for who waits
            if getting.done() and not getting.cancelled():
                return getting.result()
        except PoolClosed:
            raise PoolClosedError(self._place) from None
        except asyncio.CancelledError:
            self._leave(getting)
            raise
        finally:
            self._waiting.discard(getting)
            self._changed.set()
        self._leave(getting)
        raise self._reason()

    def _leave(self, getting: "asyncio.Task[Connection]") -> None:
        """Somebody waits no longer: what was given at that very moment goes back."""

        async def leave() -> None:
            getting.cancel()
            await asyncio.wait({getting})
            if not getting.cancelled() and getting.exception() is None:
                await self._library.putconn(getting.result())

        self._own(asyncio.create_task(leave()))

    def _own(self, task: asyncio.Task[None]) -> None:
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)

    async def _give(self, connection: Connection) -> None:
        """Does not wait, so it cannot be cancelled: the library's workers do the rest."""
        if connection.pgconn.transaction_status != TransactionStatus.IDLE or not self._is_young(connection):
            await connection.close()
        await self._library.putconn(connection)

    def _is_young(self, connection: Connection) -> bool:
        return self._born[connection] >= self._renewed_at

    # -- connecting -------------------------------------------------------------------------------------------------

    async def _wait_until_back(self, deadline: float) -> None:
        """For the attempt that runs, or a new one where the last was a moment ago. Raises StorageError."""
        now = asyncio.get_running_loop().time()
        if now >= self._quiet_until:
            ended = self._ended
            self._ask()
            try:
                async with asyncio.timeout_at(min(deadline, now + _AWAY_WAIT_SECONDS)):
                    await ended.wait()
            except TimeoutError:
                pass
        if self._is_away:
            raise self._reason()

    def _ask(self) -> None:
        """Make the library try to connect. It looks at idle connections first, if there are any: who is cancelled must
        not lose them."""
        self._own(asyncio.create_task(self._library.check()))

    async def _attempt(self) -> Connection:
        """A connection for the library. What it raises the library only logs."""
        loop = asyncio.get_running_loop()
        if self._fault is not None and loop.time() < self._quiet_until and (self._is_away or self._alive):
            raise self._fault.with_traceback(None)
        limit = asyncio.timeout(None)
        try:
            async with limit:
                self._attempts.add(limit)
                connection = await self._connect()
        except (psycopg.Error, OSError) as error:
            self._attempts.discard(limit)
            self._failed(error)
            raise
        finally:
            self._attempts.discard(limit)
        self._born[connection] = loop.time()
        self._fault, self._is_away = None, False
        self._tell()
        return connection

    def _failed(self, fault: _Fault) -> None:
        """Those who wait share the connections that there are, or are told that there is none."""
        now = asyncio.get_running_loop().time()
        is_full = isinstance(fault, psycopg.Error) and is_too_many(fault)
        self._fault, self._quiet_until = fault, now + (_FULL_SECONDS if is_full else _AWAY_SECONDS)
        if self._alive or (is_full and self._attempts):
            return
        self._is_away, self._quiet_until = True, now + _AWAY_SECONDS
        self._tell()
        for getting in self._waiting:
            getting.cancel()

    def _tell(self) -> None:
        self._changed.set()
        self._ended.set()
        self._ended = asyncio.Event()

    def _reason(self) -> StorageError:
        if self._is_closed:
            return PoolClosedError(self._place)
        if not self._is_away or self._fault is None:
            return NoConnectionError(self._place)
        if isinstance(self._fault, OSError):
            return NetworkError(self._place, self._fault)
        return storage_error(self._fault, self._place)

    @property
    def _alive(self) -> list[Connection]:
        return [connection for connection in self._born if not connection.closed]


class _Made(psycopg.AsyncConnection[DictRow]):
    """Where the library asks for a connection: it has no other place that learns why there is none."""

    @classmethod
    async def connect(  # type: ignore[override]  # the library calls it with `kwargs` and nothing else
        cls, _: str, *, make: Callable[[], Awaitable[Connection]]
    ) -> Connection:
        return await make()


async def _keep(connection: Connection) -> None:
    """Nothing is left to reset. That there is a function makes the library take connections back in its workers, so
    that a cancelled request cannot lose one half-way."""


def _is_sound(connection: Connection) -> bool:
    """Whether the connection has not ended while nobody used it; asks nobody but the socket."""
    try:
        connection.pgconn.consume_input()  # the server's last words
        connection.pgconn.consume_input()  # and the end of the line behind them
    except psycopg.OperationalError:
        return False
    return connection.pgconn.transaction_status == TransactionStatus.IDLE
