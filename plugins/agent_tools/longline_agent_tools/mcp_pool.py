"""The sessions of one event loop: kept open for the next call of the same user to the same server."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from mcp.types import ClientRequest
from pydantic import BaseModel

from longline_agent_tools.callers import Caller
from longline_agent_tools.errors import McpFailedError
from longline_agent_tools.mcp_config import McpServer
from longline_agent_tools.mcp_sessions import McpSession
from longline_agent_tools.mcp_settings import McpSettings
from longline_agent_tools.single_flight import SingleFlight

logger = logging.getLogger(__name__)

R = TypeVar("R", bound=BaseModel)

_CLOSE_SECONDS: Final = 5.0
_LONGEST_PAUSE_SECONDS: Final = 30.0
_SHORTEST_PAUSE_SECONDS: Final = 0.01
_UNKNOWN_SESSION: Final = (400, 404)
"""What servers answer to a session that they do not know: the first is that of older ones."""

SessionKey = tuple[str, str, str]


def session_key(server: McpServer, caller: Caller) -> SessionKey:
    """What two calls must have in common to be part of one session: the server, the user, and the token it sees."""
    return server.key, caller.identity, caller.token_digest if server.auth_required else ""


@dataclass(slots=True, eq=False)
class _Entry:
    key: SessionKey
    session: McpSession
    used_at: float
    users: int = 0
    was_used: bool = False


class McpPool:
    """Sessions by server and user. They are kept while `keep` runs (from the start where it `keeps`, for it is about
    to); without it each is closed after its use."""

    def __init__(
        self,
        settings: McpSettings,
        make: Callable[[McpServer, Caller], McpSession],
        *,
        keeps: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._make = make
        self._clock = clock
        self._kept: OrderedDict[SessionKey, _Entry] = OrderedDict()
        self._flights: SingleFlight[_Entry] = SingleFlight()
        self._closing: set[asyncio.Task[None]] = set()
        self._is_keeping = keeps

    @property
    def size(self) -> int:
        """How many sessions are kept open."""
        return len(self._kept)

    async def ask(
        self,
        server: McpServer,
        caller: Caller,
        request: ClientRequest,
        result: type[R],
        *,
        seconds: float,
        is_repeatable: bool = True,
    ) -> R:
        """The server's answer. Where a kept session turns out to be gone, it is asked once more in a new one, but not
        if it may have done by then what must not be done twice. Raises McpFailedError."""
        entry, is_new = await self._entry(server, caller)
        try:
            async with self._used(entry):
                return await entry.session.ask(request, result, seconds)
        except McpFailedError as failure:
            if not _means_gone(failure, entry.session, is_new=is_new):
                raise
            self._forget(entry)
            if failure.may_have_run and not is_repeatable:
                raise
        entry, _ = await self._entry(server, caller)
        logger.info("mcp session renewed", extra={"server": server.shown_name})
        async with self._used(entry):
            return await entry.session.ask(request, result, seconds)

    async def keep(self) -> None:
        """Keep sessions for the next call until this is cancelled; those that nobody uses for a while are closed. At
        the end all are, but for those in use, which are closed after it."""
        self._is_keeping = True
        try:
            while True:
                idle = self._settings.mcp_idle_seconds / 2
                await asyncio.sleep(max(_SHORTEST_PAUSE_SECONDS, min(idle, _LONGEST_PAUSE_SECONDS)))
                self.close_idle()
        finally:
            self._is_keeping = False
            for entry in list(self._kept.values()):
                self._forget(entry)
            if self._closing:
                await asyncio.wait(self._closing, timeout=_CLOSE_SECONDS)

    def close_idle(self) -> None:
        """Close what nobody used for `mcp_idle_seconds`."""
        limit = self._clock() - self._settings.mcp_idle_seconds
        for entry in list(self._kept.values()):
            if not entry.users and (entry.used_at <= limit or not entry.session.is_alive):
                self._forget(entry)

    async def _entry(self, server: McpServer, caller: Caller) -> tuple[_Entry, bool]:
        """A session that can be asked, and whether it was opened for this."""
        key = session_key(server, caller)
        entry = self._kept.get(key)
        if entry is not None and entry.session.is_alive:
            self._kept.move_to_end(key)
            return entry, False
        if not self._is_keeping:
            return await self._open(key, server, caller), True
        if entry is not None:
            self._forget(entry)
        return await self._flights.do(key, lambda: self._open_to_keep(key, server, caller)), True

    async def _open(self, key: SessionKey, server: McpServer, caller: Caller) -> _Entry:
        session = self._make(server, caller)
        await session.open(self._settings.mcp_list_seconds)
        return _Entry(key=key, session=session, used_at=self._clock())

    async def _open_to_keep(self, key: SessionKey, server: McpServer, caller: Caller) -> _Entry:
        entry = await self._open(key, server, caller)
        if self._is_keeping:
            self._kept[key] = entry
            self._make_room()
        return entry

    def _make_room(self) -> None:
        """Close the longest unused of too many. Those in use, or about to be, may be more."""
        idle = [entry for entry in self._kept.values() if not entry.users and entry.was_used]
        for entry in idle[: max(0, len(self._kept) - self._settings.mcp_sessions)]:
            self._forget(entry)

    @asynccontextmanager
    async def _used(self, entry: _Entry) -> AsyncIterator[None]:
        entry.users += 1
        entry.was_used = True
        try:
            yield
        finally:
            entry.users -= 1
            entry.used_at = self._clock()
            if self._kept.get(entry.key) is entry:
                self._make_room()
            elif not entry.users:
                await entry.session.close()

    def _forget(self, entry: _Entry) -> None:
        """Give it to nobody any more. Whoever uses it last closes it."""
        if self._kept.get(entry.key) is entry:
            del self._kept[entry.key]
        if not entry.users and entry.session.is_alive:
            task = asyncio.create_task(entry.session.close(), name="mcp session closing")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


def _means_gone(failure: McpFailedError, session: McpSession, *, is_new: bool) -> bool:
    """Whether the failure is one of the session, which a new one may not have."""
    return not session.is_alive or failure.is_broken or (not is_new and failure.status in _UNKNOWN_SESSION)
