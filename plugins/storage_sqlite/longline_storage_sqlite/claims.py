"""Runs are taken off the queue. One whose row cannot be read is ended, so that it holds up nobody."""

import logging
import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from longline.models.runs import Claim, Run, RunStatus
from longline.models.threads import RunFailure, ThreadStatus
from longline.storage.queue import UnreadableRun
from longline_storage_sqlite.cancellation import delete_thread_of
from longline_storage_sqlite.clocks import lease_micros, wall_micros
from longline_storage_sqlite.rows import failure_text, run_from_row
from longline_storage_sqlite.statements import load_statements
from longline_storage_sqlite.turns import begin_turn

logger = logging.getLogger(__name__)

_SQL = load_statements("queue")
_THREADS = load_statements("threads")

_UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


def claim_runs(
    connection: sqlite3.Connection, claim: Claim, limit: int
) -> tuple[Sequence[Run], Sequence[UnreadableRun]]:
    """Claim runs, oldest first; see RunQueue.claim. Unreadable ones end with an error, others come in their place."""
    claimed: list[tuple[int, Run]] = []
    unreadable: list[UnreadableRun] = []
    while len(claimed) < limit:
        rows = _claim(connection, claim, limit - len(claimed))
        readable = 0
        for row in rows:
            turn = begin_turn(connection, row)
            found = _read(connection, row, turn)
            if isinstance(found, Run):
                claimed.append((row["position"], replace(found, turn=turn)))
                readable += 1
            else:
                unreadable.append(found)
        if readable == len(rows):
            break
    return [run for _, run in sorted(claimed, key=lambda pair: pair[0])], unreadable


def _claim(connection: sqlite3.Connection, claim: Claim, limit: int) -> list[sqlite3.Row]:
    row = {
        "owner": claim.owner,
        "expires_at": lease_micros(claim.lease_seconds),
        "lease_now": lease_micros(),
        "now": wall_micros(),
        "limit": limit,
    }
    return connection.execute(_SQL["claim"], row).fetchall()


def _read(connection: sqlite3.Connection, row: sqlite3.Row, turn: int) -> Run | UnreadableRun:
    try:
        return run_from_row(row)
    except _UNREADABLE as error:
        logger.exception("run not readable", extra={"run_id": row["run_id"]})
        message = f"the stored run cannot be read ({type(error).__name__}: {error})"
        told = RunFailure(error="UnreadableRunError", message=message)
        return UnreadableRun(
            run_id=row["run_id"],
            thread_id=row["thread_id"],
            turn=turn,
            failure=told,
            is_thread_gone=bool(row["temporary"]),
            others_gone=_end_unreadable(connection, row, told),
        )


def _end_unreadable(connection: sqlite3.Connection, row: sqlite3.Row, told: RunFailure) -> Sequence[str]:
    """End the run; the ids of other unfinished ones that went with its temporary thread."""
    if row["temporary"]:
        return delete_thread_of(connection, row["thread_id"], row["run_id"])
    failure = failure_text(told)
    at = wall_micros()
    end = {"run_id": row["run_id"], "status": RunStatus.ERROR, "failure": failure, "verdict": None, "at": at}
    connection.execute(_SQL["end"], end)
    connection.execute(
        _THREADS["set_rest"], {"thread_id": row["thread_id"], "status": ThreadStatus.ERROR, "error": failure, "at": at}
    )
    return ()
