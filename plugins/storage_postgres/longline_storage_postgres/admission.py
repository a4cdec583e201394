"""A new run comes onto the queue: its thread, what it displaces, and whether it starts at once."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import psycopg
from psycopg import errors as pg
from psycopg.rows import DictRow

from longline.clock import now
from longline.errors import AlreadyExistsError, ChainMovedOnError, NotFoundError
from longline.models.chains import ChainHead
from longline.models.filters import Filter, matches
from longline.models.json import JsonObject
from longline.models.runs import Admission, CancelledRun, Claim, Displacement, NewRun, Run, RunStatus
from longline.storage.collections import RecordRule
from longline.storage.queue import AdmissionRule
from longline.threads import in_thread
from longline_storage_postgres.cancellation import cancel_runs
from longline_storage_postgres.connections import Connection
from longline_storage_postgres.crons import tick_becomes
from longline_storage_postgres.rows import (
    Parameters,
    decode_object,
    encode,
    new_run_model,
    run_from_row,
    run_parameters,
    started,
    thread_parameters,
)
from longline_storage_postgres.statements import load_statements

_SQL = load_statements("queue")

_ONE_RUNNING: Final = "runs_one_running"
_ONE_ID: Final = "runs_run_id_key"


async def admit_run(
    connection: Connection,
    new: NewRun,
    *,
    admit: AdmissionRule,
    claim: Claim | None,
    visible: Filter,
    record: RecordRule,
) -> Admission:
    """Put a run on the queue; see RunQueue.enqueue. Raises SerializationFailure if it has to be tried again."""
    if new.tick is not None:
        await tick_becomes(connection, new.tick, new)
    begun = await begin_thread(connection, new, admit=admit, claim=claim)
    if begun is not None:
        return begun
    metadata = await _lock_thread(connection, new, visible)
    await _check_chain(connection, new)
    rows = await (await connection.execute(_SQL["unfinished_of_thread"], {"thread_id": new.thread_id})).fetchall()
    unfinished = [run_from_row(row) for row in rows]
    displaced = await _displace(connection, unfinished, admit, record)
    ended = {run.run_id for run in displaced if run.ended}
    remaining = [row for row in rows if row["run_id"] not in ended]
    starts = claim if claim is not None and _is_next(remaining) else None
    merged = encode({**metadata, **new.thread_metadata})
    return Admission(run=await _insert(connection, new, merged, starts), displaced=displaced)


async def begin_thread(
    connection: Connection, new: NewRun, *, admit: AdmissionRule, claim: Claim | None
) -> Admission | None:
    """Put a run on the queue with a thread of its own, in one statement; None if it does not bring one or the thread is
    there already, or if it goes on from another run: then nothing was done. Raises AlreadyExistsError, and whatever the
    rule raises."""
    if new.thread is None or new.follows is not None:
        return None
    admit(())  # as for any other: a rule may refuse whatever there is
    thread = thread_parameters(new.thread)
    row = {
        **_run_parameters(new, claim),
        "thread_created_at": thread["created_at"],
        "thread_metadata": encode({**new.thread.metadata, **new.thread_metadata}),
        "ttl_micros": thread["ttl_micros"],
        "ttl_strategy": thread["ttl_strategy"],
    }
    try:
        found = await (await connection.execute(_SQL["insert_with_thread"], row)).fetchone()
    except pg.UniqueViolation as error:
        if error.diag.constraint_name == _ONE_ID:
            raise AlreadyExistsError("run", new.run_id) from error
        raise
    return None if found is None else Admission(run=_stored(new, claim, found))


async def _lock_thread(connection: Connection, new: NewRun, visible: Filter) -> JsonObject:
    """The metadata of the thread, which is there. Raises NotFoundError; ChainMovedOnError if the run was to go on
    there; SerializationFailure if it was there until a moment ago."""
    row = await (await connection.execute(_SQL["lock_thread"], {"thread_id": new.thread_id})).fetchone()
    if row is None and new.thread is not None:
        raise pg.SerializationFailure if new.follows is None else ChainMovedOnError(new.follows.run_id)
    known = {} if row is None else decode_object(row["metadata"])
    if row is None or not matches(visible, known):
        raise NotFoundError("thread", new.thread_id)
    return known


async def _check_chain(connection: Connection, new: NewRun) -> None:
    """Raises ChainMovedOnError if the chain, or its thread, has gone on from where the run is to go on."""
    if new.follows is None:
        return
    head = await (await connection.execute(_SQL["head"], {"thread_id": new.thread_id})).fetchone()
    seen = None if head is None else ChainHead(run_id=head["run_id"], verdict=head["verdict"])
    if head is None or seen != new.follows or head["chain_id"] != new.chain_id:
        raise ChainMovedOnError(new.follows.run_id)


async def _displace(
    connection: Connection, unfinished: Sequence[Run], admit: AdmissionRule, record: RecordRule
) -> tuple[CancelledRun, ...]:
    displacement: Displacement = await in_thread(admit, unfinished) if unfinished else admit(())
    if displacement.request is None:
        return ()
    chosen = [run for run in unfinished if run.run_id in displacement.run_ids]
    return await cancel_runs(connection, chosen, displacement.request, datetime.now(UTC), record)


def _is_next(remaining: Sequence[DictRow]) -> bool:
    """Whether a run that is due may start now: nothing runs on its thread, and nobody due waits before it."""
    return not any(row["status"] == RunStatus.RUNNING or row["is_due"] for row in remaining)


async def _insert(connection: Connection, new: NewRun, metadata: str, claim: Claim | None) -> Run:
    row = {**_run_parameters(new, claim), "thread_metadata": metadata}
    try:
        found = await (await connection.execute(_SQL["insert"], row)).fetchone()
    except pg.UniqueViolation as error:
        raise again_if_raced(error) from error
    if found is None:
        raise AlreadyExistsError("run", new.run_id)
    return _stored(new, claim, found)


def _run_parameters(new: NewRun, claim: Claim | None) -> Parameters:
    return {
        **run_parameters(new),
        "is_due": new.not_before <= now(),  # by the clock that set it
        "owner": None if claim is None else claim.owner,
        "lease_seconds": 0.0 if claim is None else claim.lease_seconds,
    }


def _stored(new: NewRun, claim: Claim | None, found: DictRow) -> Run:
    """The run as it was stored."""
    run = new_run_model(new)
    if claim is None or found["turn"] == 0:
        return run
    return replace(started(run, claim.owner), turn=int(found["turn"]), watched=bool(found["is_watched"]))


def again_if_raced(error: pg.UniqueViolation) -> psycopg.Error:
    """The error to raise: if somebody else started a run of the thread in between, one that is tried again."""
    return pg.SerializationFailure() if error.diag.constraint_name == _ONE_RUNNING else error
