"""Keeps the mirrors of one source as its agents are, for as long as the server runs."""

import asyncio
import logging
import random
from dataclasses import asdict
from typing import Final

from longline.errors import SourceAwayError, StorageError
from longline.services.mirror_listing import MirrorListings
from longline.services.sources import AssistantSource
from longline.tasks import BackgroundTask

logger = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 30.0


class MirrorKeeper:
    """Lists a source at the start and from time to time, and follows its changes. The source is open."""

    def __init__(self, listings: MirrorListings, source: AssistantSource) -> None:
        self._listings = listings
        self._source = source
        self._first: asyncio.Task[bool] | None = None

    async def start(self) -> None:
        """The first listing; it goes on in the background when it takes longer than a start may."""
        if not self._source.is_listed:
            return
        self._first = asyncio.create_task(self._look(), name=f"first listing of {self._source.name}")
        seconds = self._source.times.start_seconds
        done, _ = await asyncio.wait({self._first}, timeout=seconds)
        if not done:
            logger.warning("agent sync goes on behind the start", extra=self._said(start_seconds=seconds))

    def tasks(self) -> list[BackgroundTask]:
        """What runs beside the server."""
        name = self._source.name
        return [
            BackgroundTask(name=f"reconcile {name}", run=self.reconcile),
            BackgroundTask(name=f"follow {name}", run=self.follow),
        ]

    async def stop(self) -> None:
        """End a first listing that still goes on."""
        if self._first is not None:
            self._first.cancel()
            await asyncio.wait({self._first})

    async def reconcile(self) -> None:
        """Look at everything again and again: soon after a listing that failed, else at the source's pace."""
        pause, has_failed = _FIRST_PAUSE_SECONDS, self._first is not None and not await asyncio.shield(self._first)
        while True:
            usual = self._source.times.reconcile_seconds * random.uniform(0.9, 1.1)  # noqa: S311  # servers take turns
            await asyncio.sleep(min(pause, usual) if has_failed else usual)
            has_failed = not await self._look()
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS) if has_failed else _FIRST_PAUSE_SECONDS

    async def follow(self) -> None:
        """Mirror what changes, as the source tells it."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                async for keys in self._source.changes():
                    await self._listings.follow(self._source, keys)
                    pause = _FIRST_PAUSE_SECONDS
            except (SourceAwayError, StorageError) as error:
                logger.warning("changes of agents not heard", extra=self._said(reason=error.reason, again_in=pause))
            else:
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _look(self) -> bool:
        """Whether the source could be asked."""
        try:
            if self._source.is_listed:
                counts = await self._listings.list(self._source)
                logger.info("agent sync finished", extra=self._said(counts=asdict(counts)))
            else:
                await self._listings.check_stored(self._source)
        except (SourceAwayError, StorageError) as error:
            logger.warning("agent sync not possible", extra=self._said(reason=error.reason))
            return False
        except Exception:  # the next one may do better
            logger.exception("agent sync failed", extra=self._said())
            return False
        return True

    def _said(self, **more: object) -> dict[str, object]:
        return {"source": self._source.name, **more}
