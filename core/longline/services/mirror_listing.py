"""Many mirrors at once: all of a source's scope, those that changed, and those that were made outside of the scope."""

import asyncio
import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from longline.clock import Clock
from longline.errors import BrokenAgentError
from longline.models.assistants import Assistant
from longline.services.mirror_answers import Answers, now
from longline.services.mirror_settling import Settler
from longline.services.mirror_store import MirrorStore, Planned
from longline.services.sources import AssistantSource, SourcedAssistant

logger = logging.getLogger(__name__)

_AT_ONCE: Final = 500
"""Agents in one question."""
_BREATH: Final = 20
"""Agents after which others have their turn: most of the work awaits nobody."""


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


class MirrorListings:
    """Looks at many agents at once. One bad agent never stops the others."""

    def __init__(self, *, store: MirrorStore, settler: Settler, answers: Answers, clock: Clock) -> None:
        self._store = store
        self._settler = settler
        self._answers = answers
        self._clock = clock
        self._reports: dict[str, SyncReport] = {}

    def report(self, name: str) -> SyncReport:
        """How the latest listing of a source went in this process."""
        return self._reports.get(name, SyncReport())

    async def list(self, source: AssistantSource) -> SyncCounts:
        """Mirror all agents of the source's scope, compare the mirrors of others, and withdraw those of agents that are
        gone. Raises SourceAwayError, StorageError."""
        asked_at = now()
        listing = await source.list()
        stored = await self._store.all(source)
        counts: Counter[str] = Counter()
        done: list[SourcedAssistant] = []
        faults = {fault.key: fault.reason for fault in listing.faults}
        for number, agent in enumerate(listing.agents):
            await _breathe(number)
            try:
                old = stored.get(agent.assistant_id) or await self._store.find(agent.assistant_id)
                action = await self._settler.settle(source, agent.key, agent, old=old, asked_at=asked_at)
            except BrokenAgentError as error:
                faults[agent.key] = error.reason
            else:
                counts[action or "skipped"] += 1
                done.append(agent)
        self._tell_faults(source, faults)
        await self._settler.tell(source, done)
        listed = {agent.key for agent in listing.agents} | {*faults}
        counts["withdrawn"] = await self._compare_others(source, stored, listed)
        found = SyncCounts(total=len(listing.agents) + len(listing.faults), failed=len(faults), **counts)
        self._reports[source.name] = SyncReport(last_finished_at=self._clock(), counts=found)
        return found

    async def plan(self, source: AssistantSource) -> tuple[Sequence[Planned], Sequence[tuple[str, str]]]:
        """What `list` would do with the agents of the scope, and those that it could not mirror, with the reasons.
        Raises SourceAwayError, StorageError."""
        listing = await source.list()
        stored = await self._store.all(source)
        planned: list[Planned] = []
        faults = [(fault.key, fault.reason) for fault in listing.faults]
        for number, agent in enumerate(listing.agents):
            await _breathe(number)
            try:
                old = stored.get(agent.assistant_id) or await self._store.find(agent.assistant_id)
                planned.append(self._store.plan(source, agent, old))
            except BrokenAgentError as error:
                faults.append((agent.key, error.reason))
        return planned, faults

    async def check_stored(self, source: AssistantSource) -> int:
        """Compare every mirror with its agent, of whatever scope; how many of agents that are gone were withdrawn.
        Raises SourceAwayError, StorageError."""
        return await self._compare_others(source, await self._store.all(source), ())

    async def follow(self, source: AssistantSource, keys: Collection[str]) -> None:
        """Agents changed: mirror those in the scope, and those that were mirrored before; nothing that was answered
        about them is believed any more. Raises SourceAwayError, StorageError."""
        for key in keys:
            self._answers.doubt(source, key)
        for some in _parts(keys):
            stored = {key: found for key in some if (found := await self._store.find(source.id_of(key))) is not None}
            await self._compare(source, some, stored)

    async def _compare_others(
        self, source: AssistantSource, mirrors: Mapping[str, Assistant], listed: Collection[str]
    ) -> int:
        found = ((source.reference(one.metadata), one) for one in mirrors.values())
        others = {key: one for key, one in found if key is not None and key not in listed}
        return sum([await self._compare(source, some, others) for some in _parts(others)])

    async def _compare(self, source: AssistantSource, keys: Sequence[str], stored: Mapping[str, Assistant]) -> int:
        """Ask about these, and make their mirrors as they are; how many were withdrawn."""
        asked_at = now()
        listing = await source.some(keys)
        agents = {agent.key: agent for agent in listing.agents}
        faults = {fault.key: fault.reason for fault in listing.faults}
        done: list[SourcedAssistant] = []
        withdrawn = 0
        for number, key in enumerate(keys):
            await _breathe(number)
            agent, old = agents.get(key), stored.get(key)
            if key in faults or (old is None and not _is_wanted(source, agent)):
                continue
            try:
                action = await self._settler.settle(source, key, agent, old=old, asked_at=asked_at)
            except BrokenAgentError as error:
                faults[key] = error.reason
                continue
            withdrawn += action == "withdrawn"
            if agent is not None:
                done.append(agent)
            if action not in (None, "skipped"):
                logger.info("agent synced", extra={"source": source.name, "agent": key, "action": action})
        self._tell_faults(source, {key: faults[key] for key in faults if key in stored or source.is_listed})
        await self._settler.tell(source, done)
        return withdrawn

    def _tell_faults(self, source: AssistantSource, faults: Mapping[str, str]) -> None:
        for key, reason in faults.items():
            logger.warning("agent not synced", extra={"source": source.name, "agent": key, "reason": reason})


def _is_wanted(source: AssistantSource, agent: SourcedAssistant | None) -> bool:
    return agent is not None and source.is_listed and source.lists(agent)


def _parts(keys: Collection[str]) -> Sequence[Sequence[str]]:
    found = [*dict.fromkeys(keys)]
    return [found[start : start + _AT_ONCE] for start in range(0, len(found), _AT_ONCE)]


async def _breathe(number: int) -> None:
    if number % _BREATH == 0:
        await asyncio.sleep(0)
