"""When agents that are defined elsewhere are mirrored: at the start, when somebody uses one, when one changes.

A source never keeps the server from starting and never fails a chat: what is stored goes on being used.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from longline.auth.access import Access, Action
from longline.auth.principal import Principal
from longline.clock import Clock
from longline.errors import BrokenAgentError, NotFoundError, SourceAwayError
from longline.models.assistants import Assistant
from longline.models.filters import Filter, all_of, matches
from longline.models.json import JsonObject
from longline.services.mirror_store import SYNC_ERROR, MirrorAction, MirrorStore, Planned, is_mirror_of, present
from longline.services.sources import AssistantSource, SourcedAssistant

logger = logging.getLogger(__name__)

_MOST_REMEMBERED: Final = 10_000
_AWAY_SECONDS: Final = 5.0
"""How long a source that was away is not asked again by a use."""
_PATIENCE_SECONDS: Final = 2.0
"""How long a use of a stored mirror waits for its agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncResult:
    """What became of one agent. `synced_at` is when its source was asked."""

    assistant_id: str
    action: MirrorAction
    synced_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncCounts:
    """What a listing brought. `total` are the agents of the source, `skipped` those whose mirrors were as they are."""

    total: int = 0
    created: int = 0
    updated: int = 0
    skipped: int = 0
    failed: int = 0
    withdrawn: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncReport:
    """How the latest finished listing of a source went in this process; nothing before the first."""

    last_finished_at: datetime | None = None
    counts: SyncCounts = field(default_factory=SyncCounts)


