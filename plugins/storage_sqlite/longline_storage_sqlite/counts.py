"""How much the file holds."""

import sqlite3
from collections.abc import Sequence
from statistics import median

from longline.models.counts import QueueFigures, StorageCounts
from longline_storage_sqlite.clocks import wall_micros
from longline_storage_sqlite.connections import snapshot
from longline_storage_sqlite.statements import load_statements

_SQL = load_statements("counts")
_QUEUE = load_statements("queue")

_MICROS = 1_000_000


def count_all(connection: sqlite3.Connection) -> StorageCounts:
    """Everything in one read transaction; see Storage.counts."""
    with snapshot(connection):
        rows = connection.execute(_SQL["rows"]).fetchone()
        has_items = connection.execute(_SQL["has_items"]).fetchone()[0]
        items = connection.execute(_SQL["items"]).fetchone()[0] if has_items else 0
        queue = _queue(connection)
    return StorageCounts(
        assistants=rows["assistants"], threads=rows["threads"], runs=rows["runs"], items=items, queue=queue
    )


def _queue(connection: sqlite3.Connection) -> QueueFigures:
    counted = connection.execute(_QUEUE["count_unfinished"]).fetchone()
    waiting = connection.execute(_SQL["waits"], {"now": wall_micros()}).fetchall()
    waits = [row["wait"] for row in waiting]
    unblocked = [row["wait"] for row in waiting if row["unblocked"]]
    return QueueFigures(
        pending=counted["pending"],
        running=counted["running"],
        longest_wait_seconds=_longest(waits),
        median_wait_seconds=_middle(waits),
        longest_unblocked_wait_seconds=_longest(unblocked),
        median_unblocked_wait_seconds=_middle(unblocked),
    )


def _longest(waits: Sequence[int]) -> float:
    return max(waits, default=0) / _MICROS


def _middle(waits: Sequence[int]) -> float:
    return median(waits) / _MICROS if waits else 0.0
