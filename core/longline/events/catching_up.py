"""Reads what runs elsewhere said, and tells it to the readers here: what happens on one thread in its order."""

import asyncio
from collections.abc import Callable, MutableMapping, Sequence
from typing import Final
from weakref import WeakValueDictionary

from longline.events.followed import Followed
from longline.events.herald import Herald
from longline.events.hub import EventHub, RunEnd
from longline.models.events import BEGINNING, RunEvent
from longline.storage.relay import RelayedEnd, RelayStore

_PAGE: Final = 500
_AT_ONCE: Final = 8


class CatchingUp:
    """Brings readers here up to what is stored of the runs that are followed. `runs` are all of these, by id; a run
    whose end was told is followed no more; `see_turn` hears which turn of its thread that was.

    A reader of a thread drops what comes after something later. So the runs of a thread are read one at a time, and
    before something of a turn is told, everything of the turns before it is.
    """

    def __init__(
        self,
        *,
        store: RelayStore,
        hub: EventHub,
        herald: Herald,
        runs: dict[str, Followed],
        see_turn: Callable[[str, int], None],
    ) -> None:
        self._store = store
        self._hub = hub
        self._herald = herald
        self._runs = runs
        self._see_turn = see_turn
        self._locks: MutableMapping[str, asyncio.Lock] = WeakValueDictionary()
        self._at_once = asyncio.Semaphore(_AT_ONCE)

    def order(self, thread_id: str) -> asyncio.Lock:
        """Who holds this is the only one that tells what happened on the thread elsewhere."""
        return self._locks.setdefault(thread_id, asyncio.Lock())

    async def of_run(self, followed: Followed) -> None:
        """Tell what is new of a run, as often as there is something new. Raises StorageError."""
        try:
            while followed.is_stale and not self._herald.is_mine(followed.run_id):
                followed.is_stale = False
                wants_end, followed.wants_end = followed.wants_end, False
                async with self.order(followed.thread_id), self._at_once:
                    if self._runs.get(followed.run_id) is not followed:
                        return
                    if await self._is_over(followed, wants_end=wants_end):
                        return
        finally:
            followed.looking = None

    async def of_thread(self, thread_id: str, *, before: int) -> None:
        """Tell what is stored of the turns of a thread before one, and how they ended. Only for who holds its `order`.
        Raises StorageError."""
        others = [followed for followed in self._runs.values() if self._is_elsewhere(followed, thread_id)]
        ends = await self._store.ends([followed.run_id for followed in others]) if others else {}

        def place(followed: Followed) -> tuple[bool, int]:
            end = ends.get(followed.run_id)
            return (end is None, 0 if end is None else end.ending.turn)

        for followed in sorted(others, key=place):
            end = ends.get(followed.run_id)
            if end is not None and 0 < end.ending.turn < before:
                await self._read(followed, before=before)
                self._tell_end(followed, end)
            elif end is None and (followed.after > BEGINNING or followed.is_stale):
                await self._read(followed, before=before)

    def _is_elsewhere(self, followed: Followed, thread_id: str) -> bool:
        return (
            followed.thread_id == thread_id and not followed.is_expected and not self._herald.is_mine(followed.run_id)
        )

    async def _is_over(self, followed: Followed, *, wants_end: bool) -> bool:
        is_expected = followed.is_expected
        ends = (await self._store.ends([followed.run_id])) if wants_end else {}
        await self._read(followed)  # what was said before the end is all there now
        if followed.run_id not in ends or (is_expected and ends[followed.run_id] is None):
            return False
        end = ends[followed.run_id]
        if end is not None and end.ending.turn > followed.turn:
            await self.of_thread(followed.thread_id, before=end.ending.turn)
        self._tell_end(followed, end)
        return True

    async def _read(self, followed: Followed, *, before: int | None = None) -> None:
        """Tell what is new of a run; with `before` only what is of earlier turns."""
        while page := await self._store.read(followed.run_id, after=followed.after, limit=_PAGE):
            if before is None and page[-1].turn > followed.turn:
                await self.of_thread(followed.thread_id, before=page[0].turn)
                followed.turn = page[-1].turn
            wanted = [event for event in page if before is None or event.turn < before]
            self._tell(followed, wanted)
            if len(wanted) < len(page):
                return

    def _tell(self, followed: Followed, events: Sequence[RunEvent]) -> None:
        count = sum(event.event_id <= followed.joined_after for event in events)
        for run_id, part in (("", events[:count]), (followed.run_id, events[count:])):
            if part:
                self._hub.publish(run_id, part, thread_id=followed.thread_id, is_kept=followed.is_kept)
                followed.after = part[-1].event_id

    def _tell_end(self, followed: Followed, end: RelayedEnd | None) -> None:
        self._runs.pop(followed.run_id, None)
        if end is None:
            self._hub.close(followed.run_id, RunEnd(status=None))
            return
        self._see_turn(followed.thread_id, end.ending.turn)
        told = RunEnd(status=end.ending.status, result=end.result, failure=end.ending.failure)
        self._hub.tell_end(followed.thread_id, told, end.ending, is_kept=end.is_kept)
