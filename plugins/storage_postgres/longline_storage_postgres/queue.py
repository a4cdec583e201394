"""Runs: the row is the queue."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from longline.errors import LeaseLostError, NotFoundError, StorageError
from longline.models.chains import ChainHead
from longline.models.filters import EVERYTHING, Filter
from longline.models.runs import (
    Admission,
    CancelledRun,
    CancelRequest,
    Claim,
    Finished,
    Lease,
    LeaseState,
    NewRun,
    Run,
    RunOutcome,
    RunQuery,
    RunStatus,
)
from longline.storage.collections import RecordRule, record_nothing
from longline.storage.queue import AdmissionRule, UnreadableRun
from longline.threads import in_thread
from longline_storage_postgres.admission import admit_run, begin_thread
from longline_storage_postgres.cancellation import cancel_runs, rest_threads
from longline_storage_postgres.claims import claim_runs
from longline_storage_postgres.clocks import optional_instant
from longline_storage_postgres.connections import Connection
from longline_storage_postgres.database import Database
from longline_storage_postgres.endings import finish_run
from longline_storage_postgres.eventlog import PostgresEventLog
from longline_storage_postgres.fencing import lease_parameters, seize
from longline_storage_postgres.heartbeats import LeaseKeeper
from longline_storage_postgres.rows import can_be_stored, run_from_row
from longline_storage_postgres.run_searches import run_search, search_conditions
from longline_storage_postgres.searches import fetch, fetch_count
from longline_storage_postgres.statements import load_statements

_SQL = load_statements("queue")

_MOST_UNSURE: Final = 1000


@dataclass(frozen=True, slots=True)
class _Unsure:
    """A finish of which nobody heard whether it was committed."""

    transaction: str
    finished: Finished


class PostgresRunQueue:
    """See RunQueue."""

    def __init__(self, database: Database, events: PostgresEventLog) -> None:
        self._database = database
        self._events = events
        self._keeper = LeaseKeeper(database)
        self._unsure: dict[Lease, _Unsure] = {}

    async def open(self) -> None:
        """Open the connection that renews leases. Raises StorageError."""
        await in_thread(self._keeper.open)

    async def close(self) -> None:
        """Close the connection that renews leases."""
        await in_thread(self._keeper.close)

    async def enqueue(
        self,
        new: NewRun,
        *,
        admit: AdmissionRule,
        claim: Claim | None = None,
        visible: Filter = EVERYTHING,
        record: RecordRule = record_nothing,
    ) -> Admission:
        """See RunQueue. A temporary thread is new, so that one statement does it."""
        if new.spec.temporary and new.tick is None:
            begun = await self._database.write_once(
                lambda connection: begin_thread(connection, new, admit=admit, claim=claim)
            )
            if begun is not None:
                return begun
        return await self._database.write(
            lambda connection: admit_run(connection, new, admit=admit, claim=claim, visible=visible, record=record)
        )

    async def claim(
        self, claim: Claim, *, limit: int, on_unreadable: Callable[[UnreadableRun], None] | None = None
    ) -> Sequence[Run]:
        """See RunQueue."""
        runs, unreadable = await claim_runs(self._database, claim, limit)
        if on_unreadable is not None:
            for run in unreadable:
                on_unreadable(run)
        return runs

    def keep(self, owner: str, leases: Sequence[Lease], *, lease_seconds: float) -> Sequence[LeaseState]:
        """See RunQueue."""
        return self._keeper.keep(owner, leases, lease_seconds)

    async def holds(self, lease: Lease) -> bool:
        """See RunQueue."""

        async def work(connection: Connection) -> bool:
            return await (await connection.execute(_SQL["holds"], lease_parameters(lease))).fetchone() is not None

        return await self._database.read(work)

    async def release(self, lease: Lease) -> None:
        """See RunQueue."""

        async def work(connection: Connection) -> None:
            held = await seize(connection, lease)
            await self._events.put_back(connection, lease, held.newest_seq)
            await connection.execute(_SQL["release"], {"run_id": lease.run_id})

        await self._database.write(work)
        self._events.forget(lease)

    async def finish(self, lease: Lease, outcome: RunOutcome, *, at: datetime) -> Finished:
        """See RunQueue. If the connection went while the end was being committed, StorageError is raised; called again,
        it tells what came of it."""
        begun: list[_Unsure] = []

        async def work(connection: Connection) -> Finished:
            begun.clear()
            held = await seize(connection, lease)
            finished = await finish_run(connection, lease, held, outcome, at, self._events)
            begun.append(_Unsure(held.transaction, finished))
            return finished

        try:
            finished = await self._database.write(work)
        except LeaseLostError:
            unsure = self._unsure.pop(lease, None)
            self._events.forget(lease)
            if unsure is None or not await self._was_committed(lease, outcome, unsure):
                raise
            return unsure.finished
        except (StorageError, asyncio.CancelledError):
            if begun:
                self._doubt(lease, begun[0])
            raise
        self._unsure.pop(lease, None)
        self._events.forget(lease)
        return finished

    async def get(self, thread_id: str, run_id: str) -> Run:
        """See RunQueue."""
        return await self._database.read(lambda connection: _get(connection, thread_id, run_id))

    async def search(self, query: RunQuery) -> Sequence[Run]:
        """See RunQueue."""
        search = run_search(query)

        async def work(connection: Connection) -> Sequence[Run]:
            return [run_from_row(row) for row in await fetch(connection, search)]

        return await self._database.read(work)

    async def count(self, query: RunQuery) -> int:
        """See RunQueue."""
        conditions = search_conditions(query)

        async def work(connection: Connection) -> int:
            return await fetch_count(connection, count=_SQL["count"], conditions=conditions)

        return await self._database.read(work)

    async def give_up(self, thread_id: str, head: ChainHead, *, at: datetime) -> bool:
        """See RunQueue."""
        row = {"thread_id": thread_id, "run_id": head.run_id, "verdict": head.verdict, "at": at}

        async def work(connection: Connection) -> bool:
            if not can_be_stored(thread_id) or await _locks_none(connection, {"thread_id": thread_id}):
                return False
            return (await connection.execute(_SQL["give_up"], row)).rowcount > 0

        return await self._database.write(work)

    async def cancel(
        self, run_ids: Sequence[str], request: CancelRequest, *, at: datetime, record: RecordRule = record_nothing
    ) -> Sequence[CancelledRun]:
        """See RunQueue."""
        row = {"run_ids": [run_id for run_id in run_ids if can_be_stored(run_id)]}

        async def work(connection: Connection) -> Sequence[CancelledRun]:
            await connection.execute(_SQL["lock_threads_of"], row)
            rows = await (await connection.execute(_SQL["unfinished_of_ids"], row)).fetchall()
            runs = [run_from_row(found) for found in rows]
            cancelled = await cancel_runs(connection, runs, request, at, record)
            await rest_threads(connection, cancelled, request, at)
            return cancelled

        return await self._database.write(work)

    async def delete(self, thread_id: str, run_id: str) -> bool:
        """See RunQueue."""

        async def work(connection: Connection) -> bool:
            locked = {"thread_id": thread_id}
            if not can_be_stored(thread_id) or await _locks_none(connection, locked):
                raise NotFoundError("run", run_id)
            run = await _get(connection, thread_id, run_id)
            await connection.execute(_SQL["delete"], {"run_id": run_id})
            return run.status is RunStatus.RUNNING

        return await self._database.write(work)

    async def next_due(self) -> datetime | None:
        """See RunQueue."""

        async def work(connection: Connection) -> datetime | None:
            row = await (await connection.execute(_SQL["next_due"])).fetchone()
            return None if row is None else optional_instant(row["due_at"])

        return await self._database.read(work)

    async def count_unfinished(self) -> Mapping[str, int]:
        """See RunQueue."""

        async def work(connection: Connection) -> Mapping[str, int]:
            return await (await connection.execute(_SQL["count_unfinished"])).fetchone() or {}

        return await self._database.read(work)

    def _doubt(self, lease: Lease, unsure: _Unsure) -> None:
        self._unsure[lease] = unsure
        while len(self._unsure) > _MOST_UNSURE:
            del self._unsure[next(iter(self._unsure))]

    async def _was_committed(self, lease: Lease, outcome: RunOutcome, unsure: _Unsure) -> bool:
        """Whether the lease is lost because its run was ended under it, a moment ago."""
        row = {"run_id": lease.run_id, "transaction": unsure.transaction}

        async def work(connection: Connection) -> bool:
            found = await (await connection.execute(_SQL["what_became"], row)).fetchone()
            if found is None:
                return False
            if found["status"] is None:
                return bool(found["is_committed"])
            return bool(found["attempt"] == lease.attempt and found["status"] == outcome.status)

        return await self._database.read(work)


async def _locks_none(connection: Connection, thread: dict[str, str]) -> bool:
    """Whether there was no such thread to lock."""
    return await (await connection.execute(_SQL["lock_thread"], thread)).fetchone() is None


async def _get(connection: Connection, thread_id: str, run_id: str) -> Run:
    row = None
    if can_be_stored(thread_id) and can_be_stored(run_id):
        row = await (await connection.execute(_SQL["find"], {"run_id": run_id, "thread_id": thread_id})).fetchone()
    if row is None:
        raise NotFoundError("run", run_id)
    return run_from_row(row)
