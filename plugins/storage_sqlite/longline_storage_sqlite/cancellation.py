"""Cancelled runs: one that waits ends at once, one that runs is flagged for its worker."""

import sqlite3
from collections.abc import Sequence

from longline.models.runs import CancelledRun, CancelRequest, Run, RunStatus
from longline.models.threads import RunFailure, ThreadStatus
from longline.storage.collections import RecordRule
from longline_storage_sqlite.documents import put_documents
from longline_storage_sqlite.rows import failure_text
from longline_storage_sqlite.statements import load_statements
from longline_storage_sqlite.turns import end_unstarted, is_under_way

_SQL = load_statements("queue")
_THREADS = load_statements("threads")


def cancel_runs(
    connection: sqlite3.Connection, runs: Sequence[Run], request: CancelRequest, at: int, record: RecordRule
) -> tuple[CancelledRun, ...]:
    """Cancel unfinished runs, in the given order; what `record` says of those that end is stored."""
    cancelled = tuple(_cancel(connection, run, request, at) for run in runs)
    for run in runs:
        if run.status is RunStatus.PENDING:
            put_documents(connection, record(run))
    return cancelled


def rest_threads(
    connection: sqlite3.Connection, cancelled: Sequence[CancelledRun], request: CancelRequest, at: int
) -> None:
    """Leave the reason on those threads that have no unfinished run any more."""
    failure = RunFailure(
        error="UserRollback" if request.action == "rollback" else "UserInterrupt", message=request.reason
    )
    status = ThreadStatus.IDLE if request.action == "rollback" else ThreadStatus.INTERRUPTED
    for thread_id in {run.thread_id for run in cancelled if run.ended}:
        if not connection.execute(_SQL["has_unfinished"], {"thread_id": thread_id}).fetchone()[0]:
            row = {"thread_id": thread_id, "status": status, "error": failure_text(failure), "at": at}
            connection.execute(_THREADS["set_rest"], row)


def _cancel(connection: sqlite3.Connection, run: Run, request: CancelRequest, at: int) -> CancelledRun:
    waiting = run.status is RunStatus.PENDING
    turn = 0
    if not waiting:
        row = {"run_id": run.run_id, "action": request.action, "reason": request.reason, "at": at}
        connection.execute(_SQL["request_cancel"], row)
    elif request.action == "rollback":
        erase_run(connection, run.thread_id, run.run_id)
    else:
        row = {"run_id": run.run_id, "status": RunStatus.INTERRUPTED, "failure": None, "verdict": None, "at": at}
        connection.execute(_SQL["end"], row)
        turn = end_unstarted(connection, run.thread_id, run.run_id)
    return CancelledRun(
        run_id=run.run_id,
        thread_id=run.thread_id,
        request=request,
        ended=waiting,
        turn=turn,
        is_kept=run.spec.resumable and turn > 0,
        at_ms=at // 1000,
        is_behind=turn > 0 and is_under_way(connection, run.thread_id),
    )


def erase_run(connection: sqlite3.Connection, thread_id: str, run_id: str) -> None:
    """Remove a run with its events and all that it wrote to its thread's checkpoints."""
    written = {"thread_id": thread_id, "run_id": run_id}
    connection.execute(_SQL["erase_writes"], written)
    connection.execute(_SQL["erase_checkpoints"], written)
    connection.execute(_SQL["delete"], written)


def delete_thread_of(connection: sqlite3.Connection, thread_id: str, run_id: str) -> Sequence[str]:
    """Remove the temporary thread of a run; the ids of other unfinished runs that went with it."""
    unfinished = connection.execute(_SQL["unfinished_ids_of_thread"], {"thread_id": thread_id}).fetchall()
    connection.execute(_THREADS["delete"], {"thread_id": thread_id})
    return tuple(row["run_id"] for row in unfinished if row["run_id"] != run_id)
