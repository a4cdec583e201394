"""Runs that were just started by a command: a client that subscribes right after must not miss a run that is quick."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

from longline.errors import NotFoundError, VersionConflictError
from longline.models.collections import CollectionSpec, Document
from longline.models.events import ThreadPlace
from longline.models.json import JsonObject
from longline.services.server import Server
from longline_protocol_langgraph.protocol_v2.sequence import before_turn

STARTS: Final = CollectionSpec(name="protocol_langgraph.starts", kind="documents", ttl_seconds=10.0)
"""One document for each thread on which a command has just started a run: a client may take so long from its command to
its subscription, and may subscribe at another server than that which did the command."""
_NOBODY: Final = ""


@dataclass(frozen=True, slots=True)
class _Start:
    turn: int
    heard: frozenset[str]

    @classmethod
    def of(cls, document: Document) -> "_Start":
        turn, heard = document.value["turn"], document.value["heard"]
        return cls(turn if isinstance(turn, int) else 0, frozenset(map(str, heard if isinstance(heard, list) else ())))

    @property
    def value(self) -> JsonObject:
        return {"turn": self.turn, "heard": [*sorted(self.heard)]}


class RecentStarts:
    """By thread: where the run begins that was started last, and which channels have been heard to its end.

    A client that started a run opens its streams one after the other; what none of them has got is replayed for the
    next. Another session on the same thread finds all heard, and gets only what happens from then on. Every method may
    raise StorageError.
    """

    def __init__(self, server: Server) -> None:
        self._starts = server.collections.documents(STARTS.name)

    @asynccontextmanager
    async def starting(self, thread_id: str, turn: int) -> AsyncIterator[None]:
        """Around the start of a run by a command; `turn` is the first that it can have. A start that is refused leaves
        everything as it was: who may not run on a thread changes nothing for those who follow it."""
        before = await self._find(thread_id)
        started = await self._starts.put(_NOBODY, thread_id, _Start(turn, frozenset()).value)
        try:
            yield
        except BaseException:
            with suppress(VersionConflictError):  # there was another start meanwhile, which counts
                await self._put_back(thread_id, before, started.version)
            raise

    async def _put_back(self, thread_id: str, before: Document | None, version: int) -> None:
        if before is None:
            await self._starts.delete(_NOBODY, thread_id, expected=version)
        else:
            await self._starts.put(_NOBODY, thread_id, before.value, expected=version, expires_at=before.expires_at)

    async def heard(self, thread_id: str, turn: int, channels: frozenset[str]) -> None:
        """A subscriber of these channels is about to get the end of a turn."""
        while (found := await self._find(thread_id)) is not None:
            start = _Start.of(found)
            if turn < start.turn or channels <= start.heard:
                return
            told = _Start(start.turn, start.heard | channels).value
            with suppress(VersionConflictError):  # another subscriber was told in the same moment
                await self._starts.put(_NOBODY, thread_id, told, expected=found.version, expires_at=found.expires_at)
                return

    async def unheard(self, thread_id: str, channels: frozenset[str]) -> ThreadPlace | None:
        """The place before a run that was just started, for who would miss something of it."""
        found = await self._find(thread_id)
        if found is None or channels <= _Start.of(found).heard:
            return None
        return before_turn(_Start.of(found).turn)

    async def _find(self, thread_id: str) -> Document | None:
        try:
            return await self._starts.get(_NOBODY, thread_id)
        except NotFoundError:
            return None
