"""Events are stored in batches across runs, go live once they are stored, and wait while the storage is away."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence

import pytest

from longline.errors import LeaseLostError, StorageError
from longline.events import writer as writer_module
from longline.events.hub import EventHub
from longline.events.writer import EventWriter
from longline.models.events import BEGINNING, EventBatch, EventId, RunEvent
from longline.storage.protocols import EventLog, Storage
from longline.testing.storage_samples import OVER, batch_of, begin, ended, lose, moment

pytestmark = pytest.mark.anyio


class Gate:
    """The real log behind a gate: it can be held up, or be away. Counts what passes."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self.is_open = asyncio.Event()
        self.is_open.set()
        self.was_reached = asyncio.Event()
        self.failure: Exception | None = None
        self.attempts = 0
        self.batches: list[Sequence[EventBatch]] = []

    async def append(self, batches: Sequence[EventBatch]) -> frozenset[str]:
        self.attempts += 1
        self.was_reached.set()
        await self.is_open.wait()
        if self.failure is not None:
            raise self.failure
        self.batches.append(batches)
        return await self._log.append(batches)

    async def read(self, run_id: str, *, after: EventId, limit: int) -> Sequence[RunEvent]:
        return await self._log.read(run_id, after=after, limit=limit)

    async def last(self, run_id: str) -> EventId:
        return await self._log.last(run_id)


@contextlib.asynccontextmanager
async def writing(log: EventLog, hub: EventHub | None = None) -> AsyncIterator[EventWriter]:
    writer = EventWriter(log, hub or EventHub())
    task = asyncio.create_task(writer.run())
    try:
        async with asyncio.timeout(20):
            yield writer
    finally:
        task.cancel()
        await asyncio.wait({task})


def texts(events: Sequence[RunEvent]) -> list[bytes]:
    return [event.data for event in events]


async def test_flushed_events_are_stored_and_live_in_order(storage: Storage) -> None:
    hub = EventHub()
    run = await begin(storage)
    reader = hub.attach(run.run_id)
    async with writing(storage.events, hub) as writer:
        for seq, text in enumerate((b"1", b"2", b"3"), 1):
            await writer.put(run.lease, batch_of(run.lease, text, first_seq=seq).events)
        await writer.flush(run.lease)
        assert texts(await storage.events.read(run.run_id, after=BEGINNING, limit=9)) == [b"1", b"2", b"3"]
        assert texts(reader.take()) == [b"1", b"2", b"3"]


async def test_flushing_what_said_nothing_returns_at_once(storage: Storage) -> None:
    run = await begin(storage)
    async with writing(storage.events) as writer:
        await writer.flush(run.lease)


async def test_while_one_batch_is_stored_the_next_gathers_the_events_of_all_runs(storage: Storage) -> None:
    log = Gate(storage.events)
    one, two = await begin(storage), await begin(storage)
    async with writing(log) as writer:
        log.is_open.clear()
        await writer.put(one.lease, batch_of(one.lease, b"1").events)
        await log.was_reached.wait()
        await writer.put(one.lease, batch_of(one.lease, b"2", first_seq=2).events)
        await writer.put(two.lease, batch_of(two.lease, b"a").events)
        await writer.put(one.lease, batch_of(one.lease, b"3", first_seq=3).events)
        log.is_open.set()
        await writer.flush(one.lease)
        await writer.flush(two.lease)
    assert [[texts(batch.events) for batch in batches] for batches in log.batches] == [[[b"1"]], [[b"2", b"3"], [b"a"]]]


async def test_an_event_is_not_live_before_it_is_stored(storage: Storage) -> None:
    log, hub = Gate(storage.events), EventHub()
    run = await begin(storage)
    reader = hub.attach(run.run_id)
    async with writing(log, hub) as writer:
        log.is_open.clear()
        await writer.put(run.lease, batch_of(run.lease, b"1").events)
        await log.was_reached.wait()
        assert reader.take() == []
        log.is_open.set()
        await writer.flush(run.lease)
        assert texts(reader.take()) == [b"1"]


async def test_who_lost_the_lease_is_told_and_nothing_of_theirs_goes_live(storage: Storage) -> None:
    hub = EventHub()
    stale = await begin(storage, lease_seconds=OVER)
    taken = await lose(storage, stale)
    other = await begin(storage)
    reader = hub.attach(stale.run_id)
    async with writing(storage.events, hub) as writer:
        await writer.put(stale.lease, batch_of(stale.lease, b"1").events)
        await writer.put(other.lease, batch_of(other.lease, b"a").events)
        with pytest.raises(LeaseLostError):
            await writer.flush(stale.lease)
        with pytest.raises(LeaseLostError):
            await writer.put(stale.lease, batch_of(stale.lease, b"2", first_seq=2).events)
        await writer.flush(other.lease)
        assert reader.take() == []
        await writer.put(taken.lease, batch_of(taken.lease, b"3").events)
        await writer.flush(taken.lease)
        assert texts(reader.take()) == [b"3"], "the attempt that holds the lease is not touched"


async def test_a_later_attempt_in_the_same_batch_does_not_suffer_for_an_earlier_one(storage: Storage) -> None:
    log, hub = Gate(storage.events), EventHub()
    stale = await begin(storage, lease_seconds=OVER)
    taken = await lose(storage, stale)
    reader = hub.attach(stale.run_id)
    async with writing(log, hub) as writer:
        log.is_open.clear()
        other = await begin(storage)
        await writer.put(other.lease, batch_of(other.lease, b"a").events)
        await log.was_reached.wait()
        await writer.put(taken.lease, batch_of(taken.lease, b"2").events)
        await writer.put(stale.lease, batch_of(stale.lease, b"1").events)
        log.is_open.set()
        await writer.flush(taken.lease)
        with pytest.raises(LeaseLostError):
            await writer.flush(stale.lease)
    assert texts(reader.take()) == [b"2"]


