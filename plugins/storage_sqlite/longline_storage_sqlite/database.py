"""The open file: one writer, some readers, one lock."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from longline_storage_sqlite.connections import open_reader, open_writer
from longline_storage_sqlite.errors import translated
from longline_storage_sqlite.lock import OwnerLock
from longline_storage_sqlite.migrate import migrations, missing_migrations, run_migrations
from longline_storage_sqlite.old_files import rewrite_old_file
from longline_storage_sqlite.readers import Readers
from longline_storage_sqlite.settings import SqliteSettings
from longline_storage_sqlite.statements import load_statements
from longline_storage_sqlite.writer import Writer

SMALL_BYTES = 16 * 1024 * 1024
"""What can be rewritten at a start without anybody noticing."""

_SQL = load_statements("queue")
_COLLECTIONS = load_statements("collections")
_CRONS = load_statements("crons")


@dataclass(frozen=True, slots=True)
class Database:
    """The threads that work on the file. `close` ends them after what waits, then gives up the file. It blocks."""

    path: Path
    writer: Writer
    readers: Readers
    busy_timeout_seconds: float
    close: Callable[[], None]


def open_database(path: Path, settings: SqliteSettings) -> Database:
    """Lock, migrate and open the file, and free the runs of a process that died with it. Blocks."""
    with translated(path):
        lock = _lock(path)
        try:
            return _open_locked(path, settings, lock)
        except BaseException:
            lock.close()
            raise


def migrate_database(path: Path, settings: SqliteSettings) -> Sequence[str]:
    """Lock the file and bring its schema up to date; the names of the migrations that ran. Blocks."""
    with translated(path), closing(_lock(path)):
        connection = open_writer(path, busy_timeout_seconds=settings.busy_timeout_seconds)
        with closing(connection):
            names = run_migrations(connection, path)
            rewrite_old_file(connection, path, most_bytes=None)
            return names


def pending_in_file(path: Path) -> Sequence[str]:
    """The names of the migrations that have not run on the file; of all, where there is none. Blocks."""
    with translated(path):
        if not path.exists():
            return [name for _, name, _ in migrations()]
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as connection:
            return [name for _, name, _ in missing_migrations(connection, path)]


def _lock(path: Path) -> OwnerLock:
    path.parent.mkdir(parents=True, exist_ok=True)
    return OwnerLock(path)


def _open_locked(path: Path, settings: SqliteSettings, lock: OwnerLock) -> Database:
    busy_timeout_seconds = settings.busy_timeout_seconds
    connection = open_writer(path, busy_timeout_seconds=busy_timeout_seconds)
    try:
        run_migrations(connection, path)
        rewrite_old_file(connection, path, most_bytes=SMALL_BYTES)
        connection.execute(_SQL["expire_leases"])
        connection.execute(_COLLECTIONS["free_taken"])
        connection.execute(_CRONS["expire_leases"])
        reading = [open_reader(path, busy_timeout_seconds=busy_timeout_seconds) for _ in range(settings.reader_threads)]
    except BaseException:
        connection.close()
        raise
    writer = Writer(connection, path, most_waiting=settings.queued_writes)
    readers = Readers(reading, path, most_seconds=settings.read_seconds)

    def close() -> None:
        readers.close()
        writer.close()
        lock.close()

    return Database(path, writer, readers, busy_timeout_seconds, close)
