"""How an attempt ends: the run, its thread, its records, and word for those who read it elsewhere, all at once."""

from datetime import datetime

from longline.models.runs import Finished, Lease, RunOutcome
from longline_storage_postgres.cancellation import delete_thread_of, erase_run
from longline_storage_postgres.connections import Connection
from longline_storage_postgres.documents import put_documents
from longline_storage_postgres.eventlog import PostgresEventLog
from longline_storage_postgres.fencing import Held
from longline_storage_postgres.relay import leave_end
from longline_storage_postgres.rows import failure_text, state_parameters
from longline_storage_postgres.statements import load_statements

_SQL = load_statements("queue")


async def finish_run(
    connection: Connection, lease: Lease, held: Held, outcome: RunOutcome, at: datetime, events: PostgresEventLog
) -> Finished:
    """End the run whose lease this transaction has seized; see RunQueue.finish."""
    if outcome.records:
        await put_documents(connection, outcome.records)
    is_gone = held.is_temporary or outcome.erase
    if not is_gone or held.is_watched:
        await events.put_back(connection, lease, held.newest_seq)
    if held.is_watched:
        await leave_end(connection, lease.run_id, outcome, at, is_gone=is_gone)
    if held.is_temporary:
        gone = await delete_thread_of(connection, lease.thread_id, lease.run_id)
        return Finished(gone=gone, is_watched=held.is_watched)
    if outcome.erase:
        await erase_run(connection, lease.thread_id, lease.run_id)
    end = {
        **state_parameters(outcome.state),
        "run_id": lease.run_id,
        "thread_id": lease.thread_id,
        "run_status": outcome.status,
        "failure": failure_text(outcome.failure),
        "verdict": outcome.verdict,
        "keep_values": outcome.keep_values,
        "at": at,
    }
    await connection.execute(_SQL["end"], end)
    return Finished(is_watched=held.is_watched)
