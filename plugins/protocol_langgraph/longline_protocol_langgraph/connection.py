"""Whether the client is still there while it is being answered."""

import asyncio
from types import TracebackType
from typing import Self

from longline.asgi.types import Receive


class Connection:
    """Watches for the client to leave while its body runs, and then breaks the body off: `is_lost` tells afterwards.

    The request must have been read. Works like `asyncio.timeout`: the task that entered is cancelled, and the
    cancellation that this watch caused ends here.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.is_lost = False

    async def __aenter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a connection is watched from within a task")  # noqa: TRY003  # a programming error
        self._task = task
        self._watch = asyncio.create_task(self._wait_for_leave(), name="client-watch")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._watch.cancel()
        return self.is_lost and self._task.uncancel() == 0 and kind is asyncio.CancelledError

    async def _wait_for_leave(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.is_lost = True
        self._task.cancel()
