"""Open sessions: each belongs to who opened it, ends when nobody uses it, and there is a bound to their number."""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from mcp.server.lowlevel import Server as Protocol
from mcp.server.models import InitializationOptions

from longline.asgi.types import Receive, Scope, Send
from longline.auth.principal import Principal
from longline_protocol_mcp.census import SessionCensus
from longline_protocol_mcp.errors import RefusedError
from longline_protocol_mcp.sdk.conversation import Conversation
from longline_protocol_mcp.sdk.replay import ReplayRoom
from longline_protocol_mcp.sdk.traffic import Traffic
from longline_protocol_mcp.sdk.transport import Transport

logger = logging.getLogger(__name__)

Owner = tuple[bool, str]
_END_SECONDS: Final = 5.0
"""What a request without a session gets to end, once its answer is out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """How many sessions there may be, and for how long. `per_owner` counts for callers that showed who they are."""

    total: int
    per_owner: int
    idle_seconds: float
    retry_seconds: float


class Session:
    """One client's conversation."""

    def __init__(self, owner: Owner, room: ReplayRoom, limits: SessionLimits) -> None:
        self.session_id = uuid.uuid4().hex
        self.owner = owner
        self.requests = 0
        self.used_at = time.monotonic()
        self.traffic = Traffic()
        self.replay = room.open(self.traffic.note)
        self.transport = Transport(self.session_id, self.replay, limits.retry_seconds)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one of its requests."""
        self.requests += 1
        try:
            await self.transport.handle_request(scope, receive, send)
        finally:
            self.requests -= 1
            self.used_at = time.monotonic()


class Sessions:
    """The sessions of this process."""

    def __init__(
        self,
        protocol: "Protocol[Conversation]",
        options: InitializationOptions,
        limits: SessionLimits,
        room: ReplayRoom,
        census: SessionCensus,
    ) -> None:
        self._protocol = protocol
        self._options = options
        self._limits = limits
        self._room = room
        self._census = census
        self._open: dict[str, Session] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sessions may be opened while this is entered; those that are left are ended on leaving."""
        reaper = asyncio.create_task(self._reap(), name="mcp idle sessions")
        try:
            yield
        finally:
            reaper.cancel()
            tasks = {reaper, *self._tasks}
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def find(self, session_id: str, principal: Principal) -> Session:
        """The session, if it is the caller's: others' look like missing ones. Raises RefusedError."""
        session = self._open.get(session_id)
        if session is None or session.owner != owner_of(principal) or session.transport.is_terminated:
            raise RefusedError(404, "Session not found")  # once
        return session

    async def open(self, principal: Principal) -> Session:
        """A new session; where there are too many, the one that is idle longest ends. Raises RefusedError."""
        owner = owner_of(principal)
        if principal.is_authenticated:
            await self._make_room((one for one in self._open.values() if one.owner == owner), self._limits.per_owner)
        await self._make_room(self._open.values(), self._limits.total)
        session = Session(owner, self._room, self._limits)
        started = asyncio.get_running_loop().create_future()
        self._open[session.session_id] = session
        self._census.opened += 1
        self._count()
        task = asyncio.create_task(self._converse(session, started), name="mcp session")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await started
        return session

    async def end(self, session: Session) -> None:
        """Nobody finds it any more, and what it was doing is cancelled."""
        self._open.pop(session.session_id, None)
        self._count()
        session.replay.close()
        await session.transport.terminate()

    async def _make_room(self, among: Iterable[Session], most: int) -> None:
        found = list(among)
        if len(found) < most:
            return
        idle = [one for one in found if not one.requests]
        if not idle:
            raise RefusedError(503, "too many open sessions")  # once
        self._census.displaced += 1
        await self.end(min(idle, key=lambda one: (one.traffic.is_busy, one.used_at)))

    def _count(self) -> None:
        self._census.open = len(self._open)

    async def _converse(self, session: Session, started: "asyncio.Future[None]") -> None:
        try:
            async with session.transport.connect() as (incoming, outgoing):
                started.set_result(None)
                await self._protocol.run(incoming, outgoing, self._options)
        except Exception:
            logger.exception("mcp session failed")
        finally:
            if not started.done():
                started.cancel()
            await self.end(session)

    async def _reap(self) -> None:
        pause = min(self._limits.idle_seconds / 4, 30.0)
        while True:
            await asyncio.sleep(pause)
            self._room.trim()
            await self._end_idle()

    async def _end_idle(self) -> None:
        oldest = time.monotonic() - self._limits.idle_seconds
        for session in [one for one in self._open.values() if not one.requests and one.used_at < oldest]:
            self._census.idle_ended += 1
            await self.end(session)


def owner_of(principal: Principal) -> Owner:
    """Whose a session is."""
    return principal.is_authenticated, principal.identity


async def serve_alone(
    protocol: "Protocol[Conversation]", options: InitializationOptions, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer a request that belongs to no session: nothing is left of it afterwards, and a client that leaves cancels
    what it asked for, since nobody could get the answer."""
    transport = Transport(None)
    started = asyncio.get_running_loop().create_future()

    async def converse() -> None:
        async with transport.connect() as (incoming, outgoing):
            started.set_result(None)
            await protocol.run(incoming, outgoing, options, stateless=True)

    working = asyncio.create_task(converse(), name="mcp request")
    try:
        await asyncio.wait({started, working}, return_when=asyncio.FIRST_COMPLETED)
        await transport.handle_request(scope, receive, send)
    finally:
        await _finish(transport, working)


async def _finish(transport: Transport, working: "asyncio.Task[None]") -> None:
    ending = asyncio.ensure_future(transport.terminate())
    done, _ = await asyncio.wait({ending, working}, timeout=_END_SECONDS, return_when=asyncio.ALL_COMPLETED)
    if working not in done:
        working.cancel()
        await asyncio.wait({working})
    if not working.cancelled() and (error := working.exception()) is not None:
        logger.error("mcp request failed", exc_info=error)
