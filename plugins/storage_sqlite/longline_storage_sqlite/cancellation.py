"""Cancelled runs: one that waits ends at once, one that runs is flagged for its worker."""

import sqlite3
from collections.abc import Sequence

from longline.models.runs import CancelledRun, CancelRequest, Run, RunStatus
from longline.models.threads import RunFailure, ThreadStatus
from longline_storage_sqlite.rows import failure_text
from longline_storage_sqlite.statements import load_statements

_SQL = load_statements("queue")
_THREADS = load_statements("threads")


def cancel_runs(
    connection: sqlite3.Connection, runs: Sequence[Run], request: CancelRequest, at: int
) -> tuple[CancelledRun, ...]:
    """Cancel unfinished runs, in the given order."""
    return tuple(_cancel(connection, run, request, at) for run in runs)


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
    if not waiting:
        row = {"run_id": run.run_id, "action": request.action, "reason": request.reason, "at": at}
        connection.execute(_SQL["request_cancel"], row)
    elif request.action == "rollback":
        erase_run(connection, run.thread_id, run.run_id)
    else:
        row = {"run_id": run.run_id, "status": RunStatus.INTERRUPTED, "failure": None, "at": at}
        connection.execute(_SQL["end"], row)
    return CancelledRun(run_id=run.run_id, thread_id=run.thread_id, request=request, ended=waiting)


def erase_run(connection: sqlite3.Connection, thread_id: str, run_id: str) -> None:
    """Remove a run with its events and all that it wrote to its thread's checkpoints."""
    written = {"thread_id": thread_id, "run_id": run_id}
    connection.execute(_SQL["erase_writes"], written)
    connection.execute(_SQL["erase_checkpoints"], written)
    connection.execute(_SQL["delete"], written)
