"""Cancelled runs: one that waits ends at once, one that runs is flagged for its worker. Their threads are locked."""

from collections.abc import Sequence
from datetime import datetime

from longline.models.collections import NewDocument
from longline.models.events import milliseconds_of
from longline.models.runs import CancelledRun, CancelRequest, Run, RunStatus
from longline.models.threads import RunFailure, ThreadStatus
from longline.storage.collections import RecordRule, record_nothing
from longline.threads import in_thread
from longline_storage_postgres.connections import Connection
from longline_storage_postgres.documents import put_documents
from longline_storage_postgres.rows import failure_text
from longline_storage_postgres.statements import load_statements

_SQL = load_statements("queue")
_CHECKPOINTS = load_statements("checkpoints")


async def cancel_runs(
    connection: Connection, runs: Sequence[Run], request: CancelRequest, at: datetime, record: RecordRule
) -> tuple[CancelledRun, ...]:
    """Cancel unfinished runs, in the given order; what `record` says of those that end is stored."""
    cancelled = tuple([await _cancel(connection, run, request, at) for run in runs])
    ended = [run for run in runs if run.status is RunStatus.PENDING]
    if ended and record is not record_nothing:
        await put_documents(connection, await in_thread(_records, record, ended))
    return cancelled


async def rest_threads(
    connection: Connection, cancelled: Sequence[CancelledRun], request: CancelRequest, at: datetime
) -> None:
    """Leave the reason on those threads that have no unfinished run any more."""
    failure = RunFailure(
        error="UserRollback" if request.action == "rollback" else "UserInterrupt", message=request.reason
    )
    status = ThreadStatus.IDLE if request.action == "rollback" else ThreadStatus.INTERRUPTED
    for thread_id in sorted({run.thread_id for run in cancelled if run.ended}):
        row = {"thread_id": thread_id, "status": status, "error": failure_text(failure), "at": at}
        await connection.execute(_SQL["rest"], row)


async def _cancel(connection: Connection, run: Run, request: CancelRequest, at: datetime) -> CancelledRun:
    waiting = run.status is RunStatus.PENDING
    turn, is_behind = 0, False
    if not waiting:
        flag = {"run_id": run.run_id, "action": request.action, "reason": request.reason, "at": at}
        await connection.execute(_SQL["request_cancel"], flag)
    elif request.action == "rollback":
        await erase_run(connection, run.thread_id, run.run_id)
    else:
        end = {"run_id": run.run_id, "thread_id": run.thread_id, "at": at}
        row = await (await connection.execute(_SQL["end_unstarted"], end)).fetchone()
        turn, is_behind = (0, False) if row is None else (int(row["turn"]), bool(row["is_behind"]))
    return CancelledRun(
        run_id=run.run_id,
        thread_id=run.thread_id,
        request=request,
        ended=waiting,
        turn=turn,
        is_kept=run.spec.resumable and turn > 0,
        at_ms=milliseconds_of(at),
        is_behind=is_behind,
    )


async def erase_run(connection: Connection, thread_id: str, run_id: str) -> None:
    """Remove a run with its events and all that it wrote to its thread's checkpoints."""
    written = {"thread_id": thread_id, "run_id": run_id}
    await connection.execute(_SQL["erase_checkpoints"], written)
    await connection.execute(_CHECKPOINTS["delete_unused_blobs"], written)
    await connection.execute(_SQL["delete"], written)


async def delete_thread_of(connection: Connection, thread_id: str, run_id: str) -> Sequence[str]:
    """Remove the temporary thread of a run; the ids of other unfinished runs that went with it."""
    unfinished = await (await connection.execute(_SQL["delete_thread"], {"thread_id": thread_id})).fetchall()
    return tuple(str(row["run_id"]) for row in unfinished if row["run_id"] != run_id)


def _records(record: RecordRule, runs: Sequence[Run]) -> list[NewDocument]:
    return [document for run in runs for document in record(run)]
