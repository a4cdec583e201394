"""Waiting for a database that is away for a while."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from longline.errors import StorageAwayError

logger = logging.getLogger(__name__)

T = TypeVar("T")

_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 0.5


class Patience:
    """Does work again as long as the database is away. What is told of that is told once, however many wait."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._away_since: float | None = None
        self._back_since = 0.0

    async def until_done(self, work: Callable[[], Awaitable[T]], most_seconds: float | None = None) -> T:
        """What the work returns; it must be such that it may be done twice. Raises what it raises, StorageAwayError
        only once it has been tried for `most_seconds`."""
        begun = time.monotonic()
        pause = _FIRST_PAUSE
        while True:
            tried_at = time.monotonic()
            try:
                result = await work()
            except StorageAwayError as error:
                self._tell_away(error, tried_at)
                if most_seconds is not None and time.monotonic() - begun + pause > most_seconds:
                    raise
            else:
                self._tell_back()
                return result
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _tell_away(self, error: StorageAwayError, tried_at: float) -> None:
        """An attempt that began before the database was back tells nothing new."""
        if self._away_since is None and tried_at >= self._back_since:
            self._away_since = time.monotonic()
            logger.warning("database away, running graphs wait for it", extra={"cause": error.reason})

    def _tell_back(self) -> None:
        if self._away_since is not None:
            seconds = round(time.monotonic() - self._away_since, 3)
            self._away_since, self._back_since = None, time.monotonic()
            logger.warning("database back", extra={"place": self._place, "seconds": seconds})
