"""The open file: one writer, some readers, one lock."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from longline_storage_sqlite.connections import open_reader, open_writer
from longline_storage_sqlite.errors import translated
from longline_storage_sqlite.lock import OwnerLock
from longline_storage_sqlite.migrate import run_migrations
from longline_storage_sqlite.readers import Readers
from longline_storage_sqlite.settings import SqliteSettings
from longline_storage_sqlite.statements import load_statements
from longline_storage_sqlite.writer import Writer

_SQL = load_statements("queue")


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
            return run_migrations(connection, path)


def _lock(path: Path) -> OwnerLock:
    path.parent.mkdir(parents=True, exist_ok=True)
    return OwnerLock(path)


def _open_locked(path: Path, settings: SqliteSettings, lock: OwnerLock) -> Database:
    busy_timeout_seconds = settings.busy_timeout_seconds
    connection = open_writer(path, busy_timeout_seconds=busy_timeout_seconds)
    try:
        run_migrations(connection, path)
        connection.execute(_SQL["expire_leases"])
        reading = [open_reader(path, busy_timeout_seconds=busy_timeout_seconds) for _ in range(settings.reader_threads)]
    except BaseException:
        connection.close()
        raise
    writer = Writer(connection, path, most_waiting=settings.queued_writes)
    readers = Readers(reading, path)

    def close() -> None:
        readers.close()
        writer.close()
        lock.close()

    return Database(path, writer, readers, busy_timeout_seconds, close)
