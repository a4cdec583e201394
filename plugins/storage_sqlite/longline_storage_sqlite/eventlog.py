"""The event log: what resumable runs said, until their run goes."""

import sqlite3
from collections.abc import Sequence

from longline.models.events import BEGINNING, EventBatch, EventId, RunEvent
from longline_storage_sqlite.database import Database
from longline_storage_sqlite.fencing import find_held
from longline_storage_sqlite.rows import event_from_row, event_parameters
from longline_storage_sqlite.statements import load_statements

_SQL = load_statements("eventlog")

_LARGEST = 2**63 - 1  # what a column can hold; ids that clients send may be larger


class SqliteEventLog:
    """See EventLog."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, batches: Sequence[EventBatch]) -> frozenset[str]:
        """See EventLog."""
        prepared = [(batch.lease, [event_parameters(event) for event in batch.events]) for batch in batches]

        def work(connection: sqlite3.Connection) -> frozenset[str]:
            lost = set()
            for lease, rows in prepared:
                if find_held(connection, lease) is None:
                    lost.add(lease.run_id)
                else:
                    connection.executemany(_SQL["append"], rows)
            return frozenset(lost)

        return await self._database.writer.run(work)

    async def read(self, run_id: str, *, after: EventId, limit: int) -> Sequence[RunEvent]:
        """See EventLog."""
        row = {
            "run_id": run_id,
            "attempt": min(after.attempt, _LARGEST),
            "seq": min(after.seq, _LARGEST),
            "limit": limit,
        }
        rows = await self._database.readers.run(lambda connection: connection.execute(_SQL["read"], row).fetchall())
        return [event_from_row(run_id, row) for row in rows]

    async def last(self, run_id: str) -> EventId:
        """See EventLog."""
        row = await self._database.readers.run(
            lambda connection: connection.execute(_SQL["last"], {"run_id": run_id}).fetchone()
        )
        return BEGINNING if row is None else EventId(row["attempt"], row["seq"])
