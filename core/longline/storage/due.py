"""Wakes who waits for due documents in this process. Other processes find them by looking now and then."""

import asyncio
from collections.abc import Iterable

from longline.models.collections import NewDocument


class DueSignals:
    """A signal for each collection: something with a `due_at` was stored."""

    def __init__(self) -> None:
        self._events: dict[str, asyncio.Event] = {}

    def announce(self, documents: Iterable[NewDocument]) -> None:
        """These were stored. To be called on the event loop, after the commit."""
        for document in documents:
            if document.due_at is not None:
                self._event(document.collection).set()

    def wake_all(self) -> None:
        """Something may have been stored anywhere."""
        for event in self._events.values():
            event.set()

    async def wait(self, collection: str, seconds: float) -> None:
        """Until something was announced since the last wait ended, but no longer than `seconds`."""
        event = self._event(collection)
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return
        event.clear()

    def _event(self, collection: str) -> asyncio.Event:
        return self._events.setdefault(collection, asyncio.Event())
