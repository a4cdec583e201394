"""LangGraph's store for long-term memory. Its statements are LangGraph's, its transactions and threads are ours."""

import asyncio
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress

from langgraph.store.base import Op, PutOp, Result
from langgraph.store.base.batch import AsyncBatchedBaseStore
from langgraph.store.sqlite import SqliteStore

from longline_storage_sqlite.connections import open_writer
from longline_storage_sqlite.database import Database


class SqliteItems(AsyncBatchedBaseStore):
    """The store: what writes goes through the one writer, the rest through the readers."""

    supports_ttl = True

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database

    @classmethod
    async def open(cls, database: Database) -> "SqliteItems":
        """Bring LangGraph's tables up to date and open the store."""
        await asyncio.to_thread(_set_up, database)
        return cls(database)

    async def aclose(self) -> None:
        """End the task that batches calls."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """See BaseStore. All of a batch is one transaction."""
        wanted = list(ops)
        lane = self._database.writer if any(isinstance(op, PutOp) for op in wanted) else self._database.readers
        return await lane.run(lambda connection: _Statements(connection).batch(wanted))


class _Statements(SqliteStore):
    """LangGraph's statements over a connection that is in a transaction of ours, or only reads."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self.is_setup = True

    @contextmanager
    def _cursor(self, *, transaction: bool = True) -> Iterator[sqlite3.Cursor]:  # noqa: ARG002  # ours is open
        with closing(self.conn.cursor()) as cursor:
            yield cursor


def _set_up(database: Database) -> None:
    # Not through the writer: the script of a migration commits by itself.
    with closing(open_writer(database.path, busy_timeout_seconds=database.busy_timeout_seconds)) as connection:
        SqliteStore(connection).setup()
