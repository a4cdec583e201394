"""Who listens to which topic in this process, and what each has not heard yet."""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_BACKLOG: Final = 1_000  # signals a subscriber may be behind before it is told to look for itself


class PostgresSubscription:
    """See Subscription. At most a thousand signals wait: then they are dropped, and the reader looks for itself."""

    def __init__(self) -> None:
        self._signals: deque[str | None] = deque()
        self._ready = asyncio.Event()

    def put(self, signal: str) -> None:
        """A signal arrived."""
        if len(self._signals) >= _BACKLOG:
            self._signals.clear()
            self.lose()
            return
        self._signals.append(signal)
        self._ready.set()

    def lose(self) -> None:
        """Signals may have been lost from here on."""
        if not self._signals or self._signals[-1] is not None:
            self._signals.append(None)
        self._ready.set()

    async def receive(self) -> str | None:
        """See Subscription."""
        while not self._signals:
            self._ready.clear()
            await self._ready.wait()
        return self._signals.popleft()


class Subscriptions:
    """All subscriptions of this process, by topic."""

    def __init__(self) -> None:
        self._of: dict[str, set[PostgresSubscription]] = {}

    @contextmanager
    def open(self, topic: str) -> Iterator[PostgresSubscription]:
        """A subscription for as long as the context lasts."""
        subscription = PostgresSubscription()
        self._of.setdefault(topic, set()).add(subscription)
        try:
            yield subscription
        finally:
            self._of[topic].discard(subscription)
            if not self._of[topic]:
                del self._of[topic]

    def put(self, topic: str, signal: str) -> None:
        """Give a signal to all who listen to its topic."""
        for subscription in self._of.get(topic, ()):
            subscription.put(signal)

    def lose(self) -> None:
        """Tell everybody to look for themselves."""
        for subscriptions in self._of.values():
            for subscription in subscriptions:
                subscription.lose()
