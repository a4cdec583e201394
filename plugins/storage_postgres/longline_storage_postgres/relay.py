"""What the processes that share a database leave there for each other's readers."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from psycopg.rows import DictRow

from longline.models.events import EventBatch, EventId, RunEnding, RunEvent
from longline.models.runs import RunOutcome, RunStatus
from longline.storage.relay import BegunRun, FollowedRun, FollowedThread, RelayedEnd
from longline_storage_postgres.connections import Connection
from longline_storage_postgres.database import Database
from longline_storage_postgres.rows import event_from_row, event_parameters, failure_from_text, failure_text
from longline_storage_postgres.statements import load_statements

_SQL = load_statements("relay")

_LARGEST = 2**31 - 1  # what a column can hold; ids that clients send may be larger
_PAGE_BYTES: Final = 4 * 1024 * 1024
"""After so much data a page ends, however few its events: who reads may be slow."""


class PostgresRelay:
    """See RelayStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def watch_run(self, run_id: str, owner: str) -> FollowedRun | None:
        """See RelayStore."""

        async def work(connection: Connection) -> FollowedRun | None:
            marked = await (await connection.execute(_SQL["watch_run"], {"run_id": run_id, "owner": owner})).fetchone()
            if marked is None:
                return None
            row = await (await connection.execute(_SQL["follow_run"], {"run_id": run_id})).fetchone()
            return None if row is None else _followed(row)

        return await self._database.write(work)

    async def watch_thread(self, thread_id: str, owner: str, *, seconds: float) -> FollowedThread | None:
        """See RelayStore."""
        row = {"thread_id": thread_id, "owner": owner, "seconds": seconds}

        async def work(connection: Connection) -> FollowedThread | None:
            marked = await (await connection.execute(_SQL["watch_thread"], row)).fetchone()
            if marked is None:
                return None
            rows = await (await connection.execute(_SQL["follow_thread"], {"thread_id": thread_id})).fetchall()
            return FollowedThread(turn=marked["turns"], unfinished=[_followed(found) for found in rows])

        return await self._database.write(work)

    async def begun(self, after: Mapping[str, int]) -> Sequence[BegunRun]:
        """See RelayStore."""
        row = {"thread_ids": list(after), "turns": list(after.values())}

        async def work(connection: Connection) -> Sequence[BegunRun]:
            return [BegunRun(**found) for found in await (await connection.execute(_SQL["begun"], row)).fetchall()]

        return await self._database.read(work)

    async def append(self, batches: Sequence[EventBatch]) -> frozenset[str]:
        """See RelayStore. Committed for good: who was told of it does not ask again."""
        if not any(batch.events for batch in batches):
            return frozenset()
        events = [event for batch in batches for event in batch.events]
        row = {
            "run_ids": [batch.lease.run_id for batch in batches],
            "attempts": [batch.lease.attempt for batch in batches],
            "owners": [batch.lease.owner for batch in batches],
            "numbers": [number for number, batch in enumerate(batches, 1) for _ in batch.events],
            "turns": [event.turn for event in events],
            **event_parameters(events),
        }

        async def work(connection: Connection) -> set[int]:
            found = await (await connection.execute(_SQL["append"], row)).fetchall()
            return {int(held["number"]) for held in found}

        held = await self._database.write_alone(work)
        return frozenset(batch.lease.run_id for number, batch in enumerate(batches, 1) if number not in held)

    async def read(self, run_id: str, *, after: EventId, limit: int) -> Sequence[RunEvent]:
        """See RelayStore."""
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

    async def ends(self, run_ids: Sequence[str]) -> Mapping[str, RelayedEnd | None]:
        """See RelayStore."""

        async def work(connection: Connection) -> Mapping[str, RelayedEnd | None]:
            rows = await (await connection.execute(_SQL["ends"], {"run_ids": list(run_ids)})).fetchall()
            return {
                row["run_id"]: _end(row) if row["is_known"] else None
                for row in rows
                if row["has_ended"] or not row["is_known"]
            }

        return await self._database.read(work)

    async def forget(self, *, older_than_seconds: float) -> int:
        """See RelayStore."""

        async def work(connection: Connection) -> int:
            row = await (
                await connection.execute(_SQL["forget"], {"older_than_seconds": older_than_seconds})
            ).fetchone()
            return 0 if row is None else int(row["gone"])

        return await self._database.write_alone(work)


async def leave_end(connection: Connection, run_id: str, outcome: RunOutcome, at: datetime, *, is_gone: bool) -> None:
    """In the transaction that ends a watched run, before its row changes: how it ends, for readers elsewhere. With
    `is_gone` its row and its events are about to go: they are left too."""
    row = {
        "run_id": run_id,
        "run_status": None if outcome.erase else outcome.status,
        "result": outcome.result,
        "failure": failure_text(outcome.failure),
        "is_gone": is_gone,
        "at": at,
    }
    if is_gone:
        await connection.execute(_SQL["leave_events"], row)
    await connection.execute(_SQL["leave_end"], row)


def _followed(row: DictRow) -> FollowedRun:
    return FollowedRun(run_id=row["run_id"], last=EventId(row["attempt"], row["seq"]), is_kept=row["resumable"])


def _end(row: DictRow) -> RelayedEnd:
    return RelayedEnd(
        thread_id=row["thread_id"],
        ending=RunEnding(
            run_id=row["run_id"],
            turn=row["turn"],
            status=None if row["status"] is None else RunStatus(row["status"]),
            failure=failure_from_text(row["failure"]),
            at_ms=row["at_ms"],
            is_behind=row["is_behind"],
        ),
        result=row["result"],
        is_kept=row["is_kept"],
        is_of_thread=row["is_of_thread"],
    )