async def test_nothing_is_remembered_of_attempts_that_are_over(storage: Storage) -> None:
    log = Gate(storage.events)
    stale = await begin(storage, lease_seconds=OVER)
    await lose(storage, stale)
    async with writing(log) as writer:
        log.is_open.clear()
        await writer.put(stale.lease, batch_of(stale.lease, b"1").events)
        await log.was_reached.wait()
        writer.forget(stale.lease)
        log.is_open.set()
        other = await begin(storage)
        await writer.put(other.lease, batch_of(other.lease, b"a").events)
        await writer.flush(other.lease)
        assert not writer._lost


async def test_a_storage_that_was_away_gets_everything_once_it_is_back(
    storage: Storage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "_RETRY_SECONDS", 0)
    log, hub = Gate(storage.events), EventHub()
    run = await begin(storage)
    reader = hub.attach(run.run_id)
    log.failure = StorageError("disk full")
    async with writing(log, hub) as writer:
        with caplog.at_level(logging.ERROR):
            await writer.put(run.lease, batch_of(run.lease, b"1").events)
            while log.attempts < 5:
                await asyncio.sleep(0)
            await writer.put(run.lease, batch_of(run.lease, b"2", first_seq=2).events)
            log.failure = None
            await writer.flush(run.lease)
        assert texts(reader.take()) == [b"1", b"2"]
        assert texts(await storage.events.read(run.run_id, after=BEGINNING, limit=9)) == [b"1", b"2"]
    assert [(record.message, record.reason) for record in caplog.records] == [("events not stored", "disk full")]


async def test_a_run_that_says_too_much_waits_for_the_storage(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "_MAX_WAITING_EVENTS", 2)
    log = Gate(storage.events)
    run = await begin(storage)
    async with writing(log) as writer:
        log.is_open.clear()
        await writer.put(run.lease, batch_of(run.lease, b"1", b"2").events)
        more = asyncio.create_task(writer.put(run.lease, batch_of(run.lease, b"3", first_seq=3).events))
        await log.was_reached.wait()
        done, _ = await asyncio.wait({more}, timeout=0.05)
        assert not done
        log.is_open.set()
        await more
        await writer.flush(run.lease)
    assert texts(await storage.events.read(run.run_id, after=BEGINNING, limit=9)) == [b"1", b"2", b"3"]


async def test_draining_stores_what_waits_and_what_is_on_its_way(storage: Storage) -> None:
    log = Gate(storage.events)
    run = await begin(storage)
    writer = EventWriter(log, EventHub())
    task = asyncio.create_task(writer.run())
    log.is_open.clear()
    await writer.put(run.lease, batch_of(run.lease, b"1").events)
    await log.was_reached.wait()
    await writer.put(run.lease, batch_of(run.lease, b"2", first_seq=2).events)
    draining = asyncio.create_task(writer.drain())
    done, _ = await asyncio.wait({draining}, timeout=0.05)
    assert not done, "what is being stored is not stored yet"
    log.is_open.set()
    async with asyncio.timeout(10):
        await draining
    task.cancel()
    await asyncio.wait({task})
    assert texts(await storage.events.read(run.run_id, after=BEGINNING, limit=9)) == [b"1", b"2"]


async def test_draining_waits_for_a_batch_that_is_on_its_way_alone(storage: Storage) -> None:
    log = Gate(storage.events)
    run = await begin(storage)
    writer = EventWriter(log, EventHub())
    task = asyncio.create_task(writer.run())
    log.is_open.clear()
    await writer.put(run.lease, batch_of(run.lease, b"1").events)
    await log.was_reached.wait()
    draining = asyncio.create_task(writer.drain())
    done, _ = await asyncio.wait({draining}, timeout=0.05)
    assert not done
    log.is_open.set()
    async with asyncio.timeout(10):
        await draining
    task.cancel()
    await asyncio.wait({task})
    assert await storage.events.last(run.run_id) == EventId(1, 1)


async def test_events_of_an_ended_run_are_refused_and_others_go_on(storage: Storage) -> None:
    run, other = await begin(storage), await begin(storage)
    await storage.runs.finish(run.lease, ended(), at=moment(1))
    async with writing(storage.events) as writer:
        await writer.put(run.lease, batch_of(run.lease, b"late").events)
        await writer.put(other.lease, batch_of(other.lease, b"a").events)
        await writer.flush(other.lease)
        with pytest.raises(LeaseLostError):
            await writer.flush(run.lease)


async def test_a_fault_nobody_foresaw_ends_those_runs_and_not_the_writer(
    storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    log = Gate(storage.events)
    run, other = await begin(storage), await begin(storage)
    log.failure = ValueError("a driver's surprise")
    async with writing(log) as writer:
        await writer.put(run.lease, batch_of(run.lease, b"1").events)
        with pytest.raises(StorageError):
            await writer.flush(run.lease)
        log.failure = None
        await writer.put(other.lease, batch_of(other.lease, b"a").events)
        await writer.flush(other.lease)
    assert [record.message for record in caplog.records] == ["events lost"]
