"""Runs: the row is the queue."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from longline.errors import LeaseLostError, NotFoundError
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
from longline_storage_sqlite.admission import admit_run
from longline_storage_sqlite.cancellation import cancel_runs, delete_thread_of, erase_run, rest_threads
from longline_storage_sqlite.claims import claim_runs
from longline_storage_sqlite.clocks import instant, lease_micros, micros, wall_micros
from longline_storage_sqlite.database import Database
from longline_storage_sqlite.documents import put_documents
from longline_storage_sqlite.fencing import find_held, hold
from longline_storage_sqlite.rows import cancel_from_row, encode, failure_text, run_from_row, state_parameters
from longline_storage_sqlite.run_searches import run_search, search_conditions
from longline_storage_sqlite.searches import fetch, fetch_count
from longline_storage_sqlite.statements import load_statements

_SQL = load_statements("queue")
_THREADS = load_statements("threads")

_KEEP_EXTRA_SECONDS = 5.0  # beyond the writer's patience with a locked file, so that the cause is what is told


class SqliteRunQueue:
    """See RunQueue."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def enqueue(
        self,
        new: NewRun,
        *,
        admit: AdmissionRule,
        claim: Claim | None = None,
        visible: Filter = EVERYTHING,
        record: RecordRule = record_nothing,
    ) -> Admission:
        """See RunQueue."""
        return await self._database.writer.run(
            lambda connection: admit_run(connection, new, admit=admit, claim=claim, visible=visible, record=record)
        )

    async def claim(
        self, claim: Claim, *, limit: int, on_unreadable: Callable[[UnreadableRun], None] | None = None
    ) -> Sequence[Run]:
        """See RunQueue."""
        runs, unreadable = await self._database.writer.run(lambda connection: claim_runs(connection, claim, limit))
        if on_unreadable is not None:
            for run in unreadable:
                on_unreadable(run)
        return runs

    def keep(self, owner: str, leases: Sequence[Lease], *, lease_seconds: float) -> Sequence[LeaseState]:
        """See RunQueue."""

        def work(connection: sqlite3.Connection) -> Sequence[LeaseState]:
            expires_at = lease_micros(lease_seconds)
            return [_keep(connection, owner, lease, expires_at) for lease in leases]

        return self._database.writer.run_blocking(
            work, timeout_seconds=self._database.busy_timeout_seconds + _KEEP_EXTRA_SECONDS
        )

    async def holds(self, lease: Lease) -> bool:
        """See RunQueue."""
        return await self._database.readers.run(lambda connection: find_held(connection, lease) is not None)

    async def release(self, lease: Lease) -> None:
        """See RunQueue."""

        def work(connection: sqlite3.Connection) -> None:
            row = {"run_id": lease.run_id, "attempt": lease.attempt, "owner": lease.owner}
            if connection.execute(_SQL["release"], row).rowcount == 0:
                raise LeaseLostError(lease.run_id, lease.attempt)

        await self._database.writer.run(work)

    async def finish(self, lease: Lease, outcome: RunOutcome, *, at: datetime) -> Finished:
        """See RunQueue."""
        return await self._database.writer.run(lambda connection: _finish(connection, lease, outcome, micros(at)))

    async def get(self, thread_id: str, run_id: str) -> Run:
        """See RunQueue."""
        return await self._database.readers.run(lambda connection: _get(connection, thread_id, run_id))

    async def search(self, query: RunQuery) -> Sequence[Run]:
        """See RunQueue."""
        search = run_search(query)
        rows = await self._database.readers.run(lambda connection: fetch(connection, search))
        return [run_from_row(row) for row in rows]

    async def count(self, query: RunQuery) -> int:
        """See RunQueue."""
        conditions = search_conditions(query)
        return await self._database.readers.run(
            lambda connection: fetch_count(connection, count=_SQL["count"], conditions=conditions)
        )

    async def give_up(self, thread_id: str, head: ChainHead, *, at: datetime) -> bool:
        """See RunQueue."""
        row = {"thread_id": thread_id, "run_id": head.run_id, "verdict": head.verdict, "at": micros(at)}
        return await self._database.writer.run(lambda connection: connection.execute(_SQL["give_up"], row).rowcount > 0)

    async def cancel(
        self, run_ids: Sequence[str], request: CancelRequest, *, at: datetime, record: RecordRule = record_nothing
    ) -> Sequence[CancelledRun]:
        """See RunQueue."""

        def work(connection: sqlite3.Connection) -> Sequence[CancelledRun]:
            rows = connection.execute(_SQL["unfinished_of_ids"], {"run_ids": encode(list(run_ids))}).fetchall()
            runs = [run_from_row(row) for row in rows]
            cancelled = cancel_runs(connection, runs, request, micros(at), record)
            rest_threads(connection, cancelled, request, micros(at))
            return cancelled

        return await self._database.writer.run(work)

    async def delete(self, thread_id: str, run_id: str) -> bool:
        """See RunQueue."""

        def work(connection: sqlite3.Connection) -> bool:
            run = _get(connection, thread_id, run_id)
            connection.execute(_SQL["delete"], {"run_id": run_id})
            return run.status is RunStatus.RUNNING

        return await self._database.writer.run(work)

    async def next_due(self) -> datetime | None:
        """See RunQueue."""
        now = wall_micros()
        due = await self._database.readers.run(
            lambda connection: connection.execute(_SQL["next_due"], {"now": now}).fetchone()[0]
        )
        return None if due is None else instant(due)

    async def count_unfinished(self) -> Mapping[str, int]:
        """See RunQueue."""
        return await self._database.readers.run(
            lambda connection: dict(connection.execute(_SQL["count_unfinished"]).fetchone())
        )


def _get(connection: sqlite3.Connection, thread_id: str, run_id: str) -> Run:
    row = connection.execute(_SQL["find"], {"run_id": run_id, "thread_id": thread_id}).fetchone()
    if row is None:
        raise NotFoundError("run", run_id)
    return run_from_row(row)


def _keep(connection: sqlite3.Connection, owner: str, lease: Lease, expires_at: int) -> LeaseState:
    row = {"run_id": lease.run_id, "attempt": lease.attempt, "owner": owner, "expires_at": expires_at}
    found = connection.execute(_SQL["keep"], row).fetchall()
    return LeaseState(
        run_id=lease.run_id,
        attempt=lease.attempt,
        held=bool(found),
        cancel=cancel_from_row(found[0]) if found else None,
    )


def _finish(connection: sqlite3.Connection, lease: Lease, outcome: RunOutcome, at: int) -> Finished:
    is_temporary = hold(connection, lease).is_temporary
    put_documents(connection, outcome.records)
    if is_temporary:
        return Finished(gone=delete_thread_of(connection, lease.thread_id, lease.run_id))
    if outcome.erase:
        erase_run(connection, lease.thread_id, lease.run_id)
    else:
        row = {
            "run_id": lease.run_id,
            "status": outcome.status,
            "failure": failure_text(outcome.failure),
            "verdict": outcome.verdict,
            "at": at,
        }
        connection.execute(_SQL["end"], row)
    state = {**state_parameters(outcome.state), "thread_id": lease.thread_id, "at": at, "has_run": True}
    connection.execute(_THREADS["set_rest" if outcome.keep_values else "set_state"], state)
    return Finished()
