"""Runs are taken off the queue. One whose row cannot be read is ended, so that it holds up nobody."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from psycopg import errors as pg
from psycopg.rows import DictRow

from longline.errors import LeaseLostError
from longline.models.runs import Claim, Lease, Run, RunStatus
from longline.models.threads import RunFailure, ThreadStatus
from longline.storage.queue import UnreadableRun
from longline_storage_postgres.admission import again_if_raced
from longline_storage_postgres.cancellation import delete_thread_of
from longline_storage_postgres.connections import Connection
from longline_storage_postgres.database import Database
from longline_storage_postgres.fencing import seize
from longline_storage_postgres.rows import failure_text, run_from_row
from longline_storage_postgres.statements import load_statements

logger = logging.getLogger(__name__)

_SQL = load_statements("queue")

_UNREADABLE: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


async def claim_runs(database: Database, claim: Claim, limit: int) -> tuple[Sequence[Run], Sequence[UnreadableRun]]:
    """Claim runs, oldest first; see RunQueue.claim. Unreadable ones end with an error, others come in their place."""
    claimed: list[tuple[int, Run]] = []
    unreadable: list[UnreadableRun] = []
    while len(claimed) < limit:
        rows = await _claim(database, claim, limit - len(claimed))
        readable = 0
        for row in rows:
            found = _read(row)
            if isinstance(found, Run):
                claimed.append((row["position"], found))
                readable += 1
            elif (told := await _end_unreadable(database, row, found)) is not None:
                unreadable.append(told)
        if readable == len(rows):
            break
    return [run for _, run in sorted(claimed, key=lambda pair: pair[0])], unreadable


async def _claim(database: Database, claim: Claim, limit: int) -> list[DictRow]:
    row = {
        "owner": claim.owner,
        "lease_seconds": claim.lease_seconds,
        "takes_over": claim.takes_over,
        "limit": limit,
    }

    async def work(connection: Connection) -> list[DictRow]:
        try:
            return await (await connection.execute(_SQL["claim"], row)).fetchall()
        except pg.UniqueViolation as error:
            raise again_if_raced(error) from error

    return await database.write_alone(work)


def _read(row: DictRow) -> Run | RunFailure:
    try:
        return replace(run_from_row(row), watched=bool(row["is_watched"]))
    except _UNREADABLE as error:
        logger.exception("run not readable", extra={"run_id": row["run_id"]})
        message = f"the stored run cannot be read ({type(error).__name__}: {error})"
        return RunFailure(error="UnreadableRunError", message=message)


async def _end_unreadable(database: Database, row: DictRow, told: RunFailure) -> UnreadableRun | None:
    """End the run, which was just claimed; None if it went meanwhile."""
    lease = Lease(
        run_id=row["run_id"], thread_id=row["thread_id"], attempt=row["attempt"], owner=row["lease_owner"] or ""
    )

    async def work(connection: Connection) -> Sequence[str]:
        is_temporary = (await seize(connection, lease)).is_temporary
        if is_temporary:
            return await delete_thread_of(connection, lease.thread_id, lease.run_id)
        failure = failure_text(told)
        end = {
            "run_id": lease.run_id,
            "thread_id": lease.thread_id,
            "run_status": RunStatus.ERROR,
            "status": ThreadStatus.ERROR,
            "failure": failure,
            "verdict": None,
            "error": failure,
            "keep_values": True,
            "values": None,
            "interrupts": None,
            "at": datetime.now(UTC),
        }
        await connection.execute(_SQL["end"], end)
        return ()

    try:
        others = await database.write(work)
    except LeaseLostError:
        return None
    return UnreadableRun(
        run_id=lease.run_id,
        thread_id=lease.thread_id,
        turn=row["turn"],
        failure=told,
        is_thread_gone=bool(row["temporary"]),
        others_gone=others,
    )
