"""The contract of EventLog."""

import pytest

from longline.models.events import BEGINNING, EventBatch, EventId, RunEvent
from longline.storage.protocols import Storage
from longline.testing.storage_samples import OVER, batch_of, begin, ended, lose, moment


@pytest.mark.anyio
class EventLogContract:
    """Events are kept in order, once, and only from who holds the lease."""

    async def test_what_is_appended_is_read_back_as_it_was(self, storage: Storage) -> None:
        run = await begin(storage)
        odd = RunEvent(run.run_id, 1, 3, 'custom|it\'s:"x"', (), b"\x00\xff not even JSON")
        batch = batch_of(run.lease, b'{"a":1}', '"ü"'.encode())
        assert await storage.events.append([batch, EventBatch(run.lease, (odd,))]) == frozenset()
        assert await storage.events.read(run.run_id, after=BEGINNING, limit=9) == [*batch.events, odd]
        assert await storage.events.last(run.run_id) == EventId(1, 3)

    async def test_a_run_without_events_is_at_the_beginning(self, storage: Storage) -> None:
        assert await storage.events.last("nope") == BEGINNING
        assert await storage.events.read("nope", after=BEGINNING, limit=9) == []
        assert await storage.events.append([]) == frozenset()

    async def test_reading_goes_on_after_an_id_without_a_gap_or_a_double(self, storage: Storage) -> None:
        run = await begin(storage)
        texts = [str(number).encode() for number in range(25)]
        await storage.events.append([batch_of(run.lease, *texts)])
        found: list[RunEvent] = []
        after = BEGINNING
        while events := await storage.events.read(run.run_id, after=after, limit=7):
            assert len(events) <= 7
            found += events
            after = events[-1].event_id
        assert [event.data for event in found] == texts
        assert [event.seq for event in found] == list(range(1, 26))

    async def test_ids_that_no_event_has_are_places_too(self, storage: Storage) -> None:
        run = await begin(storage)
        await storage.events.append([batch_of(run.lease, b"1", b"2")])
        assert await storage.events.read(run.run_id, after=EventId(0, 999), limit=9) == list(
            batch_of(run.lease, b"1", b"2").events
        )
        for far in (EventId(1, 3), EventId(2, 0), EventId(1, 10**30), EventId(10**30, 0)):
            assert await storage.events.read(run.run_id, after=far, limit=9) == []

    async def test_a_later_attempt_comes_after_all_of_an_earlier_one(self, storage: Storage) -> None:
        run = await begin(storage, lease_seconds=OVER)
        await storage.events.append([batch_of(run.lease, b"1", b"2", b"3")])
        taken = await lose(storage, run)
        await storage.events.append([batch_of(taken.lease, b"4")])
        events = await storage.events.read(run.run_id, after=EventId(1, 2), limit=9)
        assert [(event.attempt, event.seq, event.data) for event in events] == [(1, 3, b"3"), (2, 1, b"4")]
        assert await storage.events.last(run.run_id) == EventId(2, 1)

    async def test_an_event_that_is_there_already_stays_as_it_is(self, storage: Storage) -> None:
        run = await begin(storage)
        await storage.events.append([batch_of(run.lease, b"1", b"2")])
        await storage.events.append([batch_of(run.lease, b"other", b"other", b"3")])
        events = await storage.events.read(run.run_id, after=BEGINNING, limit=9)
        assert [event.data for event in events] == [b"1", b"2", b"3"]

    async def test_who_lost_the_lease_stores_nothing_and_others_are_stored(self, storage: Storage) -> None:
        stale = await begin(storage, lease_seconds=OVER)
        await lose(storage, stale)
        done = await begin(storage)
        await storage.runs.finish(done.lease, ended(), at=moment(1))
        good = await begin(storage)
        lost = await storage.events.append(
            [batch_of(stale.lease, b"1"), batch_of(good.lease, b"2"), batch_of(done.lease, b"3")]
        )
        assert lost == {stale.run_id, done.run_id}
        assert await storage.events.last(stale.run_id) == BEGINNING
        assert await storage.events.last(done.run_id) == BEGINNING
        assert await storage.events.last(good.run_id) == EventId(1, 1)

    async def test_events_of_a_finished_run_are_kept(self, storage: Storage) -> None:
        run = await begin(storage)
        await storage.events.append([batch_of(run.lease, b"1")])
        await storage.runs.finish(run.lease, ended(), at=moment(1))
        assert await storage.events.last(run.run_id) == EventId(1, 1)
