"""SQLite's errors as sentences that say what to do: the only place where one is looked at."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from longline.errors import StorageError

_REASONS = {
    sqlite3.SQLITE_FULL: "the disk is full (or a quota is used up); free some space, nothing of this write was kept",
    sqlite3.SQLITE_BUSY: "another program has it locked; close that or raise storage_sqlite.busy_timeout_seconds",
    sqlite3.SQLITE_LOCKED: "another connection has it locked; try again",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; restore a backup (longline sqlite-backup makes them)",
    sqlite3.SQLITE_NOTADB: "the file is not an SQLite database; choose another path",
    sqlite3.SQLITE_READONLY: "the file or its folder cannot be written; change its permissions",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened; check that its folder exists and can be written",
    sqlite3.SQLITE_PERM: "the file may not be accessed; change its permissions",
    sqlite3.SQLITE_IOERR: "the disk failed to read or write; look at the system's log",
    sqlite3.SQLITE_NOMEM: "SQLite ran out of memory",
}


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise what SQLite or the file system says about this file as StorageError."""
    try:
        yield
    except sqlite3.Error as error:
        raise storage_error(error, path) from error
    except OSError as error:
        raise file_error(error, path) from error


def storage_error(error: sqlite3.Error, path: Path) -> StorageError:
    """The StorageError for an error of SQLite."""
    # Errors of the Python module itself (a closed connection) carry no code.
    code = getattr(error, "sqlite_errorcode", None)
    reason = _REASONS.get(code & 0xFF) if code is not None else None
    return StorageError(f"{path}: {reason}" if reason else f"{path}: {error}")


def file_error(error: OSError, path: Path) -> StorageError:
    """The StorageError for an error of the file system."""
    place = error.filename or path
    return StorageError(f"{place}: {error.strerror or error}")


class ClosedError(StorageError):
    """The storage was closed before this was asked of it."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path}: the storage is closed")


class OverloadedError(StorageError):
    """So much waits already that more would only wait longer."""

    def __init__(self, path: Path, waiting: int) -> None:
        super().__init__(f"{path}: {waiting} pieces of work are waiting already; try again later")


class WriterBusyError(StorageError):
    """A thread's write was not done in time; it may still be done."""

    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__(f"{path}: the writer did not get to this within {seconds:g} seconds")


class BadUrlError(StorageError):
    """The URL of the database names no file."""

    def __init__(self, url: str) -> None:
        super().__init__(f"{url!r} names no file; write sqlite:///relative/path.db or sqlite:////absolute/path.db")


class ReadTooLongError(StorageError):
    """A read was broken off: it held up all others."""

    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__(f"{path}: a read took over {seconds:g} seconds (storage_sqlite.read_seconds); ask for less")


class UnnumberedMigrationError(StorageError):
    """A migration forgot to say that it ran."""

    def __init__(self, name: str, number: int) -> None:
        super().__init__(f"migration {name} does not end with PRAGMA user_version = {number}")


class NothingToBackUpError(StorageError):
    """The database does not exist yet."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path}: there is no such file to back up")


class BackupExistsError(StorageError):
    """A backup never overwrites anything."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path}: the file exists already; choose another name")
