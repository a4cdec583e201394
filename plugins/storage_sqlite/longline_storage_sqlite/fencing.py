"""The check that a lease still stands, made inside the transaction that it protects."""

import sqlite3
from dataclasses import dataclass

from longline.errors import LeaseLostError, NotFoundError, ThreadBusyError
from longline.models.runs import Lease
from longline_storage_sqlite.statements import load_statements

_SQL = load_statements("queue")
_THREADS = load_statements("threads")


@dataclass(frozen=True, slots=True)
class Held:
    """What a finish must know of the run whose lease stands."""

    is_temporary: bool


def find_held(connection: sqlite3.Connection, lease: Lease) -> Held | None:
    """The run, if this attempt of it still holds the lease."""
    row = connection.execute(
        _SQL["holds"], {"run_id": lease.run_id, "attempt": lease.attempt, "owner": lease.owner}
    ).fetchone()
    return None if row is None else Held(bool(row["temporary"]))


def hold(connection: sqlite3.Connection, lease: Lease) -> Held:
    """The same. Raises LeaseLostError."""
    held = find_held(connection, lease)
    if held is None:
        raise LeaseLostError(lease.run_id, lease.attempt)
    return held


def require_idle(connection: sqlite3.Connection, thread_id: str) -> None:
    """Nothing runs or waits on the thread. Raises ThreadBusyError, or NotFoundError if there is no such thread."""
    if connection.execute(_THREADS["find_metadata"], {"thread_id": thread_id}).fetchone() is None:
        raise NotFoundError("thread", thread_id)
    if connection.execute(_SQL["has_unfinished"], {"thread_id": thread_id}).fetchone()[0]:
        raise ThreadBusyError(thread_id)
