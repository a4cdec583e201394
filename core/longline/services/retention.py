"""What is past its time is removed, again and again, as long as the server lives."""

import asyncio
import logging
from datetime import timedelta
from typing import Final

from longline.clock import Clock
from longline.events.herald import Herald
from longline.models.retention import SweepOrder, Swept
from longline.models.threads import ThreadTtl
from longline.settings import ItemsSettings, ThreadsSettings
from longline.storage.retention import Retention

logger = logging.getLogger(__name__)

_INTERVAL_MINUTES: Final = 5.0
_PAUSE_SECONDS: Final = 0.01  # between batches: a sweep is never in a hurry, a run is
_MOST_THREADS: Final = 100


class RetentionService:
    """Threads, kept streams and items are swept. Access rules are not asked: nobody asked for this but the clock."""

    def __init__(
        self, *, store: Retention, herald: Herald, threads: ThreadsSettings, items: ItemsSettings, clock: Clock
    ) -> None:
        self._store = store
        self._herald = herald
        self._clock = clock
        self._stream_ttl = threads.stream_ttl_minutes
        self._most_threads = (threads.ttl.sweep_limit if threads.ttl is not None else None) or _MOST_THREADS
        asked = [ttl.sweep_interval_minutes for ttl in (threads.ttl, items.ttl) if ttl is not None]
        self._interval_minutes = min((minutes for minutes in asked if minutes is not None), default=_INTERVAL_MINUTES)

    async def run(self) -> None:
        """Sweep now and at every interval. Raises StorageError."""
        while True:
            await self.sweep()
            await asyncio.sleep(self._interval_minutes * 60)

    async def sweep(self) -> Swept:
        """Remove all that is due, batch by batch, and then every trace of it; who follows a thread that goes is told.
        Raises StorageError."""
        total = Swept()
        while True:
            swept = await self._store.sweep(self._order())
            for thread_id in swept.gone:
                self._herald.close_gone(thread_id, ())
            total += swept
            if swept.is_done:
                break
            await asyncio.sleep(_PAUSE_SECONDS)
        await self._store.scrub()
        if total.threads_deleted or total.threads_pruned or total.rows or total.items:
            logger.info(
                "swept",
                extra={
                    "threads_deleted": total.threads_deleted,
                    "threads_pruned": total.threads_pruned,
                    "items": total.items,
                },
            )
        return total

    def _order(self) -> SweepOrder:
        at = self._clock()
        before = at - timedelta(minutes=self._stream_ttl) if self._stream_ttl is not None else None
        return SweepOrder(at=at, streams_before=before, most_threads=self._most_threads)


def default_ttl(settings: ThreadsSettings) -> ThreadTtl | None:
    """How long a new thread stays when nobody says; None: it stays."""
    ttl = settings.ttl
    if ttl is None or ttl.default_ttl is None:
        return None
    return ThreadTtl(minutes=ttl.default_ttl, strategy=ttl.strategy)
