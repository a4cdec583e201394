"""The broker: short signals between the processes of one deployment. Events themselves travel through the log."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol


class Subscription(Protocol):
    """Signals on one topic since the subscription began, in the order they were published."""

    async def receive(self) -> str | None:
        """The next signal, or None where signals may have been lost: the reader must look for itself."""
        ...


class Broker(Protocol):
    """Publish and subscribe. Delivery is at most once: a reader that must not miss anything reads storage as well."""

    @property
    def spans_processes(self) -> bool:
        """Whether a signal reaches subscribers in other processes."""
        ...

    async def publish(self, topic: str, signal: str) -> None:
        """Send to all subscribers of the topic. A signal is at most 7 000 bytes of UTF-8, a topic 60 characters of
        `a-z0-9:_-`."""
        ...

    def subscribe(self, topic: str) -> AbstractAsyncContextManager[Subscription]:
        """Receive from the moment the context is entered."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerBackend:
    """A kind of broker, by URL scheme."""

    schemes: tuple[str, ...]
    connect: Callable[[str], AbstractAsyncContextManager[Broker]]


_BACKLOG = 1_000  # signals a subscriber may be behind before it is told to look for itself


class _MemorySubscription:
    def __init__(self) -> None:
        self._signals: asyncio.Queue[str] = asyncio.Queue(_BACKLOG)
        self._lost = False

    def put(self, signal: str) -> None:
        try:
            self._signals.put_nowait(signal)
        except asyncio.QueueFull:
            self._lost = True

    async def receive(self) -> str | None:
        if self._lost:
            self._lost = False
            while not self._signals.empty():
                self._signals.get_nowait()
            return None
        return await self._signals.get()


class MemoryBroker:
    """The broker of a single process: no I/O, order kept."""

    spans_processes = False

    def __init__(self) -> None:
        self._subscriptions: dict[str, set[_MemorySubscription]] = {}

    async def publish(self, topic: str, signal: str) -> None:
        """See Broker."""
        for subscription in tuple(self._subscriptions.get(topic, ())):
            subscription.put(signal)

    @asynccontextmanager
    async def subscribe(self, topic: str) -> AsyncIterator[Subscription]:
        """See Broker."""
        subscription = _MemorySubscription()
        self._subscriptions.setdefault(topic, set()).add(subscription)
        try:
            yield subscription
        finally:
            remaining = self._subscriptions[topic]
            remaining.discard(subscription)
            if not remaining:
                del self._subscriptions[topic]


@asynccontextmanager
async def connect_memory(url: str) -> AsyncIterator[Broker]:  # noqa: ARG001  # the protocol passes a URL
    """The in-process broker as a backend."""
    yield MemoryBroker()
