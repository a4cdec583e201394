"""The connections of one process: made in the task that needs one, kept while they are sound.

Not psycopg's own pool, because of outages: that one makes connections in the background, so that who waits learns
neither soon nor why there is none, and gives out connections that a restart of the server has ended.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Final

import psycopg
from psycopg.pq import TransactionStatus

from longline.errors import StorageError
from longline_storage_postgres.connections import Connection
from longline_storage_postgres.errors import NoConnectionError, PoolClosedError, is_too_many, storage_error

_LIFETIME_SECONDS: Final = 3600.0  # so that load moves to new servers behind a name, and plans do not grow old
_IDLE_SECONDS: Final = 300.0
_AWAY_SECONDS: Final = 0.25  # for which everybody is told at once what the last attempt to connect was told
_FULL_SECONDS: Final = 1.0  # for which a server that took no more connections is not asked for another
_AWAY_WAIT_SECONDS: Final = 0.5  # for somebody else's attempt at a server that was away


class Pool:
    """At most `size` connections. Who takes one waits at most `wait_seconds`, and hardly at all where the server is
    known to be away: then one attempt at a time asks whether it is back."""

    def __init__(
        self, connect: Callable[[], Awaitable[Connection]], place: str, *, size: int, wait_seconds: float
    ) -> None:
        self._connect = connect
        self._place = place
        self._size = size
        self._wait_seconds = wait_seconds
        self._born: dict[Connection, float] = {}
        self._making = 0
        self._idle: list[tuple[float, Connection]] = []
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._away: StorageError | None = None
        self._away_until = 0.0
        self._full_until = 0.0
        self._renewed_at = 0.0
        self._is_closed = False
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A sound connection outside of any transaction. Raises StorageError."""
        connection = await self._take()
        try:
            yield connection
        finally:
            self._give(connection)

    def renew(self) -> None:
        """Use no connection any longer that was made before now."""
        self._renewed_at = asyncio.get_running_loop().time()

    async def close(self) -> None:
        """Give nothing to who comes now, let those who came before end, and end all connections."""
        self._is_closed = True
        deadline = asyncio.get_running_loop().time() + self._wait_seconds
        while (self._making or self._waiting or len(self._born) > len(self._idle)) and not self._away:
            self._changed.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._changed.wait()
            except TimeoutError:
                break
        self._fail_waiting(PoolClosedError(self._place))
        while self._idle:
            self._drop(self._idle.pop()[1])

    @property
    def is_full(self) -> bool:
        """Whether no further connection may be made: by our own limit, or the server's a moment ago."""
        if len(self._born) + self._making >= self._size:
            return True
        return bool(self._born or self._making) and asyncio.get_running_loop().time() < self._full_until

    # -- taking -----------------------------------------------------------------------------------------------------

    async def _take(self) -> Connection:
        if self._is_closed:
            raise PoolClosedError(self._place)
        deadline = asyncio.get_running_loop().time() + self._wait_seconds
        while True:
            while self._idle:
                connection = self._idle.pop()[1]
                if self._is_young(connection) and _is_sound(connection):
                    return connection
                self._drop(connection)
            connection_or_none = await self._make_or_wait(deadline)
            if connection_or_none is not None:
                return connection_or_none

    async def _make_or_wait(self, deadline: float) -> Connection | None:
        """A connection, or None: then look again."""
        if self.is_full:
            return await self._wait(deadline)
        if self._away is None:
            return await self._make(deadline)
        now = asyncio.get_running_loop().time()
        if now < self._away_until:
            raise self._away.with_traceback(None)
        if self._making:
            return await self._wait(min(deadline, now + _AWAY_WAIT_SECONDS))
        return await self._make(deadline)

    async def _make(self, deadline: float) -> Connection | None:
        self._making += 1
        try:
            async with asyncio.timeout_at(deadline):
                connection = await self._connect()
        except (psycopg.Error, OSError, TimeoutError) as error:
            self._making -= 1
            if isinstance(error, psycopg.Error) and is_too_many(error) and (self._born or self._making):
                self._full_until = asyncio.get_running_loop().time() + _FULL_SECONDS
                return None  # one of ours may have come back meanwhile, or will
            raise self._failed(error) from error
        except BaseException:
            self._making -= 1
            self._tell_room()
            raise
        self._making -= 1
        self._away = None
        self._born[connection] = asyncio.get_running_loop().time()
        self._tell_room()
        return connection

    def _failed(self, error: psycopg.Error | OSError | TimeoutError) -> StorageError:
        """The reason, told to all who wait and for a moment to all who come."""
        if isinstance(error, psycopg.Error):
            self._away = storage_error(error, self._place)
        else:
            self._away = NoConnectionError(self._place)
        self._away_until = asyncio.get_running_loop().time() + _AWAY_SECONDS
        self._changed.set()
        if not self._born:
            self._fail_waiting(self._away)
        return self._away

    async def _wait(self, deadline: float) -> Connection | None:
        """What somebody gives back, or None where there is room for another connection."""
        place: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            async with asyncio.timeout_at(deadline):
                return await place
        except TimeoutError:
            self._left(place)
            raise (self._away or NoConnectionError(self._place)).with_traceback(None) from None
        except asyncio.CancelledError:
            self._left(place)
            raise

    def _left(self, place: "asyncio.Future[Connection | None]") -> None:
        """Somebody waits no longer: what was given at that very moment goes to the next."""
        if place in self._waiting:
            self._waiting.remove(place)
        if place.done() and not place.cancelled() and place.exception() is None:
            given = place.result()
            if given is None:
                self._tell_room()
            else:
                self._give(given)

    # -- giving -----------------------------------------------------------------------------------------------------

    def _give(self, connection: Connection) -> None:
        is_clean = connection.pgconn.transaction_status == TransactionStatus.IDLE
        self._changed.set()
        if not is_clean or not self._is_young(connection):
            self._drop(connection)
            return
        for place in self._next_waiting():
            place.set_result(connection)
            return
        if self._is_closed:
            self._drop(connection)
            return
        now = asyncio.get_running_loop().time()
        self._idle.append((now, connection))
        if self._idle[0][0] + _IDLE_SECONDS < now:
            self._drop(self._idle.pop(0)[1])

    def _drop(self, connection: Connection) -> None:
        del self._born[connection]
        connection.pgconn.finish()
        self._tell_room()

    def _tell_room(self) -> None:
        self._changed.set()
        room = self._size - len(self._born) - self._making
        for _, place in zip(range(room), self._next_waiting(), strict=False):  # in this order: none is taken and left
            place.set_result(None)

    def _next_waiting(self) -> "Iterator[asyncio.Future[Connection | None]]":
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                yield place

    def _fail_waiting(self, error: StorageError) -> None:
        for place in self._next_waiting():
            place.set_exception(error)

    def _is_young(self, connection: Connection) -> bool:
        born = self._born[connection]
        return born >= self._renewed_at and born + _LIFETIME_SECONDS > asyncio.get_running_loop().time()


def _is_sound(connection: Connection) -> bool:
    """Whether the connection has not ended while nobody used it; asks nobody but the socket."""
    try:
        connection.pgconn.consume_input()  # the server's last words
        connection.pgconn.consume_input()  # and the end of the line behind them
    except psycopg.OperationalError:
        return False
    return connection.pgconn.transaction_status == TransactionStatus.IDLE
