"""Answers that are kept for a while. Many who ask for the same at once wait for one answer."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

V = TypeVar("V")

_MOST: Final = 10_000


class Remembered(Generic[V]):
    """Keeps answers for `seconds`, at most so many; those that were asked for longest ago go first. Failures are not
    kept."""

    def __init__(self, seconds: float, *, most: int = _MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._most = most
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, V]] = OrderedDict()
        self._flights: dict[str, asyncio.Task[V]] = {}

    async def get(self, key: str, load: Callable[[], Awaitable[V]]) -> V:
        """What is kept under the key, else what `load` answers. Raises what that raises."""
        kept = self._kept.get(key)
        if kept is not None and self._clock() - kept[0] < self._seconds:
            self._kept.move_to_end(key)
            return kept[1]
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.create_task(self._load(key, load), name="remembered")
            flight.add_done_callback(_noticed)
        return await asyncio.shield(flight)

    def last(self, key: str, seconds: float) -> V | None:
        """What is kept and at most so much older than it should be."""
        kept = self._kept.get(key)
        return kept[1] if kept is not None and self._clock() - kept[0] < self._seconds + seconds else None

    async def close(self) -> None:
        """Ask for nothing any more."""
        flights = set(self._flights.values())
        for flight in flights:
            flight.cancel()
        if flights:
            await asyncio.wait(flights)

    async def _load(self, key: str, load: Callable[[], Awaitable[V]]) -> V:
        asked_at = self._clock()
        try:
            found = await load()
        finally:
            del self._flights[key]
        self._kept[key] = (asked_at, found)
        self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return found


def _noticed(flight: "asyncio.Task[V]") -> None:
    """Nobody may be left who hears of a failure."""
    if not flight.cancelled():
        flight.exception()