class Mirrors:
    """The mirrors of all sources of this server."""

    def __init__(self, *, sources: Sequence[AssistantSource], store: MirrorStore, access: Access, clock: Clock) -> None:
        self.sources = {source.name: source for source in sources}
        self._present = present(self.sources)
        self._store = store
        self._access = access
        self._clock = clock
        self._reports: dict[str, SyncReport] = {}
        self._flights: dict[tuple[str, str], asyncio.Task[SyncResult | None]] = {}
        self._recent: OrderedDict[tuple[str, str], tuple[float, SyncResult | None]] = OrderedDict()
        self._away: dict[str, tuple[float, SourceAwayError]] = {}

    # -- what the services ask --------------------------------------------------------------------------------------

    @property
    def present(self) -> Filter:
        """The condition that leaves out mirrors of agents that are gone, or of sources that are not here."""
        return self._present

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

    async def use(self, assistant_id: str) -> str:
        """Before an assistant is run: mirror the agent that it stands for, or that its id may be of, unless that was
        done a moment ago. Returns the id to run. With an assistant that is stored nothing fails; without one, raises
        SourceAwayError and BrokenAgentError."""
        if not self.sources or self._is_recent(assistant_id):
            return assistant_id
        stored = await self._store.find(assistant_id)
        if stored is not None:
            return await self._use_stored(stored)
        for source in self.sources.values():
            key = source.key_of(assistant_id)
            if key is not None and await self.ask(source, key) is not None:
                break
        return assistant_id

    async def _use_stored(self, stored: Assistant) -> str:
        found = self.reference(stored.metadata)
        if found is None or not (self.is_mirror(stored) or SYNC_ERROR in stored.metadata):
            return stored.assistant_id
        source, key = found
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                result = await self.ask(source, key)
        except (SourceAwayError, BrokenAgentError, TimeoutError) as error:
            reason = str(error) or "it does not answer"
            logger.warning("agent not synced, its mirror is used", extra={"source": source.name, "reason": reason})
            return stored.assistant_id
        return stored.assistant_id if result is None else result.assistant_id

    async def sync(self, principal: Principal, name: str, key: str) -> SyncResult:
        """Mirror an agent of a source now, for a caller who may see it. Raises NotFoundError for any other agent,
        ForbiddenError, SourceAwayError, BrokenAgentError."""
        source = self.sources[name]
        value: JsonObject = {"assistant_id": source.id_of(key)}
        visible = all_of(await self._access.decide(principal, Action("assistants", "read"), value), self._present)
        result = await self.ask(source, key, at_once=True)
        stored = None if result is None else await self._store.find(result.assistant_id)
        if result is None or stored is None or not matches(visible, stored.metadata):
            raise NotFoundError("agent", key)
        return result

    # -- one agent --------------------------------------------------------------------------------------------------

    async def ask(self, source: AssistantSource, key: str, *, at_once: bool = False) -> SyncResult | None:
        """Mirror one agent unless that was done within the source's `fresh_seconds` (with `at_once`: even then). None
        if there is none or it may not be used. Several who ask at once are answered by one question. Raises
        SourceAwayError, BrokenAgentError."""
        place = (source.name, key)
        if not at_once:
            now = asyncio.get_running_loop().time()
            until, away = self._away.get(source.name, (0.0, None))
            if place in self._recent and self._recent[place][0] > now:
                return self._recent[place][1]
            if away is not None and until > now:
                raise SourceAwayError(away.source, away.reason)
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
        try:
            agent = await source.get(key)
        except SourceAwayError as error:
            self._away[source.name] = (asyncio.get_running_loop().time() + _AWAY_SECONDS, error)
            raise
        at = self._clock()
        stored = await self._store.find(source.id_of(key))
        if agent is None:
            if stored is not None and is_mirror_of(source, stored):
                await self._store.withdraw(stored)
            result = None
        else:
            action = await self._store.put(source, agent, stored)
            result = SyncResult(assistant_id=agent.assistant_id, action=action, synced_at=at)
            logger.info("agent synced", extra={"source": source.name, "agent": key, "action": action})
            await self._tell(source, [agent])
        self._remember(source, key, result)
        return result

    def _remember(self, source: AssistantSource, key: str, result: SyncResult | None) -> None:
        kept = None if result is None else replace(result, action="skipped")
        self._recent[source.name, key] = (asyncio.get_running_loop().time() + source.times.fresh_seconds, kept)
        self._recent.move_to_end((source.name, key))
        while len(self._recent) > _MOST_REMEMBERED:
            self._recent.popitem(last=False)

    def _is_recent(self, assistant_id: str) -> bool:
        now = asyncio.get_running_loop().time()
        places = [(name, source.key_of(assistant_id)) for name, source in self.sources.items()]
        return any(key is not None and self._recent.get((name, key), (0.0,))[0] > now for name, key in places)

    # -- all agents -------------------------------------------------------------------------------------------------

    async def list(self, source: AssistantSource) -> SyncCounts:
        """Mirror all agents of the source's scope, and withdraw mirrors of those that are gone. One bad agent never
        stops the others. Raises SourceAwayError."""
        listing = await source.list()
        stored = await self._store.all(source)
        counts = {"created": 0, "updated": 0, "skipped": 0, "withdrawn": 0}
        done: list[SourcedAssistant] = []
        faults = [(fault.key, fault.reason) for fault in listing.faults]
        for agent in listing.agents:
            try:
                old = stored.get(agent.assistant_id) or await self._store.find(agent.assistant_id)
                counts[await self._store.put(source, agent, old)] += 1
            except BrokenAgentError as error:
                faults.append((agent.key, error.reason))
                continue
            done.append(agent)
            self._remember(source, agent.key, self._result(agent))
        for key, reason in faults:
            logger.warning("agent not synced", extra={"source": source.name, "agent": key, "reason": reason})
        await self._tell(source, done)
        listed = {source.id_of(key) for key in (*(agent.key for agent in listing.agents), *dict(faults))}
        counts["withdrawn"] = await self._withdraw(source, [one for key, one in stored.items() if key not in listed])
        found = SyncCounts(total=len(listing.agents) + len(listing.faults), failed=len(faults), **counts)
        self._reports[source.name] = SyncReport(last_finished_at=self._clock(), counts=found)
        return found

    async def plan(self, source: AssistantSource) -> tuple[Sequence[Planned], Sequence[tuple[str, str]]]:
        """What `list` would do, and the agents that it could not mirror with the reasons. Raises SourceAwayError."""
        listing = await source.list()
        stored = await self._store.all(source)
        planned: list[Planned] = []
        faults = [(fault.key, fault.reason) for fault in listing.faults]
        for agent in listing.agents:
            try:
                old = stored.get(agent.assistant_id) or await self._store.find(agent.assistant_id)
                planned.append(self._store.plan(source, agent, old))
            except BrokenAgentError as error:
                faults.append((agent.key, error.reason))
        return planned, faults

    def report(self, name: str) -> SyncReport:
        """How the latest listing of a source went in this process."""
        return self._reports.get(name, SyncReport())

    async def check_stored(self, source: AssistantSource) -> int:
        """Withdraw the mirrors of agents that are gone, of whatever scope; how many. Raises SourceAwayError."""
        return await self._withdraw(source, [*(await self._store.all(source)).values()])

    async def follow(self, source: AssistantSource, key: str) -> None:
        """An agent changed: mirror it if it is in the scope, or was mirrored before. Raises SourceAwayError."""
        is_wanted = await self._store.find(source.id_of(key)) is not None
        if not is_wanted and source.is_listed:
            try:
                agent = await source.get(key)
            except BrokenAgentError:
                return
            is_wanted = agent is not None and source.lists(agent)
        if is_wanted:
            try:
                await self.ask(source, key, at_once=True)
            except BrokenAgentError as error:
                extra = {"source": source.name, "agent": key, "reason": error.reason}
                logger.warning("agent not synced", extra=extra)

    async def _withdraw(self, source: AssistantSource, stored: Sequence[Assistant]) -> int:
        keys = {key: one for one in stored if (key := source.reference(one.metadata)) is not None}
        usable = await source.usable(list(keys)) if keys else ()
        gone = [one for key, one in keys.items() if key not in usable]
        return sum([await self._store.withdraw(one) for one in gone])

    async def _tell(self, source: AssistantSource, agents: Sequence[SourcedAssistant]) -> None:
        try:
            await source.mirrored(agents)
        except SourceAwayError as error:  # the next listing tells it again
            logger.warning("mirrors not written back", extra={"source": source.name, "reason": error.reason})

    def _result(self, agent: SourcedAssistant) -> SyncResult:
        return SyncResult(assistant_id=agent.assistant_id, action="skipped", synced_at=self._clock())
