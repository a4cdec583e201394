"""The one thread that writes. What waits is committed together, and work that fails takes back only itself."""

import logging
import sqlite3
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import TypeVar

from longline.errors import StorageError
from longline_storage_sqlite.errors import ClosedError, OverloadedError, WriterBusyError, storage_error
from longline_storage_sqlite.jobs import Job, LoopJob, ThreadJob, Work, deliver

logger = logging.getLogger(__name__)

T = TypeVar("T")

_LARGEST_GROUP = 64  # beyond this the first of a group waits longer for the last than the shared commit saves


class Writer:
    """Owns the only connection that writes. Each piece of work is atomic; results are told after the commit.

    Who is cancelled while waiting learns nothing of the result, but the work is done whole or not at all.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, *, most_waiting: int) -> None:
        self._connection = connection
        self._path = path
        self._most_waiting = most_waiting
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._closing = False
        self._gate = Lock()
        self._thread = Thread(target=self._serve, name="longline-sqlite-writer", daemon=True)
        self._thread.start()

    async def run(self, work: Work[T]) -> T:
        """Do the work in a transaction and return its result once that is committed."""
        job = LoopJob(work)
        self._submit(job)
        return await job.future

    def run_blocking(self, work: Work[T], *, timeout_seconds: float) -> T:
        """The same for a thread without an event loop. Raises StorageError when the writer does not get to it."""
        job = ThreadJob(work)
        self._submit(job)
        try:
            return job.future.result(timeout_seconds)
        except TimeoutError as error:
            raise WriterBusyError(self._path, timeout_seconds) from error

    def close(self) -> None:
        """Finish what waits, then close the connection. Later work is refused. Blocks."""
        with self._gate:
            if self._closing:
                return
            self._closing = True
            self._queue.put(None)
        self._thread.join()
        self._connection.close()

    def _submit(self, job: Job) -> None:
        with self._gate:
            if self._closing:
                raise ClosedError(self._path)
            if self._queue.qsize() >= self._most_waiting:
                raise OverloadedError(self._path, self._most_waiting)
            self._queue.put(job)

    def _serve(self) -> None:
        while (first := self._queue.get()) is not None:
            group, more = self._gather(first)
            try:
                self._write(group)
            except BaseException as error:  # whatever it is: without this thread nobody writes any more
                logger.exception("writer stumbled", extra={"jobs": len(group)})
                self._fail(group, error)
            deliver(group)
            if not more:
                return

    def _gather(self, first: Job) -> tuple[list[Job], bool]:
        """What waits now, and whether more may come."""
        group = [first]
        while len(group) < _LARGEST_GROUP:
            try:
                job = self._queue.get_nowait()
            except Empty:
                break
            if job is None:
                return group, False
            group.append(job)
        return group, True

    def _write(self, group: list[Job]) -> None:
        """Do all of a group in one transaction. If that cannot be committed, every job of it fails."""
        try:
            if self._connection.in_transaction:  # an earlier group could not be rolled back
                self._connection.execute("ROLLBACK")
            self._connection.execute("BEGIN IMMEDIATE")
            if len(group) == 1:
                self._perform_alone(group[0])
            else:
                for job in group:
                    self._perform_beside_others(job)
            if self._connection.in_transaction:
                self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._fail(group, error)

    def _perform_alone(self, job: Job) -> None:
        try:
            job.perform(self._connection)
        except Exception as error:  # noqa: BLE001  # the thread outlives each job; who waits gets the error
            job.error = self._translated(error)
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _perform_beside_others(self, job: Job) -> None:
        self._connection.execute("SAVEPOINT job")
        try:
            job.perform(self._connection)
        except Exception as error:
            # A full disk or a failing one makes SQLite drop the whole transaction, with what the others did.
            if not self._connection.in_transaction:
                raise
            job.error = self._translated(error)
            self._connection.execute("ROLLBACK TO job")
        self._connection.execute("RELEASE job")

    def _fail(self, group: list[Job], error: BaseException) -> None:
        for job in group:
            if job.error is None:
                job.error = (
                    storage_error(error, self._path)
                    if isinstance(error, sqlite3.Error)
                    else StorageError(f"{self._path}: {type(error).__name__}: {error}")
                )
                job.error.__cause__ = error
        self._roll_back()

    def _roll_back(self) -> None:
        """Take back what is left. Where even that fails, the next group tries again before it begins."""
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            logger.error("rollback failed", extra={"reason": str(error)})  # noqa: TRY400  # SQLite's own sentence is all

    def _translated(self, error: Exception) -> Exception:
        if not isinstance(error, sqlite3.Error):
            return error
        translated = storage_error(error, self._path)
        translated.__cause__ = error
        return translated
