"""Takes what is due from the outbox and delivers it: at least once, each in its own time, a few at once."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from longline.clock import Clock
from longline.errors import StorageError, UrlRefusedError, VersionConflictError
from longline.models.collections import Document
from longline.services.collections import Documents
from longline_webhooks.errors import CallFailedError
from longline_webhooks.outbox import OWNER
from longline_webhooks.payload import finish_payload
from longline_webhooks.retries import is_delivered, is_passing, retry_seconds
from longline_webhooks.sender import Sender
from longline_webhooks.settings import WebhookSettings
from longline_webhooks.signature import sign

logger = logging.getLogger(__name__)

DELIVERY: Final = "Longline-Delivery"
"""The same for every attempt of one webhook: a receiver that has seen it may drop the call."""
ATTEMPT: Final = "Longline-Attempt"
"""Counts the attempts from 1."""
_LEASE_MARGIN_SECONDS: Final = 20.0


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
        deliveries: Documents,
        sender: Callable[[str], Awaitable[Sender]],
        settings: WebhookSettings,
        *,
        agent: str,
        clock: Clock,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._deliveries = deliveries
        self._sender = sender
        self._settings = settings
        self._clock = clock
        self._chance = chance
        self._agent = agent
        self._room = asyncio.Semaphore(settings.concurrency)

    async def run(self) -> None:
        """Deliver for ever. Calls that are on their way go on while the storage is away."""
        is_away = False
        async with asyncio.TaskGroup() as calls:
            while True:
                await self._room.acquire()
                taken = None
                try:
                    taken = await self._take_one()
                    is_away = False
                except StorageError as error:
                    if not is_away:
                        logger.error("webhooks not readable", extra={"reason": error.reason})  # noqa: TRY400  # the storage's fault, said once
                    is_away = True
                    await asyncio.sleep(self._settings.poll_seconds)
                if taken is None:
                    self._room.release()
                else:
                    calls.create_task(self._deliver(taken), name=f"webhook-{taken.key}")

    async def _take_one(self) -> Document | None:
        """What is due; None after a wait for it."""
        lease_seconds = self._settings.timeout_seconds + _LEASE_MARGIN_SECONDS
        taken = await self._deliveries.take_due(lease_seconds=lease_seconds, limit=1)
        if not taken:
            await self._deliveries.wait_due(self._settings.poll_seconds)
        return taken[0] if taken else None

    async def _deliver(self, document: Document) -> None:
        """One attempt, from the call to what is stored of it. Fails for nothing: what is not stored is due again."""
        try:
            failure = await self._attempt(document)
            if failure is None:
                await self._deliveries.delete(OWNER, document.key, expected=document.version)
                logger.info("webhook delivered", extra=self._facts(document))
            elif failure.is_passing and document.takes < self._settings.attempts:
                await self._put_off(document, failure)
            else:
                await self._give_up(document, failure)
        except VersionConflictError:
            logger.warning("webhook delivered twice", extra=self._facts(document))
        except StorageError as error:
            logger.error("webhook state not stored", extra={**self._facts(document), "reason": error.reason})  # noqa: TRY400  # the storage's fault
        except Exception:  # one that nobody thought of must not take the others with it
            logger.exception("webhook not handled", extra=self._facts(document))
        finally:
            self._room.release()

    async def _attempt(self, document: Document) -> _Failure | None:
        """None if the receiver took it. A call that ends the process each time is not made for ever."""
        if document.takes > self._settings.attempts:
            return _Failure("every attempt was cut off", is_passing=False)
        return await self._call(document)

    async def _call(self, document: Document) -> _Failure | None:
        """None if the receiver took it."""
        try:
            url = str(document.value["url"])
            body = finish_payload(str(document.value["payload"]), self._clock())
            sender = await self._sender(url)
            answer = await sender.post(url, self._headers(document, body), body)
        except UrlRefusedError as error:
            return _Failure(error.reason, is_passing=False)
        except CallFailedError as error:
            return _Failure(error.reason, is_passing=True)
        except Exception as error:
            logger.exception("webhook not sent", extra=self._facts(document))
            return _Failure(type(error).__name__, is_passing=False)
        if is_delivered(answer.status):
            return None
        return _Failure(f"status {answer.status}", is_passing(answer.status), answer.retry_after)

    async def _put_off(self, document: Document, failure: _Failure) -> None:
        now = self._clock()
        pause = retry_seconds(self._settings, document.takes, asked=failure.retry_after, now=now, chance=self._chance)
        value = {**document.value, "state": "waiting", "reason": failure.reason}
        due_at = now + timedelta(seconds=pause)
        await self._deliveries.put(OWNER, document.key, value, expected=document.version, due_at=due_at)
        facts = {**self._facts(document), "reason": failure.reason, "retry_in_seconds": round(pause, 3)}
        logger.debug("webhook put off", extra=facts)

    async def _give_up(self, document: Document, failure: _Failure) -> None:
        kept = {key: value for key, value in document.value.items() if key in ("run_id", "thread_id")}
        value = {**kept, "state": "failed", "reason": failure.reason, "host": _host(document)}
        expires_at = self._clock() + timedelta(days=self._settings.keep_failed_days)
        await self._deliveries.put(OWNER, document.key, value, expected=document.version, expires_at=expires_at)
        logger.error("webhook given up", extra={**self._facts(document), "reason": failure.reason})

    def _headers(self, document: Document, body: bytes) -> Mapping[str, str]:
        secret = self._settings.signing_secret.get_secret_value()
        return {
            "User-Agent": self._agent,
            **{name: value.get_secret_value() for name, value in self._settings.headers.items()},
            "Content-Type": "application/json",
            DELIVERY: document.key,
            ATTEMPT: str(document.takes),
            **(sign(secret, body, self._clock()) if secret else {}),
        }

    def _facts(self, document: Document) -> dict[str, object]:
        return {"run_id": document.key, "host": _host(document), "attempt": document.takes}


def _host(document: Document) -> str:
    """Where a webhook goes, without what may be a secret in its URL."""
    try:
        return urlsplit(str(document.value.get("url", ""))).hostname or "this server"
    except ValueError:
        return "?"
