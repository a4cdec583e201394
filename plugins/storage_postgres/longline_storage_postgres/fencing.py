"""The check that a lease still stands, made inside the transaction that it protects.

Who locks what, in this order, so that no two transactions wait for each other in a circle:

1. the thread's row (`FOR UPDATE`), of several threads in the order of their ids: enqueue, cancel, finish, delete, a
   state update, a claim; only a claim skips what is locked, it never waits;
2. rows of runs, in order of position: `FOR UPDATE` by whoever changes who may write, or ends a run; `FOR KEY SHARE` by
   writes under a lease (events, checkpoints), which hold off the former until they are committed, but neither each
   other nor a heartbeat or a word for the worker;
3. everything else: events, checkpoints, turns, documents, what is relayed.

A heartbeat locks rows of runs alone and skips those that are locked.
"""

from dataclasses import dataclass

from longline.errors import LeaseLostError, NotFoundError, ThreadBusyError
from longline.models.runs import Lease, RunStatus
from longline_storage_postgres.connections import Connection
from longline_storage_postgres.statements import load_statements

_SQL = load_statements("queue")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a finish must know of the run whose lease stands, its thread's row and its own being locked."""

    is_temporary: bool
    is_watched: bool
    newest_seq: int
    """The number of the newest event that the log has of the attempt; 0 if there is none."""
    transaction: str
    """The transaction that found this out."""


async def find_held(connection: Connection, lease: Lease) -> bool:
    """Whether this attempt of the run still holds the lease. If so, that stays so until the transaction ends."""
    return await _one(connection, "share", lease) is not None


async def hold(connection: Connection, lease: Lease) -> None:
    """The same. Raises LeaseLostError."""
    if not await find_held(connection, lease):
        raise LeaseLostError(lease.run_id, lease.attempt)


async def seize(connection: Connection, lease: Lease) -> Held:
    """Lock the thread and the run, to change who may write. Raises LeaseLostError."""
    row = await _one(connection, "seize", lease)
    if row is None:
        raise LeaseLostError(lease.run_id, lease.attempt)
    return Held(
        is_temporary=bool(row["temporary"]),
        is_watched=bool(row["is_watched"]),
        newest_seq=int(str(row["newest_seq"])),
        transaction=str(row["transaction"]),
    )


async def require_idle(connection: Connection, thread_id: str) -> None:
    """Nothing runs or waits on the thread, whose row is locked. Raises ThreadBusyError, or NotFoundError if there is no
    such thread."""
    found = await (await connection.execute(_SQL["lock_thread"], {"thread_id": thread_id})).fetchone()
    if found is None:
        raise NotFoundError("thread", thread_id)
    row = await (await connection.execute(_SQL["has_unfinished"], {"thread_id": thread_id})).fetchone()
    if row is not None and row["is_busy"]:
        raise ThreadBusyError(thread_id)


def lease_parameters(lease: Lease) -> dict[str, str | int | bytes | None]:
    """A lease, for statements that check it."""
    return {
        "run_id": lease.run_id,
        "thread_id": lease.thread_id,
        "attempt": lease.attempt,
        "owner": lease.owner,
        "running": RunStatus.RUNNING,
    }


async def _one(connection: Connection, statement: str, lease: Lease) -> dict[str, object] | None:
    return await (await connection.execute(_SQL[statement], lease_parameters(lease))).fetchone()
