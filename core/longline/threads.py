"""Threads for work of the server's own that blocks: imports, files. Nodes of graphs that are plain functions run in the
event loop's default executor (`--runs` threads), so that neither waits for the other."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_THREADS: Final = ThreadPoolExecutor(max_workers=8, thread_name_prefix="longline-io")  # threads start when needed


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `work` returns or raises, as asyncio.to_thread, beside the threads of the nodes."""
    context = copy_context()
    return await asyncio.get_running_loop().run_in_executor(_THREADS, lambda: context.run(work, *args, **kwargs))


def on_loop(
    work: Coroutine[object, object, T], loop: asyncio.AbstractEventLoop, most_seconds: float | None = None
) -> T:
    """The result of work on an event loop, for another thread. Raises what the work raises, TimeoutError once it took
    `most_seconds`, and InvalidStateError on the event loop itself, which would wait for itself."""
    if running_loop() is loop:
        work.close()
        raise asyncio.InvalidStateError("use the async methods on the event loop")  # noqa: TRY003  # of asyncio
    running = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        return running.result(most_seconds)
    except TimeoutError:
        running.cancel()
        raise


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop of this thread, if it has one."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
