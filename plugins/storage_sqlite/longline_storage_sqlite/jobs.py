"""A piece of database work on its way through a thread, and how its result gets back to who waits."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, Protocol, TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]


class Job(Protocol):
    """Work with somebody who waits for it."""

    error: Exception | None

    def perform(self, connection: sqlite3.Connection) -> None:
        """Do the work and keep its result. Raises what the work raises."""
        ...

    def settle(self) -> None:
        """Hand over the result or the error, in the thread of who waits."""
        ...

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop of who waits; None where a thread waits."""
        ...


class LoopJob(Generic[T]):
    """Work that a coroutine awaits. If that was cancelled the work is done all the same, and its result dropped."""

    __slots__ = ("_result", "_work", "error", "future", "loop")

    def __init__(self, work: Work[T]) -> None:
        self._work = work
        self._result: T | None = None
        self.error: Exception | None = None
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[T] = self.loop.create_future()

    def perform(self, connection: sqlite3.Connection) -> None:
        """See Job."""
        self._result = self._work(connection)

    def settle(self) -> None:
        """See Job."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self._result)  # type: ignore[arg-type]  # performed, so it is a T


class ThreadJob(Generic[T]):
    """Work that a thread waits for."""

    __slots__ = ("_result", "_work", "error", "future")

    loop = None

    def __init__(self, work: Work[T]) -> None:
        self._work = work
        self._result: T | None = None
        self.error: Exception | None = None
        self.future: Future[T] = Future()

    def perform(self, connection: sqlite3.Connection) -> None:
        """See Job."""
        self._result = self._work(connection)

    def settle(self) -> None:
        """See Job."""
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self._result)  # type: ignore[arg-type]  # performed, so it is a T


def deliver(jobs: Sequence[Job]) -> None:
    """Settle finished jobs, waking each event loop once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Job]] = {}
    for job in jobs:
        if job.loop is None:
            job.settle()
        else:
            by_loop.setdefault(job.loop, []).append(job)
    for loop, waiting in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle_all, waiting)
        except RuntimeError:  # the loop was closed: nobody is left to tell
            logger.warning("event loop was gone before its result", extra={"jobs": len(waiting)})


def _settle_all(jobs: Sequence[Job]) -> None:
    for job in jobs:
        job.settle()
