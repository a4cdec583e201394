"""Connections to the file, all opened in the same way, with the SQL functions that the statements use."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from longline_storage_sqlite.conditions import document_matches
from longline_storage_sqlite.statements import load_statements

_ITEMS = load_statements("items")

_CACHED_STATEMENTS = 256


def open_writer(path: Path, *, busy_timeout_seconds: float) -> sqlite3.Connection:
    """The connection that writes. The file is created if it is missing, and set to write-ahead logging."""
    return _open(
        path,
        busy_timeout_seconds,
        "PRAGMA auto_vacuum = INCREMENTAL",  # for new files: before anything is written to them
        "PRAGMA journal_mode = WAL",
        # In WAL a commit survives the end of the process with NORMAL; only a power cut may lose the last moments, never
        # the file.
        "PRAGMA synchronous = NORMAL",
        "PRAGMA secure_delete = ON",  # what is deleted is overwritten with zeros
        "PRAGMA foreign_keys = ON",  # an item's vectors go with it
    )


def open_reader(path: Path, *, busy_timeout_seconds: float) -> sqlite3.Connection:
    """A connection that cannot write, and that sees no item whose time is over."""
    return _open(path, busy_timeout_seconds, _ITEMS["living"], "PRAGMA query_only = ON")


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """Let several reads see one state of the database."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def _open(path: Path, busy_timeout_seconds: float, *pragmas: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path,
        timeout=busy_timeout_seconds,
        isolation_level=None,
        check_same_thread=False,  # opened by one thread, then used by another: never by two at once
        cached_statements=_CACHED_STATEMENTS,
    )
    connection.row_factory = sqlite3.Row
    connection.create_function("longline_matches", 2, document_matches, deterministic=True)
    connection.create_function("longline_casefold", 1, str.casefold, deterministic=True)
    try:
        for pragma in pragmas:
            connection.execute(pragma)
    except BaseException:  # e.g. the file is no database
        connection.close()
        raise
    return connection
