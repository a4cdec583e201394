"""The contract of a thread's order: turns, and what the log gives back of a whole thread."""

import asyncio

import pytest

from longline.models.events import END_OF_TURN, THREAD_BEGINNING, KeptEntry, RunEnding, RunEvent, ThreadPlace
from longline.models.runs import CancelRequest, Run, RunStatus
from longline.models.threads import RunFailure, ThreadState, ThreadStatus
from longline.storage.protocols import Storage
from longline.testing.storage_samples import (
    OVER,
    Displacing,
    admit_all,
    batch_of,
    begin,
    claim_by,
    ended,
    lose,
    moment,
    put,
    sample_run,
    sample_thread,
)


async def _next_on(storage: Storage, thread_id: str, *, lease_seconds: float = 600) -> Run:
    return await begin(storage, sample_run(thread_id, creates_thread=False), lease_seconds=lease_seconds)


async def _all(
    storage: Storage, thread_id: str, after: ThreadPlace = THREAD_BEGINNING, limit: int = 2
) -> list[KeptEntry]:
    found: list[KeptEntry] = []
    while page := await storage.events.read_thread(thread_id, after=after, limit=limit):
        assert len(page) <= limit
        found += page
        after = page[-1].place
    return found


def _places(entries: list[KeptEntry]) -> list[tuple[int, int]]:
    return [(entry.place.turn, entry.place.seq) for entry in entries]


