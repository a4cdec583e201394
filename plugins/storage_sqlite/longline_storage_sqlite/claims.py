"""Runs are taken off the queue. One whose row cannot be read is ended, so that it holds up nobody."""

import logging
import sqlite3
from collections.abc import Sequence

from longline.models.runs import Claim, Run, RunStatus
from longline.models.threads import RunFailure, ThreadStatus
from longline_storage_sqlite.clocks import lease_micros, wall_micros
from longline_storage_sqlite.rows import failure_text, run_from_row
from longline_storage_sqlite.statements import load_statements

logger = logging.getLogger(__name__)

_SQL = load_statements("queue")
_THREADS = load_statements("threads")

_UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


def claim_runs(connection: sqlite3.Connection, claim: Claim, limit: int) -> Sequence[Run]:
    """Claim runs, oldest first; see RunQueue.claim. Unreadable ones end with an error, others come in their place."""
    claimed: list[tuple[int, Run]] = []
    while len(claimed) < limit:
        rows = _claim(connection, claim, limit - len(claimed))
        readable = [(row["position"], run) for row in rows if (run := _read(connection, row)) is not None]
        claimed += readable
        if len(readable) == len(rows):
            break
    return [run for _, run in sorted(claimed, key=lambda pair: pair[0])]


def _claim(connection: sqlite3.Connection, claim: Claim, limit: int) -> list[sqlite3.Row]:
    row = {
        "owner": claim.owner,
        "expires_at": lease_micros(claim.lease_seconds),
        "lease_now": lease_micros(),
        "now": wall_micros(),
        "limit": limit,
    }
    return connection.execute(_SQL["claim"], row).fetchall()


def _read(connection: sqlite3.Connection, row: sqlite3.Row) -> Run | None:
    try:
        return run_from_row(row)
    except _UNREADABLE as error:
        logger.exception("run not readable", extra={"run_id": row["run_id"]})
        _end_unreadable(connection, row, error)
        return None


def _end_unreadable(connection: sqlite3.Connection, row: sqlite3.Row, error: Exception) -> None:
    if row["temporary"]:
        connection.execute(_THREADS["delete"], {"thread_id": row["thread_id"]})
        return
    message = f"the stored run cannot be read ({type(error).__name__}: {error})"
    failure = failure_text(RunFailure(error="UnreadableRunError", message=message))
    at = wall_micros()
    connection.execute(_SQL["end"], {"run_id": row["run_id"], "status": RunStatus.ERROR, "failure": failure, "at": at})
    connection.execute(
        _THREADS["set_rest"], {"thread_id": row["thread_id"], "status": ThreadStatus.ERROR, "error": failure, "at": at}
    )
