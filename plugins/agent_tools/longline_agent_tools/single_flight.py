"""Many ask for the same at the same time: it is done once, for all of them."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from contextvars import Context
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Flight(Generic[T]):
    task: "asyncio.Task[T]"
    waiting: int = 0


class SingleFlight(Generic[T]):
    """Work by key. It goes on as long as somebody waits for it, and in nobody's context: it is not one run's."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight[T]] = {}

    async def do(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """What the work under this key, begun now or by somebody before, returns or raises."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.create_task(_awaited(work), context=Context()))
            flight.task.add_done_callback(lambda task: self._land(key, task))
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                self._land(key, flight.task)
                flight.task.cancel()

    def _land(self, key: Hashable, task: "asyncio.Task[T]") -> None:
        """Whoever comes now begins anew."""
        flight = self._flights.get(key)
        if flight is not None and flight.task is task:
            del self._flights[key]


async def _awaited(work: Callable[[], Awaitable[T]]) -> T:
    return await work()
