"""One writer per process: what all runs of this process say is stored in batches, and goes live once it is stored."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from longline.errors import LeaseLostError, LonglineError, StorageError
from longline.models.events import EventBatch, RunEvent
from longline.models.runs import Lease

logger = logging.getLogger(__name__)

_MAX_WAITING_EVENTS = 10_000
_RETRY_SECONDS = 0.2


class EventSink(Protocol):
    """Where events are stored: EventLog, or RelayStore."""

    async def append(self, batches: Sequence[EventBatch]) -> frozenset[str]:
        """See EventLog."""
        ...


class Publisher(Protocol):
    """Who is told of what is stored."""

    def publish(self, run_id: str, events: Sequence[RunEvent], *, thread_id: str = "", is_kept: bool = False) -> None:
        """See EventHub."""
        ...


class EventWriter:
    """Collects events while one batch is being stored; the next batch holds all of them, whichever run they are of.

    Without load an event is stored at once; under load batches grow by themselves, so there is no timer. While the
    storage is away the events wait here, and so do the runs once `_MAX_WAITING_EVENTS` have gathered.
    """

    def __init__(self, log: EventSink, publisher: Publisher) -> None:
        self._log = log
        self._publisher = publisher
        self._waiting: dict[tuple[str, int], tuple[Lease, list[RunEvent]]] = {}
        self._count = 0
        self._open: set[tuple[str, int]] = set()
        self._lost: dict[tuple[str, int], LonglineError] = {}
        self._storing = asyncio.Lock()
        self._stored = asyncio.Condition()
        self._work = asyncio.Event()
        self._in_flight: set[tuple[str, int]] = set()

    async def put(self, lease: Lease, events: Sequence[RunEvent]) -> None:
        """Hand over events of one attempt, in order. Waits while too many are unstored. Raises LeaseLostError, and
        StorageError if earlier ones could not be stored for a reason that does not pass."""
        key = (lease.run_id, lease.attempt)
        if key in self._lost:
            raise self._lost[key]
        self._open.add(key)
        self._waiting.setdefault(key, (lease, []))[1].extend(events)
        self._count += len(events)
        self._work.set()
        if self._count > _MAX_WAITING_EVENTS:
            async with self._stored:
                await self._stored.wait_for(lambda: self._count <= _MAX_WAITING_EVENTS)

    async def flush(self, lease: Lease) -> None:
        """Wait until all events of this attempt are stored. Raises LeaseLostError or StorageError, as `put`."""
        key = (lease.run_id, lease.attempt)
        async with self._stored:
            await self._stored.wait_for(lambda: key not in self._waiting and key not in self._in_flight)
        if key in self._lost:
            raise self._lost[key]

    def forget(self, lease: Lease) -> None:
        """The attempt is over."""
        key = (lease.run_id, lease.attempt)
        self._open.discard(key)
        self._lost.pop(key, None)

    async def run(self) -> None:
        """Store batches until cancelled. What waits at that moment is stored first by `drain`."""
        while True:
            await self._work.wait()
            self._work.clear()
            await self.drain()

    async def drain(self) -> None:
        """Store all that waits, and wait for what is being stored."""
        async with self._storing:
            await self._store_waiting()

    async def _store_waiting(self) -> None:
        while self._waiting:
            taken, self._waiting = self._waiting, {}
            self._in_flight = set(taken)
            try:
                await self._store(taken)
            except Exception:  # the writer must outlive a batch: all other runs wait for it
                logger.exception("events lost", extra={"run_ids": [run_id for run_id, _ in taken]})
                self._lose(taken, lambda _: StorageError("events could not be stored"))
            finally:
                self._in_flight = set()
                self._count -= sum(len(events) for _, events in taken.values())
                async with self._stored:
                    self._stored.notify_all()

    async def _store(self, taken: dict[tuple[str, int], tuple[Lease, list[RunEvent]]]) -> None:
        newest = dict(sorted(taken))  # of two attempts of a run the earlier one has lost its lease
        batches = [
            EventBatch(lease=lease, events=tuple(events))
            for (run_id, attempt), (lease, events) in taken.items()
            if newest[run_id] == attempt
        ]
        lost = await self._append(batches)
        self._lose(
            (key for key in taken if key[0] in lost or newest[key[0]] != key[1]), lambda key: LeaseLostError(*key)
        )
        for batch in batches:
            if batch.lease.run_id not in lost:
                lease = batch.lease
                self._publisher.publish(lease.run_id, batch.events, thread_id=lease.thread_id, is_kept=True)

    def _lose(self, keys: Iterable[tuple[str, int]], error: Callable[[tuple[str, int]], LonglineError]) -> None:
        self._lost |= {key: error(key) for key in keys if key in self._open}

    async def _append(self, batches: Sequence[EventBatch]) -> frozenset[str]:
        is_logged = False
        while True:
            try:
                return await self._log.append(batches)
            except StorageError as error:
                if not is_logged:
                    logger.error("events not stored", extra={"reason": error.reason, "retry_seconds": _RETRY_SECONDS})  # noqa: TRY400  # the storage's fault, once
                    is_logged = True
                await asyncio.sleep(_RETRY_SECONDS)
