"""Threads followed as they happen: every run on one, and what is done to its state."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from longline.auth.access import Access, Action
from longline.auth.principal import Principal
from longline.errors import NotFoundError
from longline.events.hub import EventHub
from longline.events.relay import Relay
from longline.events.replay import ThreadReader
from longline.models.events import END_OF_TURN, KeptEntry, ThreadPlace
from longline.models.runs import RunQuery, RunStatus
from longline.storage.protocols import Storage

_PAGE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What a stream of a thread must know of a run on it. `turn` is that of its newest attempt."""

    graph_id: str
    is_kept: bool
    turn: int


class ThreadStreamService:
    """Readers of whole threads."""

    def __init__(self, *, storage: Storage, hub: EventHub, relay: Relay, access: Access) -> None:
        self._storage = storage
        self._hub = hub
        self._relay = relay
        self._access = access

    async def follow(self, principal: Principal, thread_id: str, *, after: ThreadPlace | None = None) -> ThreadReader:
        """A reader of everything that happens on a thread: with `after` it replays what was kept; a place that the
        thread has not reached yet counts as none. The caller closes it. Raises NotFoundError, ForbiddenError."""
        reader = self.attach(thread_id)
        try:
            await self._let_in(principal, thread_id)
            await self._relay.follow_thread(thread_id)
            if after is not None and after.turn <= await self._storage.events.turn(thread_id):
                reader.start_after(after)
        except BaseException:
            reader.close()
            raise
        return reader

    def attach(self, thread_id: str) -> ThreadReader:
        """A reader of what happens from now on, for who asks `admits` before anything is read: the thread may be
        missing. The caller closes it."""
        return ThreadReader(self._hub, self._storage.events, thread_id, after=None)

    async def admits(self, principal: Principal, thread_id: str) -> bool:
        """Whether the thread is there and the caller may see it, which look alike. Raises ForbiddenError."""
        if self.is_followed(thread_id):
            await self._relay.follow_thread(thread_id)
        try:
            await self._let_in(principal, thread_id)
        except NotFoundError:
            return False
        return True

    async def _let_in(self, principal: Principal, thread_id: str) -> None:
        visible = await self._access.decide(principal, Action("threads", "read"), {"thread_id": thread_id})
        await self._storage.threads.get(thread_id, visible=visible)

    def is_followed(self, thread_id: str) -> bool:
        """Whether somebody follows the thread here."""
        return self._hub.has_readers("", thread_id)

    async def newest_turn(self, thread_id: str) -> int:
        """The newest turn of a thread that the caller was let in to; 0 if nothing happened on it yet."""
        return await self._storage.events.turn(thread_id)

    async def before_unfinished(self, thread_id: str) -> ThreadPlace | None:
        """The place before everything that the run has said which is under way; None if none is. The caller was let in
        to the thread."""
        query = RunQuery(thread_id=thread_id, statuses=(RunStatus.RUNNING,), limit=1)
        for run in await self._storage.runs.search(query):
            return ThreadPlace(run.turn - 1, END_OF_TURN)
        return None

    async def facts(self, thread_id: str, run_id: str) -> RunFacts | None:
        """What is known of a run on a thread that the caller was let in to; None if it is gone."""
        try:
            run = await self._storage.runs.get(thread_id, run_id)
        except NotFoundError:
            return None
        return RunFacts(graph_id=run.spec.graph_id, is_kept=run.spec.resumable, turn=run.turn)

    async def kept(self, principal: Principal, thread_id: str, run_id: str | None) -> AsyncIterator[KeptEntry]:
        """What is kept of the newest attempt of a run, or, without an id, of the newest turn; nothing if there is no
        such run. Raises NotFoundError for the thread, ForbiddenError."""
        await self._let_in(principal, thread_id)
        found = await self.facts(thread_id, run_id) if run_id is not None else None
        turn = found.turn if found is not None else await self.newest_turn(thread_id) if run_id is None else 0
        place = ThreadPlace(turn - 1, END_OF_TURN)
        while turn > 0 and (page := await self._storage.events.read_thread(thread_id, after=place, limit=_PAGE)):
            for entry in page:
                if entry.turn != turn:
                    return
                yield entry
            place = page[-1].place
