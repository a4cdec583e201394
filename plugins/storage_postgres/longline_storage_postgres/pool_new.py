"""The connections of one process: psycopg's pool, and at its edges what an outage of the server asks for.

The pool makes and keeps the connections, in the background. Ours is that who waits learns at once, and why, that there
is none, and that nobody is given one that ended while it was idle.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final
from weakref import WeakKeyDictionary

import psycopg
from psycopg.abc import AdaptContext, ConnParam
from psycopg.pq import TransactionStatus
from psycopg.rows import AsyncRowFactory, DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolClosed

from longline.errors import StorageError
from longline_storage_postgres.connections import Connection
from longline_storage_postgres.errors import NoConnectionError, PoolClosedError, is_too_many, storage_error

_AWAY_SECONDS: Final = 0.25  # for which everybody is told at once what the last attempt to connect was told
_FULL_SECONDS: Final = 1.0  # for which a server that took no more connections is not asked for another
_AWAY_WAIT_SECONDS: Final = 0.5  # for an attempt at a server that was away
_NEVER: Final = 1e6  # seconds: the limits are ours


class Attempts:
    """What became of the attempts to connect. The pool tells nobody: it tries again, and logs."""

    def __init__(self) -> None:
        self.fault: psycopg.Error | None = None
        """Of the last attempt, while there is no connection."""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the next attempt succeeds, or fails and leaves us without a connection."""
        self._last: psycopg.Error | None = None
        self._quiet_until = 0.0
        self._running = 0
        self._born: WeakKeyDictionary[psycopg.AsyncConnection[DictRow], float] = WeakKeyDictionary()

    @property
    def is_quiet(self) -> bool:
        """Whether the server was asked a moment ago and is not asked again yet."""
        return time.monotonic() < self._quiet_until

    @property
    def connections(self) -> "list[psycopg.AsyncConnection[DictRow]]":
        return [connection for connection in self._born if not connection.closed]

    def born(self, connection: Connection) -> float:
        return self._born[connection]
