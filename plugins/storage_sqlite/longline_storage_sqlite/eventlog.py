"""The event log: what resumable runs said, until their run goes."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

from longline.models.events import BEGINNING, END_OF_TURN, EventBatch, EventId, KeptEntry, RunEvent, ThreadPlace
from longline_storage_sqlite.database import Database
from longline_storage_sqlite.fencing import find_held
from longline_storage_sqlite.rows import entry_from_row, event_from_row, event_parameters
from longline_storage_sqlite.statements import load_statements

_SQL = load_statements("eventlog")
_TURNS = load_statements("turns")

_LARGEST = 2**63 - 1  # what a column can hold; ids that clients send may be larger
_PAGE_BYTES: Final = 4 * 1024 * 1024
"""After so much data a page ends, however few its events: who reads may be slow."""


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
        rows = await self._database.readers.run(lambda connection: _page(connection.execute(_SQL["read"], row)))
        return [event_from_row(run_id, row) for row in rows]

    async def last(self, run_id: str) -> EventId:
        """See EventLog."""
        row = await self._database.readers.run(
            lambda connection: connection.execute(_SQL["last"], {"run_id": run_id}).fetchone()
        )
        return BEGINNING if row is None else EventId(row["attempt"], row["seq"])

    async def read_thread(self, thread_id: str, *, after: ThreadPlace, limit: int) -> Sequence[KeptEntry]:
        """See EventLog."""
        row = {
            "thread_id": thread_id,
            "turn": min(after.turn, _LARGEST),
            "seq": min(after.seq, _LARGEST),
            "end": END_OF_TURN,
            "limit": limit,
        }
        rows = await self._database.readers.run(lambda connection: _page(connection.execute(_SQL["read_thread"], row)))
        return [entry_from_row(row) for row in rows]

    async def turn(self, thread_id: str) -> int:
        """See EventLog."""
        row = await self._database.readers.run(
            lambda connection: connection.execute(_TURNS["newest"], {"thread_id": thread_id}).fetchone()
        )
        return 0 if row is None else int(row["turns"])


def _page(rows: Iterable[sqlite3.Row]) -> list[sqlite3.Row]:
    page, size = [], 0
    for row in rows:
        page.append(row)
        size += len(row["data"] or b"")
        if size >= _PAGE_BYTES:
            break
    return page
