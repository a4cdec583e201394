"""What commands that run in a terminal share: Ctrl-C, and how a run's end is told."""

import asyncio
import signal
import sys
from collections.abc import Callable
from typing import Final

INTERRUPTED: Final = 130
"""The shells' exit code for Ctrl-C."""


def on_interrupt(ask: Callable[[], None]) -> None:
    """Call `ask` on the running loop at Ctrl-C and SIGTERM."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        if sys.platform == "win32":
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(ask))
        else:
            loop.add_signal_handler(number, ask)


def tell_end(thread_id: str, *, is_success: bool, is_cancelled: bool) -> int:
    """Say on stderr how it ended and how to go on; the exit code."""
    if is_cancelled:
        print("cancelled", file=sys.stderr)  # noqa: T201  # a command talks to a person
    print(f"thread {thread_id} (go on with --thread)", file=sys.stderr)  # noqa: T201  # the same
    if is_cancelled:
        return INTERRUPTED
    return 0 if is_success else 1
