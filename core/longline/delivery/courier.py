"""Takes calls from an outbox and makes them: at least once, again with pauses, until they are taken or given up."""

import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol
from urllib.parse import urlsplit

from longline.clock import Clock
from longline.delivery.retries import is_delivered, is_passing, retry_seconds
from longline.delivery.sender import Answer
from longline.delivery.settings import DeliverySettings
from longline.delivery.signature import sign
from longline.delivery.taker import Taker
from longline.errors import CallFailedError, StorageError, UrlRefusedError
from longline.models.collections import Document
from longline.models.json import JsonObject
from longline.services.collections import Documents

DELIVERY: Final = "Longline-Delivery"
"""The same for every attempt of one call: a receiver that has seen it may drop the call."""
ATTEMPT: Final = "Longline-Attempt"
"""Counts the attempts from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is to be sent where. Neither part is logged or stored."""

    url: str
    headers: Mapping[str, str]
    """Beside those of every call: content type, delivery, attempt and signature."""
    body: bytes


class Errand(Protocol):
    """What the documents of an outbox ask for."""

    @property
    def noun(self) -> str:
        """What the log calls one."""
        ...

    async def prepare(self, document: Document) -> Call | None:
        """The call; None if there is nobody to tell any more. Raises UrlRefusedError; CallFailedError where it cannot
        be made now, but perhaps later or by another process."""
        ...

    async def send(self, call: Call, headers: Mapping[str, str]) -> Answer:
        """Make it, with all headers. Raises UrlRefusedError, CallFailedError."""
        ...

    def facts(self, document: Document) -> Mapping[str, object]:
        """What the log says about one. No secrets."""
        ...

    def remains(self, document: Document) -> JsonObject:
        """What is kept of one that was given up, beside why."""
        ...


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a call was not taken, in a word or two; whether it may be taken later, and when the receiver wants it."""

    reason: str
    is_passing: bool
    retry_after: str | None = None


class Courier:
    """Delivers until it is cancelled. What it had in hand then is due again: after its lease, or at the next start."""

    def __init__(
        self,
        outbox: Documents,
        errand: Errand,
        settings: DeliverySettings,
        *,
        logger: logging.Logger,
        agent: str,
        clock: Clock,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._outbox = outbox
        self._errand = errand
        self._settings = settings
        self._logger = logger
        self._agent = agent
        self._clock = clock
        self._chance = chance

    async def run(self) -> None:
        """Deliver for ever. Calls that are on their way go on while the storage is away."""
        await Taker(
            self._outbox, self._deliver, noun=self._errand.noun, logger=self._logger,
            work_seconds=self._settings.timeout_seconds, concurrency=self._settings.concurrency,
            poll_seconds=self._settings.poll_seconds,
        ).run()  # fmt: skip

    async def _deliver(self, document: Document) -> None:
        """One attempt, from the call to what is stored of it."""
        failure = await self._attempt(document)
        if failure is None:
            await self._outbox.delete(document.owner, document.key, expected=document.version)
        elif failure.is_passing and document.takes < self._settings.attempts:
            await self._put_off(document, failure)
        else:
            await self._give_up(document, failure)

    async def _attempt(self, document: Document) -> _Failure | None:
        """None if the receiver took it, or nobody is to be told. A call that ends the process each time is not made for
        ever."""
        if document.takes > self._settings.attempts:
            return _Failure("every attempt was cut off", is_passing=False)
        try:
            answer = await self._call(document)
        except StorageError:
            raise
        except UrlRefusedError as error:
            return _Failure(error.reason, is_passing=False)
        except CallFailedError as error:
            return _Failure(error.reason, is_passing=True)
        except Exception as error:
            self._logger.exception("%s not sent", self._errand.noun, extra=self._facts(document))
            return _Failure(type(error).__name__, is_passing=False)
        if answer is None or is_delivered(answer.status):
            return None
        return _Failure(f"status {answer.status}", is_passing(answer.status), answer.retry_after)

    async def _call(self, document: Document) -> Answer | None:
        """What the receiver said; None if nobody is to be told."""
        call = await self._errand.prepare(document)
        if call is None:
            self._logger.debug("%s not wanted any more", self._errand.noun, extra=self._facts(document))
            return None
        answer = await self._errand.send(call, self._headers(document, call))
        if is_delivered(answer.status):
            self._logger.info("%s delivered", self._errand.noun, extra=self._facts(document))
        return answer

    async def _put_off(self, document: Document, failure: _Failure) -> None:
        now = self._clock()
        pause = retry_seconds(self._settings, document.takes, asked=failure.retry_after, now=now, chance=self._chance)
        value = {**document.value, "state": "waiting", "reason": failure.reason}
        due_at = now + timedelta(seconds=pause)
        await self._outbox.put(document.owner, document.key, value, expected=document.version, due_at=due_at)
        facts = {**self._facts(document), "reason": failure.reason, "retry_in_seconds": round(pause, 3)}
        self._logger.debug("%s put off", self._errand.noun, extra=facts)

    async def _give_up(self, document: Document, failure: _Failure) -> None:
        value = {**self._errand.remains(document), "state": "failed", "reason": failure.reason}
        expires_at = self._clock() + timedelta(days=self._settings.keep_failed_days)
        await self._outbox.put(document.owner, document.key, value, expected=document.version, expires_at=expires_at)
        facts = {**self._facts(document), "reason": failure.reason}
        self._logger.error("%s given up", self._errand.noun, extra=facts)

    def _headers(self, document: Document, call: Call) -> Mapping[str, str]:
        secret = self._settings.signing_secret.get_secret_value()
        return {
            "User-Agent": self._agent,
            **call.headers,
            "Content-Type": "application/json",
            DELIVERY: document.key,
            ATTEMPT: str(document.takes),
            **(sign(secret, call.body, self._clock()) if secret else {}),
        }

    def _facts(self, document: Document) -> dict[str, object]:
        return {**self._errand.facts(document), "attempt": document.takes}


def host_of(url: str) -> str:
    """Where a call goes, without what may be a secret in its URL."""
    try:
        return urlsplit(url).hostname or "this server"
    except ValueError:
        return "?"
