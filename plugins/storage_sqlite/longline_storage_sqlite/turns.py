"""The turns of threads: what orders everything that happens on one."""

import sqlite3

from longline_storage_sqlite.statements import load_statements

_SQL = load_statements("turns")


def take_turn(connection: sqlite3.Connection, thread_id: str) -> int:
    """The thread's next turn; 0 if there is no such thread."""
    row = connection.execute(_SQL["take"], {"thread_id": thread_id}).fetchone()
    return 0 if row is None else int(row["turns"])


def begin_turn(connection: sqlite3.Connection, row: sqlite3.Row) -> int:
    """The next turn for the present attempt of a run that was just claimed."""
    return begin(connection, row["thread_id"], row["run_id"], row["attempt"], is_kept=bool(row["resumable"]))


def begin(connection: sqlite3.Connection, thread_id: str, run_id: str, attempt: int, *, is_kept: bool) -> int:
    """The next turn for an attempt; if its events are kept, the turn finds them."""
    turn = take_turn(connection, thread_id)
    connection.execute(_SQL["give_to_run"], {"run_id": run_id, "turn": turn})
    if is_kept:
        found = {"thread_id": thread_id, "turn": turn, "run_id": run_id, "attempt": attempt}
        connection.execute(_SQL["remember"], found)
    return turn


def end_unstarted(connection: sqlite3.Connection, thread_id: str, run_id: str) -> int:
    """The next turn for the end of a run that never started."""
    turn = take_turn(connection, thread_id)
    connection.execute(_SQL["give_to_run"], {"run_id": run_id, "turn": turn})
    return turn


def is_under_way(connection: sqlite3.Connection, thread_id: str) -> bool:
    """Whether a turn of the thread is a run's that has not ended."""
    return bool(connection.execute(_SQL["is_under_way"], {"thread_id": thread_id}).fetchone()[0])
