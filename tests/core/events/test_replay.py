"""A reader gets every event once and in order, however storing, publishing and reading interleave."""

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from longline.errors import SlowSubscriberError
from longline.events import hub as hub_module
from longline.events import replay
from longline.events.hub import EventHub, RunEnd
from longline.events.replay import RunReader
from longline.models.events import BEGINNING, EventId, RunEvent
from longline.models.runs import Run, RunStatus
from longline.storage.protocols import Storage
from longline.testing.storage_samples import OVER, batch_of, begin, ended, lose, moment

pytestmark = pytest.mark.anyio

DONE = RunEnd(status=RunStatus.SUCCESS, result=b"{}")
AFTER = st.none() | st.builds(EventId, st.integers(0, 2), st.integers(0, 6))
STEPS = st.lists(
    st.tuples(st.sampled_from(["store", "publish", "read", "take over"]), st.integers(1, 4)), min_size=3, max_size=14
)


@dataclass
class Story:
    """One run that is stored, published and read in some order, as the event writer does: stored before live."""

    storage: Storage
    hub: EventHub
    run: Run
    seq: int = 0
    stored: list[RunEvent] = field(default_factory=list)
    published: int = 0
    received: list[RunEvent] = field(default_factory=list)

    async def store(self, count: int) -> None:
        texts = [b"x"] * count
        batch = batch_of(self.run.lease, *texts, first_seq=self.seq + 1)
        assert await self.storage.events.append([batch]) == frozenset()
        self.seq += count
        self.stored += batch.events

    def publish(self, count: int) -> None:
        live = self.stored[self.published : self.published + count]
        if live:
            self.hub.publish(self.run.run_id, live)
        self.published += len(live)

    async def take_over(self) -> None:
        self.run = await lose(self.storage, self.run)
        self.seq = 0

    async def read(self, reader: RunReader, times: int) -> None:
        for _ in range(times):
            page = await reader.read(0)
            if not page:
                return
            self.received += page

    async def do(self, step: str, count: int, reader: RunReader | None) -> None:
        if step == "store":
            await self.store(count)
        elif step == "publish":
            self.publish(count)
        elif step == "take over" and self.run.attempt == 1:
            await self.take_over()
        elif step == "read" and reader is not None:
            await self.read(reader, count)

    async def end(self, reader: RunReader, *, is_told: bool) -> None:
        """The rest goes live, the run ends, and the reader reads to the end."""
        self.publish(len(self.stored))
        await self.storage.runs.finish(self.run.lease, ended(), at=moment(1))
        if is_told:
            self.hub.close(self.run.run_id, DONE)
        else:
            reader.finish(DONE)
        async with asyncio.timeout(10):
            while page := await reader.read(5):
                self.received += page
        assert page == []
        assert reader.end is DONE


