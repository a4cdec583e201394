"""A reader of a thread gets everything on it once and in order, however storing, telling and reading interleave."""

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from longline.errors import SlowSubscriberError
from longline.events import hub as hub_module
from longline.events import replay
from longline.events.hub import EventHub, ThreadEntry
from longline.events.replay import ThreadReader
from longline.models.events import RunEnding, RunEvent, ThreadPlace
from longline.models.runs import CancelRequest, Run, RunStatus
from longline.storage.protocols import Storage
from longline.testing.storage_samples import batch_of, begin, ended, moment, put, sample_run

pytestmark = pytest.mark.anyio

AFTER = st.none() | st.builds(ThreadPlace, st.integers(0, 3), st.integers(0, 4))
STEPS = st.lists(
    st.tuples(st.sampled_from(["store", "publish", "read", "next run", "cancel"]), st.integers(1, 3)),
    min_size=3,
    max_size=16,
)


@dataclass
class Story:
    """Runs of one thread, each stored, told and ended as the engine does: stored before told."""

    storage: Storage
    hub: EventHub
    run: Run
    seq: int = 0
    stored: list[ThreadEntry] = field(default_factory=list)
    told: int = 0
    received: list[ThreadEntry] = field(default_factory=list)

    async def store(self, count: int) -> None:
        batch = batch_of(self.run.lease, *[b"x"] * count, first_seq=self.seq + 1)
        await self.storage.events.append([batch])
        self.stored += [
            RunEvent(e.run_id, e.attempt, e.seq, e.mode, e.namespace, e.data, turn=self.run.turn) for e in batch.events
        ]
        self.seq += count

    async def next_run(self) -> None:
        await self.storage.runs.finish(self.run.lease, ended(), at=moment(1))
        self.stored.append(RunEnding(run_id=self.run.run_id, turn=self.run.turn, status=RunStatus.SUCCESS))
        self.run = await begin(self.storage, sample_run(self.run.thread_id, creates_thread=False))
        self.seq = 0

    async def cancel(self) -> None:
        """Another run waits behind this one, and is cancelled."""
        waiting = await put(self.storage, sample_run(self.run.thread_id, creates_thread=False))
        request = CancelRequest(action="interrupt", reason="")
        (gone,) = await self.storage.runs.cancel([waiting.run_id], request, at=moment(1))
        self.stored.append(
            RunEnding(run_id=gone.run_id, turn=gone.turn, status=RunStatus.INTERRUPTED, is_behind=gone.is_behind)
        )

    def tell(self, count: int) -> None:
        for entry in self.stored[self.told : self.told + count]:
            if isinstance(entry, RunEvent):
                self.hub.publish(entry.run_id, [entry], thread_id=self.run.thread_id, is_kept=True)
            elif isinstance(entry, RunEnding):
                self.hub.tell_thread(self.run.thread_id, entry, is_kept=True)
            self.told += 1

    async def read(self, reader: ThreadReader, times: int) -> None:
        for _ in range(times):
            page = await reader.read(0)
            if not page:
                return
            self.received += page

    async def do(self, step: str, count: int, reader: ThreadReader | None) -> None:
        if step == "store":
            await self.store(count)
        elif step == "publish":
            self.tell(count)
        elif step == "next run":
            await self.next_run()
        elif step == "cancel":
            await self.cancel()
        elif reader is not None:
            await self.read(reader, count)


@pytest.mark.parametrize("backlog", [20_000, 3])
@given(steps=STEPS, attach_at=st.integers(0, 16), after=AFTER)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_reader_gets_each_entry_after_its_place_once_and_in_order(
    storage: Storage, backlog: int, steps: list[tuple[str, int]], attach_at: int, after: ThreadPlace | None
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hub_module, "_BACKLOG_EVENTS", backlog)
        patch.setattr(replay, "_PAGE_EVENTS", 2)
        story = Story(storage, EventHub(), await begin(storage))
        for step, count in steps[:attach_at]:
            await story.do(step, count, None)
        expected_from = story.told
        with ThreadReader(story.hub, storage.events, story.run.thread_id, after=after) as reader:
            for step, count in steps[attach_at:]:
                await story.do(step, count, reader)
            await story.next_run()
            story.tell(len(story.stored))
            async with asyncio.timeout(10):
                while page := await reader.read(0):
                    story.received += page
            story.hub.close_thread(story.run.thread_id)
            assert await reader.read(5) == []
        expected = story.stored[expected_from:] if after is None else [e for e in story.stored if e.place > after]
        places = [entry.place for entry in story.received]
        assert places == sorted(set(places))
        early = [e for e in story.stored[:expected_from] if isinstance(e, RunEnding) and e.is_behind and after is None]
        told = [entry for entry in story.received if entry not in early]  # who falls behind may hear of those again
        assert told == sorted(expected, key=lambda entry: entry.place)


def live(*seqs: int, size: int = 1) -> list[RunEvent]:
    return [RunEvent("r", 1, seq, "values", (), b"x" * size, turn=1) for seq in seqs]


async def test_who_falls_behind_runs_that_are_not_kept_is_told(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "_BACKLOG_EVENTS", 2)
    hub = EventHub()
    with ThreadReader(hub, storage.events, "t", after=None) as reader:
        hub.publish("r", live(1, 2, 3), thread_id="t")
        with pytest.raises(SlowSubscriberError, match="reader of thread 't' fell too far behind"):
            await reader.read(5)


async def test_events_of_runs_that_are_not_kept_are_live_only(storage: Storage) -> None:
    hub = EventHub()
    with ThreadReader(hub, storage.events, "t", after=ThreadPlace(0, 0)) as reader:
        hub.publish("r", live(1, 2), thread_id="t")
        assert await reader.read(5) == live(1, 2)
        assert await reader.read(0) is None
        hub.publish("r", live(3), thread_id="another")
        assert await reader.read(0) is None
    hub.publish("r", live(3), thread_id="t")
    assert not hub.has_readers("r", "t")


async def test_a_run_that_never_had_a_turn_has_nothing_to_end(storage: Storage) -> None:
    hub = EventHub()
    with ThreadReader(hub, storage.events, "t", after=None) as reader:
        hub.tell_thread("t", RunEnding(run_id="r", turn=0, status=None), is_kept=False)
        assert await reader.read(0) is None


@pytest.mark.parametrize("kind", ["run", "thread"])
async def test_a_backlog_is_bounded_in_bytes_and_lets_a_large_event_through(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "_BACKLOG_BYTES", 10_000)
    hub = EventHub()
    reader = hub.attach("r") if kind == "run" else hub.attach_thread("t")
    hub.publish("r", live(1, size=50_000), thread_id="t")
    assert not reader.has_overflowed, "alone it is taken, however large"
    assert len(reader.take()) == 1
    for seq in range(2, 6):
        hub.publish("r", live(seq, size=4_000), thread_id="t")
    assert reader.has_overflowed
    assert reader.take() == live(5, size=4_000), "what waited was dropped, with what was too much"


async def test_who_waits_for_the_end_alone_is_no_reader() -> None:
    hub = EventHub()
    waiter = hub.attach("r", only_end=True)
    assert not hub.has_readers("r")
    hub.publish("r", live(1))
    assert waiter.take() == []
    done = hub_module.RunEnd(status=RunStatus.SUCCESS)
    hub.close("r", done)
    assert waiter.end is done
