"""Background tasks: coroutines that live as long as the server and are restarted when they fail."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

logger = logging.getLogger(__name__)

_LONGEST_PAUSE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BackgroundTask:
    """A coroutine function to keep running. Returning ends it; an exception restarts it after a pause that starts at
    `restart_seconds` and doubles with each failure up to a minute, until it has run for a minute."""

    name: str
    run: Callable[[], Awaitable[None]]
    restart_seconds: float = 1.0


async def supervise(task: BackgroundTask) -> None:
    """Run the task until it returns or is cancelled."""
    pause = task.restart_seconds
    loop = asyncio.get_running_loop()
    while True:
        started = loop.time()
        try:
            await task.run()
        except Exception:
            if loop.time() - started > _LONGEST_PAUSE_SECONDS:
                pause = task.restart_seconds
            logger.exception("background task failed", extra={"task": task.name, "restart_in_seconds": pause})
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
        else:
            return
