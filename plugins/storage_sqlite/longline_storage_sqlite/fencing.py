"""The check that a lease still stands, made inside the transaction that it protects."""

import sqlite3
from dataclasses import dataclass

from longline.errors import LeaseLostError
from longline.models.runs import Lease
from longline_storage_sqlite.statements import load_statements

_SQL = load_statements("queue")


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
