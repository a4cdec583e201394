"""When agents that are defined elsewhere are mirrored: at the start, when somebody uses one, when one changes.

A source never keeps the server from starting and never fails a chat: what is stored goes on being used.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final, cast

from longline.auth.access import Access, Action
from longline.auth.principal import Principal
from longline.clock import Clock
from longline.errors import BrokenAgentError, NotFoundError, SourceAwayError
from longline.models.assistants import Assistant
from longline.models.filters import Filter, all_of, keys_of, matches
from longline.models.json import JsonObject
from longline.services.mirror_answers import Answers, SyncResult, now
from longline.services.mirror_listing import MirrorListings
from longline.services.mirror_settling import Settler
from longline.services.mirror_store import SYNC_ERROR, MirrorStore, broken, is_mirror_of, present
from longline.services.sources import AssistantSource, SourcedAssistant

logger = logging.getLogger(__name__)

_TRIES: Final = 5
_PATIENCE_SECONDS: Final = 2.0
"""How long a use of a stored mirror waits for its agent."""


class Mirrors:
    """The mirrors of all sources of this server."""

    def __init__(self, *, sources: Sequence[AssistantSource], store: MirrorStore, access: Access, clock: Clock) -> None:
        self.sources = {source.name: source for source in sources}
        self.present: Final = present(self.sources)
        """The condition that leaves out mirrors of agents that are gone, or of sources that are not here."""
        self._store = store
        self._access = access
        self._clock = clock
        self._answers = Answers()
        self._settler = Settler(store=store, answers=self._answers, clock=clock)
        self.listings = MirrorListings(store=store, settler=self._settler, answers=self._answers, clock=clock)
        self._flights: dict[tuple[str, str], asyncio.Task[SyncResult | None]] = {}

    # -- what the services ask --------------------------------------------------------------------------------------

    def reference(self, metadata: JsonObject | None) -> tuple[AssistantSource, str] | None:
        """The source and the key of the agent that an assistant with this metadata stands for."""
        for source in self.sources.values():
            key = source.reference(metadata or {})
            if key is not None:
                return source, key
        return None

    def is_mirror(self, assistant: Assistant) -> bool:
        """Whether it is an agent's mirror: then only its source changes it."""
        return any(is_mirror_of(source, assistant) for source in self.sources.values())

    def fixed_keys(self, assistant: Assistant) -> frozenset[str]:
        """The configurable keys that no run of the assistant sets: those that its source keeps, if it is a mirror."""
        return frozenset().union(*(one.fixed for one in self.sources.values() if is_mirror_of(one, assistant)))

    async def use(self, assistant_id: str, stored: Assistant | None, visible: Filter) -> str | None:
        """Before an assistant is run by who sees what is `visible`: mirror the agent that it stands for, or that its id
        may be of, unless that was done a moment ago. `stored` is what they see under the id. Returns the id to
        read now, where a source was asked; None if `stored` is as it was. With something stored nothing fails; without,
        raises SourceAwayError and BrokenAgentError."""
        if not self.sources or self._is_recent(assistant_id):
            return None
        if stored is not None:
            return await self._use_stored(stored, visible)
        for source in self.sources.values():
            key = source.key_of(assistant_id)
            if key is not None and await self.ask_for(visible, source, key) is not None:
                return assistant_id
        return None

    async def _use_stored(self, stored: Assistant, visible: Filter) -> str | None:
        found = self.reference(stored.metadata)
        if found is None or not (self.is_mirror(stored) or SYNC_ERROR in stored.metadata):
            return None
        source, key = found
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                result = await self.ask(source, key)
        except (SourceAwayError, BrokenAgentError, TimeoutError) as error:
            reason = str(error) or "it does not answer"
            logger.warning("agent not synced, its mirror is used", extra={"source": source.name, "reason": reason})
            return stored.assistant_id
        # The agent may be another organisation's: callers write what their assistants stand for.
        if result is None or not await self._is_seen(source, key, visible):
            return stored.assistant_id
        return result.assistant_id

    async def sync(self, principal: Principal, name: str, key: str) -> SyncResult:
        """Mirror an agent of a source now, for a caller who may see it. Raises NotFoundError for any other agent,
        ForbiddenError, SourceAwayError, BrokenAgentError."""
        source = self.sources[name]
        value: JsonObject = {"assistant_id": source.id_of(key)}
        visible = all_of(await self._access.decide(principal, Action("assistants", "read"), value), self.present)
        result = await self.ask_for(visible, source, key, at_once=True)
        if result is None or not await self._is_seen(source, key, visible):
            raise NotFoundError("agent", key)
        return result

    # -- one agent --------------------------------------------------------------------------------------------------

    async def ask_for(
        self, visible: Filter, source: AssistantSource, key: str, *, at_once: bool = False
    ) -> SyncResult | None:
        """As `ask`, for who sees what is `visible`: that an agent is broken is told to nobody else."""
        try:
            return await self.ask(source, key, at_once=at_once)
        except BrokenAgentError as error:
            if self._is_theirs(error, visible) or await self._is_seen(source, key, visible):
                raise
            return None

    def _is_theirs(self, error: BrokenAgentError, visible: Filter) -> bool:
        """Whether who sees what is `visible` would see the mirror. Where nobody knows whose the agent is, those would
        for whom that makes no difference."""
        metadata = cast("JsonObject", error.metadata)  # it was made for a mirror
        return matches(visible, metadata) and (bool(metadata) or keys_of(visible) <= keys_of(self.present))

    async def _is_seen(self, source: AssistantSource, key: str, visible: Filter) -> bool:
        """Whether there is a mirror of the agent among what is visible."""
        stored = await self._store.find(source.id_of(key))
        return stored is not None and is_mirror_of(source, stored) and matches(visible, stored.metadata)

    async def ask(self, source: AssistantSource, key: str, *, at_once: bool = False) -> SyncResult | None:
        """Mirror one agent unless that was done within the source's `fresh_seconds` (with `at_once`: even then). None
        if there is none or it may not be used. Several who ask at once are answered by one question. Raises
        SourceAwayError, BrokenAgentError."""
        place = (source.name, key)
        if not at_once:
            answer = self._answers.fresh(source, key)
            if answer is not None:
                return answer.result
            self._answers.require_there(source)
        flight = self._flights.get(place)
        if flight is None:
            flight = self._flights[place] = asyncio.create_task(self._fetch(source, key), name=f"sync {key}")
            flight.add_done_callback(lambda done: self._land(place, done))
        return await asyncio.shield(flight)

    def _land(self, place: tuple[str, str], flight: "asyncio.Task[SyncResult | None]") -> None:
        self._flights.pop(place, None)
        if not flight.cancelled():
            flight.exception()  # whoever still waited was told

    async def _fetch(self, source: AssistantSource, key: str) -> SyncResult | None:
        agent: SourcedAssistant | None = None
        for _ in range(_TRIES):
            asked_at, at = now(), self._clock()
            try:
                agent = await source.get(key)
            except SourceAwayError as error:
                self._answers.was_away(source, error)
                raise
            old = await self._store.find(source.id_of(key))
            action = await self._settler.settle(source, key, agent, old=old, asked_at=asked_at)
            if action is None:  # it changed since it was read
                continue
            if agent is None:
                return None
            logger.info("agent synced", extra={"source": source.name, "agent": key, "action": action})
            await self._settler.tell(source, [agent])
            return SyncResult(assistant_id=agent.assistant_id, action=action, synced_at=at)
        reason = "it changes all the time"
        raise BrokenAgentError(key, reason) if agent is None else broken(source, agent, reason)

    async def close(self) -> None:
        """Ask nobody any more."""
        flights = [*self._flights.values()]
        for flight in flights:
            flight.cancel()
        if flights:
            await asyncio.wait(flights)

    def _is_recent(self, assistant_id: str) -> bool:
        keys = [(source, source.key_of(assistant_id)) for source in self.sources.values()]
        return any(key is not None and self._answers.fresh(source, key) is not None for source, key in keys)
