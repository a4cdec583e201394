"""What is known of one client beside its requests: how much it wants to hear, and what it watches."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import anyio
from mcp.server.session import ServerSession
from pydantic import AnyUrl

from longline.errors import InvalidInputError
from longline.tools.caller import LOG_LEVELS, LogLevel
from longline.tools.resources import Resource, ResourceContext

logger = logging.getLogger(__name__)

_MOST_WATCHED: Final = 100


class Conversation:
    """One client's."""

    def __init__(self) -> None:
        self.level: LogLevel = "info"
        self._watching: dict[str, asyncio.Task[None]] = {}

    def hears(self, level: LogLevel) -> bool:
        """Whether it wants to be told of something that matters so much."""
        return LOG_LEVELS.index(level) >= LOG_LEVELS.index(self.level)

    def watch(self, uri: str, resource: Resource, context: ResourceContext, session: ServerSession) -> None:
        """Tell it from now on when a document changes. Raises InvalidInputError."""
        if uri in self._watching or resource.watch is None:
            return
        if len(self._watching) >= _MOST_WATCHED:
            raise InvalidInputError(f"a client may watch {_MOST_WATCHED} resources at once")  # noqa: TRY003  # once
        task = asyncio.create_task(_tell(uri, resource, context, session), name="mcp subscription")
        self._watching[uri] = task

    async def unwatch(self, uri: str) -> None:
        """Tell it no more."""
        task = self._watching.pop(uri, None)
        if task is not None:
            await _end(task)

    async def close(self) -> None:
        """Watch nothing any more."""
        for uri in list(self._watching):
            await self.unwatch(uri)


@asynccontextmanager
async def conversation(_: object) -> AsyncIterator[Conversation]:
    """As long as the client is there."""
    found = Conversation()
    try:
        yield found
    finally:
        with anyio.CancelScope(shield=True):
            await found.close()


async def _tell(uri: str, resource: Resource, context: ResourceContext, session: ServerSession) -> None:
    if resource.watch is None:
        return
    try:
        async for _ in resource.watch(uri, context):
            await session.send_resource_updated(AnyUrl(uri))
    except (anyio.ClosedResourceError, anyio.BrokenResourceError):
        return  # the client is gone
    except Exception:
        logger.exception("resource not watched any more", extra={"uri": uri})


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait({task})
