"""The keys that are known now: fetched once for all who need them, kept, and fetched again when a new one appears."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from longline.errors import IdentityAwayError
from longline_auth_supabase.errors import BadAnswerError, TokenRefusedError
from longline_auth_supabase.keys import parse_keys

if TYPE_CHECKING:
    import jwt

logger = logging.getLogger(__name__)

_AWAY_SECONDS: Final = 1.0
"""For which everybody is told at once what the last attempt to get any keys was told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTimes:
    """Seconds: how long keys are kept, how long beyond that while they cannot be fetched, and how long after a look for
    an unknown key, or a failure, there is no other."""

    kept: float
    grace: float
    cooldown: float


class KeySet:
    """Finds keys by id. `fetch` gives the document that lists them, or raises IdentityAwayError."""

    def __init__(
        self,
        fetch: Callable[[], Awaitable[bytes]],
        times: KeyTimes,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._times = times
        self._clock = clock
        self.version = 0
        """Another one with each change of the keys."""
        self._document = b""
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at: float | None = None
        self._tried_at = self._looked_at = float("-inf")
        self._fault: IdentityAwayError | None = None
        self._flight: asyncio.Task[None] | None = None

    async def find(self, key_id: str) -> "jwt.PyJWK":
        """The key. Raises TokenRefusedError if the Auth server does not know it, IdentityAwayError if that cannot be
        told now."""
        await self._renew()
        found = self._keys.get(key_id)
        if found is None and (self._flight is not None or self._may_look()):
            found = await self._look(key_id)
        if found is None and self._fault is not None:
            raise self._fault.with_traceback(None)  # it is raised again and again
        if found is None:
            raise TokenRefusedError("key")
        return found

    async def prepare(self) -> None:
        """Fetch the keys before they are needed. A server that is away is no reason to fail."""
        await self._fetched()

    async def close(self) -> None:
        """Fetch nothing any more."""
        if self._flight is not None:
            self._flight.cancel()
            await asyncio.wait({self._flight})

    async def _look(self, key_id: str) -> "jwt.PyJWK | None":
        if self._flight is None:
            self._looked_at = self._clock()
        await self._fetched()
        return self._keys.get(key_id)

    def _may_look(self) -> bool:
        return self._clock() - self._looked_at >= self._times.cooldown

    async def _renew(self) -> None:
        """Fetch keys that are too old. Where that failed before, nobody waits for the next attempt as long as the last
        keys may be used. Raises IdentityAwayError."""
        age = self._age()
        if age < self._times.kept:
            return
        since = self._clock() - self._tried_at
        if age < self._times.kept + self._times.grace:
            if self._fault is None:
                await self._fetched()
            elif since >= self._times.cooldown:
                self._take_off()
            return
        if self._flight is not None or self._fault is None or since >= _AWAY_SECONDS:
            await self._fetched()
        if self._fault is not None:
            raise self._fault.with_traceback(None)

    def _age(self) -> float:
        return float("inf") if self._fetched_at is None else self._clock() - self._fetched_at

    async def _fetched(self) -> None:
        """One fetch for all who wait. It does not raise: the fault is kept."""
        await asyncio.shield(self._take_off())

    def _take_off(self) -> "asyncio.Task[None]":
        if self._flight is None:
            self._flight = asyncio.create_task(self._fly(), name="signing keys")
        return self._flight

    async def _fly(self) -> None:
        self._tried_at = self._clock()
        try:
            document = await self._fetch()
            keys = parse_keys(document)
        except IdentityAwayError as error:
            self._fail(error)
        except ValueError:
            self._fail(BadAnswerError("what lists the signing keys", "no such list"))
        else:
            if document != self._document or self._fault is not None:
                logger.info("signing keys fetched", extra={"key_ids": sorted(keys)})
                self.version += 1
            self._document, self._keys = document, keys
            self._fetched_at, self._fault = self._clock(), None
        finally:
            self._flight = None

    def _fail(self, error: IdentityAwayError) -> None:
        if self._fault is None:
            facts = {"reason": error.reason, "keys": len(self._keys), "used_for_seconds": self._left()}
            logger.warning("signing keys not fetched", extra=facts)
        self._fault = error

    def _left(self) -> int:
        """Seconds for which the keys may still be used."""
        return max(0, round(self._times.kept + self._times.grace - self._age())) if self._keys else 0
