"""A read that takes too long is broken off, so that the others get their turn."""

import sqlite3
import time
from pathlib import Path

from longline_storage_sqlite.errors import ReadTooLongError

_STEPS = 10_000  # of SQLite's machine between two looks at the clock: well below a millisecond


class Deadline:
    """Ends what a connection does once its time is up."""

    def __init__(self, connection: sqlite3.Connection, seconds: float) -> None:
        self._seconds = seconds
        self._ends_at = 0.0
        self._is_over = False
        connection.set_progress_handler(self._look, _STEPS)

    def start(self) -> None:
        """The time of the next read begins."""
        self._ends_at = time.monotonic() + self._seconds
        self._is_over = False

    def error(self, path: Path) -> ReadTooLongError | None:
        """What to say if the last read was broken off."""
        return ReadTooLongError(path, self._seconds) if self._is_over else None

    def _look(self) -> bool:
        self._is_over = time.monotonic() > self._ends_at
        return self._is_over