@pytest.mark.anyio
class TurnContract:
    """Whatever happens on a thread has a place in one order."""

    async def test_each_claim_takes_the_next_turn_of_its_thread(self, storage: Storage) -> None:
        first = await begin(storage)
        other = await begin(storage)
        await storage.runs.finish(first.lease, ended(), at=moment(1))
        second = await _next_on(storage, first.thread_id)
        assert (first.turn, other.turn, second.turn) == (1, 1, 2)
        assert (await storage.runs.get(first.thread_id, second.run_id)).turn == 2
        assert await storage.events.turn(first.thread_id) == 2
        assert await storage.events.turn("nope") == 0

    async def test_a_run_that_waits_takes_its_turn_when_it_is_claimed(self, storage: Storage) -> None:
        first = await begin(storage)
        waiting = await put(storage, sample_run(first.thread_id, creates_thread=False))
        assert waiting.turn == 0
        await storage.runs.finish(first.lease, ended(), at=moment(1))
        (claimed,) = await storage.runs.claim(claim_by(), limit=1)
        assert (claimed.run_id, claimed.turn) == (waiting.run_id, 2)

    async def test_an_attempt_that_takes_over_or_goes_on_has_a_turn_of_its_own(self, storage: Storage) -> None:
        run = await begin(storage, lease_seconds=OVER)
        taken = await lose(storage, run)
        await storage.runs.release(taken.lease)
        (again,) = await storage.runs.claim(claim_by(), limit=1)
        assert (run.turn, taken.turn, again.turn) == (1, 2, 3)

    async def test_a_turn_is_never_used_twice_whatever_is_deleted(self, storage: Storage) -> None:
        run = await begin(storage)
        await storage.events.append([batch_of(run.lease, b"1")])
        await storage.runs.delete(run.thread_id, run.run_id)
        assert await _all(storage, run.thread_id) == []
        rolled = await _next_on(storage, run.thread_id)
        await storage.runs.finish(rolled.lease, ended(RunStatus.INTERRUPTED, erase=True), at=moment(1))
        assert (await _next_on(storage, run.thread_id)).turn == 3

    async def test_claims_at_the_same_time_never_share_a_turn(self, storage: Storage) -> None:
        thread = await storage.threads.create(sample_thread())
        turns = []
        for _ in range(3):
            for _ in range(2):
                await put(storage, sample_run(thread.thread_id, creates_thread=False))
            claimed = await asyncio.gather(*(storage.runs.claim(claim_by(f"w{n}"), limit=3) for n in range(3)))
            for run in (run for runs in claimed for run in runs):
                turns.append(run.turn)
                await storage.runs.finish(run.lease, ended(), at=moment(1))
        assert turns == sorted(set(turns))
        assert turns

    async def test_a_state_update_takes_a_turn(self, storage: Storage) -> None:
        thread = await storage.threads.create(sample_thread())
        state = ThreadState(status=ThreadStatus.IDLE, values=b"{}")
        assert await storage.threads.set_state(thread.thread_id, state, at=moment(1)) == 1
        assert (await _next_on(storage, thread.thread_id)).turn == 2

    async def test_a_thread_is_read_in_the_order_of_its_turns_with_the_ends_of_its_runs(self, storage: Storage) -> None:
        first = await begin(storage)
        await storage.events.append([batch_of(first.lease, b"a", b"b", b"c")])
        await storage.runs.finish(first.lease, ended(), at=moment(1))
        second = await _next_on(storage, first.thread_id)
        await storage.events.append([batch_of(second.lease, b"d")])
        failure = RunFailure(error="ValueError", message="boom")
        await storage.runs.finish(second.lease, ended(RunStatus.ERROR, failure=failure), at=moment(2))
        third = await _next_on(storage, first.thread_id)
        await storage.events.append([batch_of(third.lease, b"e")])
        found = await _all(storage, first.thread_id)
        assert _places(found) == [(1, 1), (1, 2), (1, 3), (1, END_OF_TURN), (2, 1), (2, END_OF_TURN), (3, 1)]
        assert [entry.data for entry in found if isinstance(entry, RunEvent)] == [b"a", b"b", b"c", b"d", b"e"]
        assert [entry for entry in found if isinstance(entry, RunEnding)] == [
            RunEnding(run_id=first.run_id, turn=1, status=RunStatus.SUCCESS),
            RunEnding(run_id=second.run_id, turn=2, status=RunStatus.ERROR, failure=failure),
        ]
        for number, entry in enumerate(found):
            assert await _all(storage, first.thread_id, after=entry.place) == found[number + 1 :]

    async def test_an_event_keeps_when_it_was_said(self, storage: Storage) -> None:
        run = await begin(storage)
        (event,) = batch_of(run.lease, b"1").events
        said = RunEvent(
            event.run_id, event.attempt, event.seq, event.mode, event.namespace, event.data, at_ms=1_795_194_531_996
        )
        await storage.events.append([type(batch_of(run.lease))(run.lease, (said,))])
        (found,) = await _all(storage, run.thread_id)
        assert found.at_ms == 1_795_194_531_996
        assert isinstance(found, RunEvent)
        assert (found.turn, found.namespace, found.mode) == (1, event.namespace, event.mode)

    async def test_an_attempt_that_died_keeps_its_events_and_has_no_end(self, storage: Storage) -> None:
        run = await begin(storage, lease_seconds=OVER)
        await storage.events.append([batch_of(run.lease, b"1", b"2")])
        taken = await lose(storage, run)
        await storage.events.append([batch_of(taken.lease, b"3")])
        await storage.runs.finish(taken.lease, ended(), at=moment(1))
        assert _places(await _all(storage, run.thread_id)) == [(1, 1), (1, 2), (2, 1), (2, END_OF_TURN)]

    @pytest.mark.parametrize("how", ["cancelled", "displaced"])
    async def test_a_run_that_ends_before_it_started_has_an_end_in_the_order(self, storage: Storage, how: str) -> None:
        first = await begin(storage)
        waiting = await put(storage, sample_run(first.thread_id, creates_thread=False))
        if how == "cancelled":
            request = CancelRequest(action="interrupt", reason="enough")
            (gone,) = await storage.runs.cancel([waiting.run_id], request, at=moment(1))
        else:
            new = sample_run(first.thread_id, creates_thread=False)
            displaced = (await storage.runs.enqueue(new, admit=Displacing("interrupt"))).displaced
            (gone,) = (run for run in displaced if run.ended)
        assert (gone.turn, gone.is_kept, gone.is_behind) == (2, True, True)
        ending = RunEnding(run_id=waiting.run_id, turn=2, status=RunStatus.INTERRUPTED)
        (found,) = await _all(storage, first.thread_id)
        assert found == ending
        assert isinstance(found, RunEnding)
        assert found.is_behind, "the first one has not ended"
        await storage.runs.finish(first.lease, ended(), at=moment(2))
        ends = [entry for entry in await _all(storage, first.thread_id) if isinstance(entry, RunEnding)]
        assert [(end.run_id, end.is_behind) for end in ends] == [(first.run_id, False), (waiting.run_id, False)]

    async def test_a_thread_shows_nothing_of_other_threads(self, storage: Storage) -> None:
        run, other = await begin(storage), await begin(storage)
        await storage.events.append([batch_of(run.lease, b"1"), batch_of(other.lease, b"2")])
        assert [entry.place for entry in await _all(storage, run.thread_id)] == [ThreadPlace(1, 1)]
        await storage.threads.delete(run.thread_id)
        assert await _all(storage, run.thread_id) == []

    async def test_a_place_that_nothing_has_is_a_place_too(self, storage: Storage) -> None:
        run = await begin(storage)
        await storage.events.append([batch_of(run.lease, b"1", b"2")])
        assert len(await _all(storage, run.thread_id, after=ThreadPlace(0, END_OF_TURN))) == 2
        for far in (ThreadPlace(1, 10**30), ThreadPlace(10**30, 0), ThreadPlace(2, 0)):
            assert await _all(storage, run.thread_id, after=far) == []

    async def test_large_events_are_read_a_few_at_a_time(self, storage: Storage) -> None:
        run = await begin(storage)
        large = b"x" * 3_000_000
        await storage.events.append([batch_of(run.lease, *[large] * 6)])
        page = await storage.events.read_thread(run.thread_id, after=THREAD_BEGINNING, limit=500)
        assert 1 <= len(page) < 6
        assert len(await _all(storage, run.thread_id, limit=500)) == 6

    async def test_runs_that_go_with_a_temporary_thread_are_named(self, storage: Storage) -> None:
        run = await begin(storage, sample_run(temporary=True))
        waiting = await put(storage, sample_run(run.thread_id, creates_thread=False))
        assert list((await storage.runs.finish(run.lease, ended(), at=moment(1))).gone) == [waiting.run_id]
        kept = await begin(storage)
        await storage.runs.enqueue(sample_run(kept.thread_id, creates_thread=False), admit=admit_all)
        assert list((await storage.runs.finish(kept.lease, ended(), at=moment(1))).gone) == []