@pytest.mark.parametrize("backlog", [20_000, 3])
@given(steps=STEPS, attach_at=st.integers(0, 14), after=AFTER, is_told=st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_reader_of_a_kept_run_gets_each_event_after_its_place_once_and_in_order(
    storage: Storage, backlog: int, steps: list[tuple[str, int]], attach_at: int, after: EventId | None, is_told: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hub_module, "_BACKLOG_EVENTS", backlog)
        patch.setattr(replay, "_PAGE_EVENTS", 2)
        story = Story(storage, EventHub(), await begin(storage, lease_seconds=OVER))
        for step, count in steps[:attach_at]:
            await story.do(step, count, None)
        expected_from = story.published
        with RunReader(story.hub, storage.events, story.run.run_id, after=after) as reader:
            reader.expect_kept()
            for step, count in steps[attach_at:]:
                await story.do(step, count, reader)
            await story.end(reader, is_told=is_told)
        if after is None:
            expected = story.stored[expected_from:]
        else:
            expected = [event for event in story.stored if event.event_id > after]
        assert story.received == expected
        assert not story.hub.has_readers(story.run.run_id)


def live(run_id: str, *seqs: int) -> list[RunEvent]:
    return [RunEvent(run_id, 1, seq, "values", (), b"x") for seq in seqs]


@pytest.mark.parametrize("after", [None, BEGINNING])
async def test_a_reader_of_a_run_that_is_not_kept_is_told_that_it_fell_behind(
    storage: Storage, after: EventId | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "_BACKLOG_EVENTS", 2)
    hub = EventHub()
    with RunReader(hub, storage.events, "r", after=after) as reader:
        hub.publish("r", live("r", 1, 2))
        assert await reader.read(5) == live("r", 1, 2)
        hub.publish("r", live("r", 3, 4, 5))
        hub.publish("r", live("r", 6))
        with pytest.raises(SlowSubscriberError, match="make the run resumable"):
            await reader.read(5)


async def test_what_is_told_twice_is_read_once(storage: Storage) -> None:
    hub = EventHub()
    with RunReader(hub, storage.events, "r", after=None) as reader:
        hub.publish("r", live("r", 1, 2))
        hub.publish("r", live("r", 2))
        hub.publish("r", live("r", 2, 3))
        assert await reader.read(5) == live("r", 1, 2, 3)


@pytest.mark.parametrize("is_between", [True, False])
async def test_the_last_events_of_an_attempt_elsewhere_come_before_those_of_the_next_one_here(
    storage: Storage, is_between: bool
) -> None:
    story = Story(storage, EventHub(), await begin(storage, lease_seconds=OVER))
    with RunReader(story.hub, storage.events, story.run.run_id, after=None) as reader:
        reader.expect_kept()
        await story.store(2)
        story.publish(2)
        if not is_between:
            await story.read(reader, 1)
        await story.store(2)
        story.published += 2  # nobody has told this process of them
        await story.take_over()
        await story.store(2)
        await story.end(reader, is_told=True)
    assert story.received == story.stored


async def test_a_run_that_is_not_kept_can_be_followed_from_any_place(storage: Storage) -> None:
    hub = EventHub()
    with RunReader(hub, storage.events, "r", after=BEGINNING) as reader:
        hub.publish("r", live("r", 1))
        assert await reader.read(5) == live("r", 1)
        hub.close("r", DONE)
        assert await reader.read(5) == []


async def test_nothing_within_the_time_is_none_and_reading_goes_on_after(storage: Storage) -> None:
    hub = EventHub()
    with RunReader(hub, storage.events, "r", after=None) as reader:
        assert await reader.read(0) is None
        assert reader.end is None
        hub.publish("r", live("r", 1))
        assert await reader.read(5) == live("r", 1)


async def test_after_the_end_the_end_is_read_as_often_as_asked(storage: Storage) -> None:
    reader = RunReader(EventHub(), storage.events, "r", after=BEGINNING)
    reader.finish(DONE)
    for _ in range(3):
        assert await reader.read(5) == []
    assert await reader.wait_for_end(5) is DONE
    reader.close()
    reader.close()


async def test_a_waiter_gets_the_end_and_none_of_the_events(storage: Storage) -> None:
    hub = EventHub()
    with RunReader(hub, storage.events, "r", after=None) as reader:
        hub.publish("r", live("r", 1, 2))
        assert await reader.wait_for_end(0) is None
        hub.close("r", DONE)
        assert await reader.wait_for_end(5) is DONE


class TestTime:
    @pytest.fixture
    def anyio_backend(self, jumping: object) -> object:
        return jumping

    async def test_a_waiter_waits_no_longer_than_asked_however_much_the_run_says(self) -> None:
        """A request that waits must be able to send a sign of life in between."""
        hub = EventHub()
        loop = asyncio.get_running_loop()

        async def talk() -> None:
            for seq in range(1, 100):
                await asyncio.sleep(1)
                hub.publish("r", live("r", seq))

        with RunReader(hub, None, "r", after=None) as reader:  # type: ignore[arg-type]  # a waiter reads no log
            talking = asyncio.create_task(talk())
            started = loop.time()
            assert await reader.wait_for_end(5) is None
            assert loop.time() - started == pytest.approx(5, abs=1.01)
            talking.cancel()
