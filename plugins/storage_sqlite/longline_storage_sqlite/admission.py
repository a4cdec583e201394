"""A new run comes onto the queue: its thread, what it displaces, and whether it starts at once."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from longline.errors import AlreadyExistsError, ChainMovedOnError, NotFoundError
from longline.models.chains import ChainHead
from longline.models.filters import Filter, matches
from longline.models.runs import Admission, CancelledRun, Claim, NewRun, Run, RunStatus
from longline.storage.collections import RecordRule
from longline.storage.queue import AdmissionRule
from longline_storage_sqlite.cancellation import cancel_runs
from longline_storage_sqlite.clocks import lease_micros, micros, wall_micros
from longline_storage_sqlite.crons import tick_becomes
from longline_storage_sqlite.rows import (
    decode_object,
    encode,
    new_run_model,
    run_from_row,
    run_parameters,
    started,
    thread_parameters,
)
from longline_storage_sqlite.statements import load_statements
from longline_storage_sqlite.turns import begin

_SQL = load_statements("queue")
_THREADS = load_statements("threads")


def admit_run(  # what RunQueue.enqueue takes
    connection: sqlite3.Connection,
    new: NewRun,
    *,
    admit: AdmissionRule,
    claim: Claim | None,
    visible: Filter,
    record: RecordRule,
) -> Admission:
    """Put a run on the queue; see RunQueue.enqueue."""
    now = wall_micros()
    if new.tick is not None:
        tick_becomes(connection, new.tick, new)
    created = _ensure_thread(connection, new, visible, now)
    _check_chain(connection, new)
    unfinished = [] if created else _unfinished(connection, new.thread_id)
    displaced = _displace(connection, unfinished, admit, now, record)
    ended = {run.run_id for run in displaced if run.ended}
    remaining = [run for run in unfinished if run.run_id not in ended]
    starts = claim if claim is not None and _is_next(new, remaining, now) else None
    return Admission(run=_insert(connection, new, starts), displaced=displaced)


def _ensure_thread(connection: sqlite3.Connection, new: NewRun, visible: Filter, now: int) -> bool:
    """Find or create the thread and tell it what it belongs to; whether it was created."""
    row = connection.execute(_THREADS["find_metadata"], {"thread_id": new.thread_id}).fetchone()
    if row is None and new.thread is not None:
        metadata = encode({**new.thread.metadata, **new.thread_metadata})
        connection.execute(_THREADS["insert"], {**thread_parameters(new.thread), "metadata": metadata})
        return True
    known = {} if row is None else decode_object(row["metadata"])
    if row is None or not matches(visible, known):
        raise NotFoundError("thread", new.thread_id)
    merged = encode({**known, **new.thread_metadata})
    connection.execute(_THREADS["set_metadata"], {"thread_id": new.thread_id, "metadata": merged, "at": now})
    return False


def _check_chain(connection: sqlite3.Connection, new: NewRun) -> None:
    """Raises ChainMovedOnError if the chain, or its thread, has gone on from where the run is to go on."""
    if new.follows is None:
        return
    head = connection.execute(_SQL["head"], {"thread_id": new.thread_id}).fetchone()
    seen = None if head is None else ChainHead(run_id=head["run_id"], verdict=head["verdict"])
    if head is None or seen != new.follows or head["chain_id"] != new.chain_id:
        raise ChainMovedOnError(new.follows.run_id)


def _unfinished(connection: sqlite3.Connection, thread_id: str) -> list[Run]:
    rows = connection.execute(_SQL["unfinished_of_thread"], {"thread_id": thread_id}).fetchall()
    return [run_from_row(row) for row in rows]


def _displace(
    connection: sqlite3.Connection, unfinished: Sequence[Run], admit: AdmissionRule, now: int, record: RecordRule
) -> tuple[CancelledRun, ...]:
    displacement = admit(unfinished)
    if displacement.request is None:
        return ()
    chosen = [run for run in unfinished if run.run_id in displacement.run_ids]
    return cancel_runs(connection, chosen, displacement.request, now, record)


def _is_next(new: NewRun, remaining: Sequence[Run], now: int) -> bool:
    """Whether the run may start now: it is due, nothing runs on its thread, and nobody due waits before it."""
    if micros(new.not_before) > now:
        return False
    return not any(run.status is RunStatus.RUNNING or micros(run.not_before) <= now for run in remaining)


def _insert(connection: sqlite3.Connection, new: NewRun, claim: Claim | None) -> Run:
    row = run_parameters(new)
    run = new_run_model(new)
    if claim is not None:
        run = started(run, claim.owner)
        row |= {
            "status": run.status,
            "attempt": run.attempt,
            "lease_owner": run.lease_owner,
            "lease_expires_at": lease_micros(claim.lease_seconds),
        }
    if connection.execute(_SQL["insert"], row).rowcount == 0:
        raise AlreadyExistsError("run", new.run_id)
    if claim is None:
        return run
    turn = begin(connection, run.thread_id, run.run_id, run.attempt, is_kept=run.spec.resumable)
    return replace(run, turn=turn)
