"""The event log: what resumable runs said, until their run goes."""

from collections.abc import Sequence
from typing import Final

from longline.models.events import BEGINNING, END_OF_TURN, EventBatch, EventId, KeptEntry, RunEvent, ThreadPlace
from longline.models.runs import Lease
from longline_storage_postgres.connections import Connection
from longline_storage_postgres.database import Database
from longline_storage_postgres.recent import RecentEvents
from longline_storage_postgres.rows import entry_from_row, event_from_row, event_parameters
from longline_storage_postgres.statements import load_statements
from longline_storage_postgres.turns import newest_turn

_SQL = load_statements("eventlog")

_LARGEST = 2**31 - 1  # what a column can hold; ids that clients send may be larger
_PAGE_BYTES: Final = 4 * 1024 * 1024
"""After so much data a page ends, however few its events: who reads may be slow."""


class PostgresEventLog:
    """See EventLog. Most appends are committed without waiting for the disk; what a database that crashes loses of them
    is remembered here and stored again before anything later of the same attempt, and with its end."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._recent = RecentEvents()

    async def append(self, batches: Sequence[EventBatch]) -> frozenset[str]:
        """See EventLog."""
        joined = _join(batches)
        if not joined:
            return frozenset()
        lost, behind = await self._append(joined)
        if behind:
            # The database lost what it had: all of it again, in order.
            again = [
                EventBatch(batch.lease, (*self._recent.missing(batch.lease, newest), *batch.events))
                for batch, newest in behind
            ]
            more, _ = await self._append(again, is_whole=True)
            lost |= more
        return frozenset(lost)

    async def put_back(self, connection: Connection, lease: Lease, newest_seq: int) -> None:
        """In a transaction that holds the lease: store again what the log has not of what was appended, if anything."""
        missing = self._recent.missing(lease, newest_seq)
        if missing:
            row = {"run_id": lease.run_id, "attempt": lease.attempt, **event_parameters(missing)}
            await connection.execute(_SQL["put_back"], row)

    def forget(self, lease: Lease) -> None:
        """The attempt is over, and that is stored durably."""
        self._recent.forget(lease)

    async def read(self, run_id: str, *, after: EventId, limit: int) -> Sequence[RunEvent]:
        """See EventLog."""
        row = {
            "run_id": run_id,
            "attempt": min(after.attempt, _LARGEST),
            "seq": min(after.seq, _LARGEST),
            "limit": limit,
            "page_bytes": _PAGE_BYTES,
        }

        async def work(connection: Connection) -> Sequence[RunEvent]:
            rows = await (await connection.execute(_SQL["read"], row, binary=True)).fetchall()
            return [event_from_row(run_id, found) for found in rows]

        return await self._database.read(work)

    async def last(self, run_id: str) -> EventId:
        """See EventLog."""

        async def work(connection: Connection) -> EventId:
            row = await (await connection.execute(_SQL["last"], {"run_id": run_id})).fetchone()
            return BEGINNING if row is None else EventId(row["attempt"], row["seq"])

        return await self._database.read(work)

    async def read_thread(self, thread_id: str, *, after: ThreadPlace, limit: int) -> Sequence[KeptEntry]:
        """See EventLog."""
        row = {
            "thread_id": thread_id,
            "turn": min(after.turn, _LARGEST),
            "seq": min(after.seq, _LARGEST),
            "end": END_OF_TURN,
            "limit": limit,
            "page_bytes": _PAGE_BYTES,
        }

        async def work(connection: Connection) -> Sequence[KeptEntry]:
            rows = await (await connection.execute(_SQL["read_thread"], row, binary=True)).fetchall()
            return [entry_from_row(found) for found in rows]

        return await self._database.read(work)

    async def turn(self, thread_id: str) -> int:
        """See EventLog."""
        return await self._database.read(lambda connection: newest_turn(connection, thread_id))

    async def _append(
        self, batches: Sequence[EventBatch], *, is_whole: bool = False
    ) -> tuple[set[str], list[tuple[EventBatch, int]]]:
        """Store batches of different attempts. Which runs' leases were lost, and which batches were not stored because
        the log has not what went before, with the number of the newest event it has. `is_whole`: all is in them."""
        is_durable = self._recent.is_large or is_whole
        checked = self._recent.others(batches) if is_durable and not is_whole else []
        leases = [*(batch.lease for batch in batches), *checked]
        expected = [0 if is_whole else self._recent.newest(lease) for lease in leases]
        row = {
            "run_ids": [lease.run_id for lease in leases],
            "attempts": [lease.attempt for lease in leases],
            "owners": [lease.owner for lease in leases],
            "expected": expected,
            "numbers": [number for number, batch in enumerate(batches, 1) for _ in batch.events],
            "is_durable": is_durable,
            **event_parameters([event for batch in batches for event in batch.events]),
        }

        async def work(connection: Connection) -> dict[int, int]:
            found = await (await connection.execute(_SQL["append"], row)).fetchall()
            return {int(held["number"]): int(held["newest"]) for held in found}

        newest = await self._database.write_alone(work)
        lost: set[str] = set()
        behind: list[tuple[EventBatch, int]] = []
        for number, lease in enumerate(leases, 1):
            batch = batches[number - 1] if number <= len(batches) else EventBatch(lease, ())
            if number not in newest:
                self._recent.forget(lease)
                if number <= len(batches):
                    lost.add(lease.run_id)
            elif newest[number] < expected[number - 1]:
                behind.append((batch, newest[number]))
            elif is_durable:
                self._recent.forget(lease)
            else:
                self._recent.remember(batch)
        return lost, behind


def _join(batches: Sequence[EventBatch]) -> list[EventBatch]:
    """One batch for each attempt that has events."""
    events: dict[Lease, list[RunEvent]] = {}
    for batch in batches:
        if batch.events:
            events.setdefault(batch.lease, []).extend(batch.events)
    return [EventBatch(lease, tuple(said)) for lease, said in events.items()]
