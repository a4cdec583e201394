"""What sources answered a moment ago: nobody asks again so soon, and nothing older is stored over something newer."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from longline.errors import SourceAwayError
from longline.services.mirror_store import MirrorAction
from longline.services.sources import AssistantSource

_MOST_REMEMBERED: Final = 10_000
_AWAY_SECONDS: Final = 5.0
"""How long a source that was away is not asked again by a use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncResult:
    """What became of one agent. `synced_at` is when its source was asked."""

    assistant_id: str
    action: MirrorAction
    synced_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was said of an agent. Times are the event loop's; the result is None if there is none to be used."""

    asked_at: float
    fresh_until: float
    result: SyncResult | None


class Answers:
    """The latest answer about each of the agents that were asked for last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], Answer] = OrderedDict()
        self._away: dict[str, tuple[float, SourceAwayError]] = {}

    def fresh(self, source: AssistantSource, key: str) -> Answer | None:
        """The answer, unless it is too old to be believed."""
        answer = self._kept.get((source.name, key))
        return answer if answer is not None and answer.fresh_until > now() else None

    def has_newer(self, source: AssistantSource, key: str, asked_at: float) -> bool:
        """Whether there is the answer to a later question."""
        answer = self._kept.get((source.name, key))
        return answer is not None and answer.asked_at > asked_at

    def keep(self, source: AssistantSource, key: str, asked_at: float, result: SyncResult | None) -> None:
        """Remember an answer; for who asks again, nothing was done."""
        kept = None if result is None else replace(result, action="skipped")
        fresh_until = now() + source.times.fresh_seconds
        self._kept[source.name, key] = Answer(asked_at=asked_at, fresh_until=fresh_until, result=kept)
        self._limit(source, key)

    def doubt(self, source: AssistantSource, key: str) -> None:
        """Believe no answer to a question that was asked until now."""
        self._kept[source.name, key] = Answer(asked_at=now(), fresh_until=now(), result=None)
        self._limit(source, key)

    def _limit(self, source: AssistantSource, key: str) -> None:
        self._kept.move_to_end((source.name, key))
        while len(self._kept) > _MOST_REMEMBERED:
            self._kept.popitem(last=False)

    def was_away(self, source: AssistantSource, error: SourceAwayError) -> None:
        """The source could not be asked."""
        self._away[source.name] = now() + _AWAY_SECONDS, error

    def require_there(self, source: AssistantSource) -> None:
        """Raises SourceAwayError if it was away a moment ago."""
        until, away = self._away.get(source.name, (0.0, None))
        if away is not None and until > now():
            raise SourceAwayError(away.source, away.reason)


def now() -> float:
    """The event loop's time, in seconds."""
    return asyncio.get_running_loop().time()
