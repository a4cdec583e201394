"""The SDK is imported when somebody speaks to an agent: it takes seconds, and a server starts in less than one."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from longline.asgi.types import ASGIApp, Receive, Scope, Send
from longline.threads import in_thread

logger = logging.getLogger(__name__)


class LazyApp:
    """An app that is made, on a worker thread, for its first request; those that come meanwhile wait for it."""

    def __init__(self, make: Callable[[], ASGIApp]) -> None:
        self._make = make
        self._making: asyncio.Task[ASGIApp] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = await self._made()
        await app(scope, receive, send)

    @asynccontextmanager
    async def lifespan(self, *, preload: bool) -> AsyncIterator[None]:
        """With `preload` the app is made beside the start, which does not wait for it."""
        if preload:
            self._start().add_done_callback(_tell)
        try:
            yield
        finally:
            if self._making is not None and not self._making.done():
                self._making.cancel()
            self._making = None

    async def _made(self) -> ASGIApp:
        return await asyncio.shield(self._start())

    def _start(self) -> "asyncio.Task[ASGIApp]":
        if self._making is None or (self._making.done() and (self._making.cancelled() or self._making.exception())):
            self._making = asyncio.create_task(in_thread(self._make), name="a2a-import")
        return self._making


def _tell(made: "asyncio.Task[ASGIApp]") -> None:
    """Who asks next tries again, and is told."""
    if not made.cancelled() and (error := made.exception()) is not None:
        logger.error("protocol not loaded", extra={"protocol": "a2a"}, exc_info=error)
