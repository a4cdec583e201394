"""Members as a table of the project lists them."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias

from psycopg import AsyncConnection, Error, OperationalError

from longline_auth_supabase.membership import QueryAwayError, QueryBrokenError

_MOST_CONNECTIONS: Final = 4
_NOBODY: Final = "00000000-0000-0000-0000-000000000000"
_BROKEN_CLASSES: Final = ("0A", "22", "25", "42")
"""Of SQLSTATE: features, values, writing where one only reads, names and rights. None of these mends itself."""

_Connection: TypeAlias = AsyncConnection[tuple[object, ...]]


class MembersQuery:
    """See MemberSource. Each question is a transaction of its own that only reads, on one of a few connections that are
    kept. Nothing is prepared, so that a transaction pooler may stand between. Who asks while the database is away is
    told at once, as far as that can be known at once."""

    def __init__(self, url: str, query: str, *, timeout_seconds: float) -> None:
        self._url = url
        self._query = query
        self._timeout_seconds = timeout_seconds
        self._idle: list[_Connection] = []
        self._room = asyncio.Semaphore(_MOST_CONNECTIONS)

    async def organizations_of(self, user_id: str) -> tuple[str, ...]:
        """See MemberSource."""
        with _translated(self._timeout_seconds):
            async with asyncio.timeout(self._timeout_seconds), self._room:
                while self._idle:
                    connection = self._idle.pop()
                    try:
                        return await self._ask(connection, user_id)
                    except OperationalError:
                        if not connection.broken:
                            raise
                        # it had ended while nobody used it
                return await self._ask(await self._connect(), user_id)

    async def check(self) -> None:
        """See MemberSource."""
        await self.organizations_of(_NOBODY)

    async def close(self) -> None:
        """See MemberSource."""
        idle, self._idle = self._idle, []
        self._room = asyncio.Semaphore(_MOST_CONNECTIONS)  # the next loop's
        for connection in idle:
            await connection.close()

    async def _ask(self, connection: _Connection, user_id: str) -> tuple[str, ...]:
        try:
            async with connection.transaction():
                await connection.execute("SET TRANSACTION READ ONLY")
                cursor = await connection.execute(self._query, {"user_id": user_id})
                found = tuple(str(row[0]) for row in await cursor.fetchall() if row[0] is not None)
        except BaseException:
            await connection.close()
            raise
        self._idle.append(connection)
        return found

    async def _connect(self) -> _Connection:
        return await AsyncConnection.connect(
            self._url, autocommit=True, prepare_threshold=None, application_name="longline"
        )


@contextmanager
def _translated(seconds: float) -> Iterator[None]:
    """What Postgres, or the way to it, says, in two kinds."""
    try:
        yield
    except TimeoutError:
        raise QueryAwayError(f"no answer in {seconds:g} seconds") from None  # noqa: TRY003  # for the log
    except Error as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        state = error.sqlstate or ""
        is_broken = state.startswith(_BROKEN_CLASSES) or (not state and not isinstance(error, OperationalError))
        raise (QueryBrokenError if is_broken else QueryAwayError)(lines[0]) from error
    except OSError as error:
        raise QueryAwayError(error.strerror or str(error)) from error
