"""From the news of a task to the calls that tell it: one for each config that the task has."""

import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from longline.auth.principal import Principal
from longline.auth.secrets import Vault
from longline.clock import Clock
from longline.errors import VersionConflictError
from longline.models.collections import Document
from longline.models.runs import RunStatus
from longline.services.collections import Documents
from longline_protocol_a2a.names import TaskId
from longline_protocol_a2a.push_outbox import OWNER
from longline_protocol_a2a.push_settings import PushSettings
from longline_protocol_a2a.push_store import KeptConfig, KeptConfigs, keeper_of

logger = logging.getLogger(__name__)

NOUN: Final = "push ending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """A task has news: a run of it ended. `chain_id` is its first run. News that are only expected are none if the run
    is found to be in another state."""

    chain_id: str
    run_id: str
    thread_id: str
    assistant_id: str
    status: RunStatus
    verdict: str | None
    ended_at: datetime
    is_expected: bool = False

    @property
    def task_id(self) -> str:
        """The task's id."""
        return str(TaskId(self.thread_id, self.chain_id))


class News(Protocol):
    """A task as it is told."""

    @property
    def is_over(self) -> bool:
        """Whether it will never have other news."""
        ...

    def body(self, version: str) -> str:
        """The body of a call, in a version of the protocol."""
        ...


ReadNews = Callable[[Principal, Ending], Awaitable[News | None]]
"""Reads a task as a principal; None where there is nothing to tell them: they may not see it any more."""


class PushEndings:
    """Stores a call for each config of a task that has news, then forgets the news. What was cut off is done again: a
    call has the same key then."""

    def __init__(
        self,
        *,
        endings: Documents,
        calls: Documents,
        configs: KeptConfigs,
        read: ReadNews,
        settings: PushSettings,
        vault: Vault,
        clock: Clock,
    ) -> None:
        self._endings = endings
        self._calls = calls
        self._configs = configs
        self._read = read
        self._settings = settings
        self._vault = vault
        self._clock = clock

    async def tell(self, document: Document) -> None:
        """Do what a document asks for. Raises StorageError, and whatever reading a task may raise."""
        if document.takes > self._settings.attempts:
            logger.error("push ending given up", extra={"run_id": document.key})
        else:
            await self._tell(ending_of(document))
        await self._endings.delete(OWNER, document.key, expected=document.version)

    async def _tell(self, ending: Ending) -> None:
        configs = await self._configs.find(ending.chain_id)
        is_over = False
        for identity in dict.fromkeys(config.identity for config in configs):
            own = [config for config in configs if config.identity == identity]
            news = await self._read(keeper_of(own[-1], self._vault), ending)
            if news is not None:
                await self._store(ending, own, news)
                is_over = is_over or news.is_over
        if configs:
            days = self._settings.keep_ended_days if is_over else self._settings.keep_days
            await self._configs.change(ending.chain_id, lambda found: found, keep_days=days)

    async def _store(self, ending: Ending, configs: Sequence[KeptConfig], news: News) -> None:
        for config in configs:
            value = {
                "state": "waiting",
                "chain_id": ending.chain_id,
                "run_id": ending.run_id,
                "identity": config.identity,
                "config_id": config.config_id,
                "host": config.host,
                "payload": news.body(config.version),
            }
            try:
                await self._calls.put(OWNER, call_key(ending, config), {**value}, expected=0, due_at=self._clock())
            except VersionConflictError:
                continue  # it was stored before this was cut off


def ending_of(document: Document) -> Ending:
    """What a document says."""
    value = document.value
    verdict = value["verdict"]
    return Ending(
        chain_id=str(value["chain_id"]),
        run_id=str(value["run_id"]),
        thread_id=str(value["thread_id"]),
        assistant_id=str(value["assistant_id"]),
        status=RunStatus(str(value["status"])),
        verdict=verdict if isinstance(verdict, str) else None,
        ended_at=datetime.fromisoformat(str(value["ended_at"])),
        is_expected=value.get("is_expected") is True,
    )


def call_key(ending: Ending, config: KeptConfig) -> str:
    """The same whenever this config is told of this ending."""
    told = (*config.name, ending.status.value, ending.verdict)
    digest = hashlib.sha256(repr(told).encode()).hexdigest()
    return f"{ending.run_id}.{digest[:16]}"
