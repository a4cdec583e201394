"""Makes one mirror as its agent was answered to be, unless a later answer was here first."""

import asyncio
import logging
from collections.abc import Sequence

from longline.clock import Clock
from longline.errors import BrokenAgentError, LonglineError, SourceAwayError, StorageError
from longline.models.assistants import Assistant
from longline.services.mirror_answers import Answers, SyncResult
from longline.services.mirror_store import MirrorAction, MirrorStore, broken, is_mirror_of
from longline.services.sources import AssistantSource, SourcedAssistant

logger = logging.getLogger(__name__)


class Settler:
    """Stores what is answered, one after the other: answers overtake each other on their way."""

    def __init__(self, *, store: MirrorStore, answers: Answers, clock: Clock) -> None:
        self._store = store
        self._answers = answers
        self._clock = clock
        self._turn = asyncio.Lock()

    async def settle(
        self,
        source: AssistantSource,
        key: str,
        agent: SourcedAssistant | None,
        *,
        old: Assistant | None,
        asked_at: float,
    ) -> MirrorAction | None:
        """Store the agent over `old`, which is its mirror or None, or hide that if there is no agent. None if a later
        answer is known. Raises BrokenAgentError, StorageError."""
        async with self._turn:
            if self._answers.has_newer(source, key, asked_at):
                return None
            if agent is None:
                is_hidden = old is not None and is_mirror_of(source, old) and await self._store.withdraw(old)
                self._answers.keep(source, key, asked_at, None)
                return "withdrawn" if is_hidden else "skipped"
            action = await self._put(source, agent, old)
            result = SyncResult(assistant_id=agent.assistant_id, action=action, synced_at=self._clock())
            self._answers.keep(source, key, asked_at, result)
            return action

    async def tell(self, source: AssistantSource, agents: Sequence[SourcedAssistant]) -> None:
        """Let the source know whose mirrors are stored."""
        if not agents:
            return
        try:
            await source.mirrored(agents)
        except SourceAwayError as error:  # the next listing tells it again
            logger.warning("mirrors not written back", extra={"source": source.name, "reason": error.reason})

    async def _put(self, source: AssistantSource, agent: SourcedAssistant, old: Assistant | None) -> MirrorAction:
        try:
            return await self._store.put(source, agent, old)
        except (BrokenAgentError, StorageError):
            raise
        except LonglineError as error:
            raise broken(source, agent, str(error)) from error
        except Exception as error:  # one that cannot be stored must not keep the others from it
            logger.exception("agent cannot be stored", extra={"source": source.name, "agent": agent.key})
            raise broken(source, agent, "it cannot be stored") from error
