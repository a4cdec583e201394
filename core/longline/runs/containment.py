"""`sys.exit()` in a node must end its run, not the server, which is where asyncio passes a task's SystemExit."""

import asyncio
from collections.abc import Coroutine, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from longline.errors import GraphExitError

_is_in_run: ContextVar[bool] = ContextVar("longline_is_in_run", default=False)


def enter_run() -> None:
    """From here on this task, and the tasks it makes, belong to a run."""
    _is_in_run.set(True)


@contextmanager
def contained(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """While this holds, a task of a run that exits fails with GraphExitError instead."""
    previous = loop.get_task_factory()

    def make(
        loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any] | Generator[Any, None, Any], **options: Any
    ) -> asyncio.Future[Any]:
        if _is_in_run.get() and asyncio.iscoroutine(coro):
            coro = _Contained(coro)
        if previous is not None:
            return previous(loop, coro, **options)
        return asyncio.Task(coro, loop=loop, **options)

    loop.set_task_factory(make)
    try:
        yield
    finally:
        loop.set_task_factory(previous)


class _Contained(Coroutine[Any, Any, Any]):
    """A coroutine whose exit is an ordinary error. Closing it before its first step closes the one inside."""

    __slots__ = ("_work",)

    def __init__(self, work: Coroutine[Any, Any, Any]) -> None:
        self._work = work

    def send(self, value: Any) -> Any:  # the coroutine protocol
        try:
            return self._work.send(value)
        except SystemExit as error:
            raise GraphExitError(error.code) from error

    def throw(self, *error: Any) -> Any:  # the coroutine protocol
        try:
            return self._work.throw(*error)
        except SystemExit as exit_:
            raise GraphExitError(exit_.code) from exit_

    def close(self) -> None:
        self._work.close()

    def __await__(self) -> Generator[Any, None, Any]:
        return self._work.__await__()


def contain(work: Coroutine[Any, Any, Any]) -> Coroutine[Any, Any, Any]:
    """The same work, with its exit as an ordinary error."""
    return _Contained(work)
