"""The threads that read: each with a connection of its own that cannot write."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TypeVar

from longline_storage_sqlite.conditions import take_error
from longline_storage_sqlite.deadlines import Deadline
from longline_storage_sqlite.errors import ClosedError, OverloadedError, storage_error
from longline_storage_sqlite.jobs import Job, LoopJob, Work, deliver

T = TypeVar("T")

_MOST_WAITING = 10_000


class Readers:
    """Runs reads beside each other. A read sees everything that was committed before it was asked for."""

    def __init__(self, connections: Sequence[sqlite3.Connection], path: Path, *, most_seconds: float) -> None:
        self._path = path
        self._most_seconds = most_seconds
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._closing = False
        self._gate = Lock()
        self._threads = [
            Thread(target=self._serve, args=(connection,), name=f"longline-sqlite-reader-{number}", daemon=True)
            for number, connection in enumerate(connections)
        ]
        for thread in self._threads:
            thread.start()

    async def run(self, work: Work[T]) -> T:
        """Do the work with a connection and return its result."""
        job = LoopJob(work)
        with self._gate:
            if self._closing:
                raise ClosedError(self._path)
            if self._queue.qsize() >= _MOST_WAITING:
                raise OverloadedError(self._path, _MOST_WAITING)
            self._queue.put(job)
        return await job.future

    def close(self) -> None:
        """Finish what waits, then close the connections. Later work is refused. Blocks."""
        with self._gate:
            if self._closing:
                return
            self._closing = True
            for _ in self._threads:
                self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def _serve(self, connection: sqlite3.Connection) -> None:
        deadline = Deadline(connection, self._most_seconds)
        while (job := self._queue.get()) is not None:
            deadline.start()
            try:
                job.perform(connection)
            except sqlite3.Error as error:
                job.error = take_error() or deadline.error(self._path) or storage_error(error, self._path)
                job.error.__cause__ = error
            except Exception as error:  # noqa: BLE001  # the thread outlives each job; who waits gets the error
                job.error = error
            deliver((job,))
        connection.close()
