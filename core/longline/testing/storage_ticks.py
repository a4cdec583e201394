"""The contract of ticks: each becomes one run, however many try, stop half way or come too late."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from longline.errors import AlreadyExistsError, CronBehindError, NotFoundError, ThreadBusyError
from longline.ids import tick_run_id
from longline.models.crons import Cron
from longline.models.runs import Admission, NewRun
from longline.models.ticks import CronTick
from longline.storage.protocols import Storage
from longline.testing.storage_samples import (
    LONG,
    OVER,
    admit_all,
    admit_if_idle,
    begin,
    claim_by,
    ended,
    far_off,
    moment,
    put,
    sample_cron,
    sample_run,
    sample_thread,
)


@pytest.mark.anyio
class CronTickContract:
    """Who may turn a tick into a run."""

    async def test_only_what_is_due_and_enabled_is_taken_longest_due_first(self, storage: Storage) -> None:
        for cron in (
            sample_cron("later", next_tick=moment(2)),
            sample_cron("off", next_tick=moment(1), enabled=False),
            sample_cron("ended", next_tick=None),
            sample_cron("future", next_tick=far_off()),
            sample_cron("first", next_tick=moment(1)),
        ):
            await storage.crons.create(cron)
        taken = await storage.crons.take_due(claim_by(), limit=9)
        assert [(cron.cron_id, cron.next_tick) for cron in taken] == [("first", moment(1)), ("later", moment(2))]
        assert taken[0] == await storage.crons.get("first")
        assert await storage.crons.take_due(claim_by("worker-2"), limit=9) == []

    async def test_no_more_are_taken_than_the_limit(self, storage: Storage) -> None:
        for number in range(5):
            await storage.crons.create(sample_cron(f"cron-{number}", next_tick=moment(number)))
        taken = [await storage.crons.take_due(claim_by(), limit=2) for _ in range(4)]
        assert [[cron.cron_id for cron in crons] for crons in taken] == [
            ["cron-0", "cron-1"], ["cron-2", "cron-3"], ["cron-4"], [],
        ]  # fmt: skip

    async def test_takers_at_once_never_share_a_cron(self, storage: Storage) -> None:
        for number in range(30):
            await storage.crons.create(sample_cron(f"cron-{number}"))
        taken = await asyncio.gather(
            *(storage.crons.take_due(claim_by(f"worker-{number}"), limit=6) for number in range(8))
        )
        ids = [cron.cron_id for crons in taken for cron in crons]
        assert sorted(ids) == sorted({f"cron-{number}" for number in range(30)})

    async def test_what_was_taken_by_one_who_stopped_is_taken_again_with_the_same_tick(self, storage: Storage) -> None:
        await storage.crons.create(sample_cron("c", next_tick=moment(3)))
        for owner in ("worker-1", "worker-2"):
            (taken,) = await storage.crons.take_due(claim_by(owner, lease_seconds=OVER), limit=9)
            assert (taken.cron_id, taken.next_tick) == ("c", moment(3))

    async def test_the_run_of_a_tick_and_the_next_tick_come_together(self, storage: Storage) -> None:
        cron = await _taken(storage)
        new = run_of_tick(cron, next_tick=far_off())
        run = (await _enqueue(storage, new)).run
        assert run.run_id == tick_run_id(cron.cron_id, moment())
        assert await storage.runs.get(run.thread_id, run.run_id) == run
        found = await storage.crons.get(cron.cron_id)
        assert found == replace(cron, next_tick=new.tick.next_tick if new.tick else None)
        assert await storage.crons.next_due() == found.next_tick

    async def test_a_tick_makes_its_run_once_however_many_took_it(self, storage: Storage) -> None:
        cron = await _taken(storage, lease_seconds=OVER)
        results = await asyncio.gather(
            *(_enqueue(storage, run_of_tick(cron, next_tick=moment(60))) for _ in range(6)), return_exceptions=True
        )
        assert len([result for result in results if isinstance(result, Admission)]) == 1
        assert all(isinstance(result, Admission | AlreadyExistsError) for result in results)

    async def test_a_tick_whose_run_has_come_and_gone_makes_no_other(self, storage: Storage) -> None:
        cron = await _taken(storage, lease_seconds=OVER)
        run = await begin(storage, run_of_tick(cron, next_tick=moment(60), temporary=True))
        await storage.runs.finish(run.lease, ended(), at=moment(1))
        with pytest.raises(NotFoundError):
            await storage.runs.get(run.thread_id, run.run_id)
        late = run_of_tick(cron, next_tick=moment(60), temporary=True)
        with pytest.raises(AlreadyExistsError):
            await _enqueue(storage, late)
        with pytest.raises(NotFoundError):
            await storage.threads.get(late.thread_id)
        assert (await storage.crons.get(cron.cron_id)).next_tick == moment(60)

    async def test_a_cron_that_was_changed_since_makes_no_run_of_the_old_tick(self, storage: Storage) -> None:
        moved, off, gone = [await _taken(storage) for _ in range(3)]
        await storage.crons.update(moved.cron_id, lambda cron: replace(cron, next_tick=far_off()), at=moment(1))
        await storage.crons.update(off.cron_id, lambda cron: replace(cron, enabled=False), at=moment(1))
        await storage.crons.delete(gone.cron_id)
        for cron in (moved, off, gone):
            with pytest.raises(AlreadyExistsError):
                await _enqueue(storage, run_of_tick(cron, next_tick=moment(60)))
        assert await storage.runs.count_unfinished() == {"pending": 0, "running": 0}

    async def test_a_cron_that_was_changed_in_anything_makes_no_run_of_what_it_was(self, storage: Storage) -> None:
        cron = await _taken(storage)
        old = run_of_tick(cron, next_tick=moment(60))
        changed = await storage.crons.update(cron.cron_id, lambda it: replace(it, end_at=far_off()), at=moment(1))
        assert changed.next_tick == cron.next_tick
        with pytest.raises(AlreadyExistsError):
            await _enqueue(storage, old)
        (again,) = await storage.crons.take_due(claim_by(), limit=9)
        assert (await _enqueue(storage, run_of_tick(again, next_tick=moment(60)))).run.run_id == old.run_id

    @pytest.mark.parametrize("creates_thread", [True, False])
    async def test_a_tick_makes_no_run_while_that_of_an_earlier_one_waits_to_start(
        self, storage: Storage, creates_thread: bool
    ) -> None:
        cron = await _taken(storage)
        thread_id = None if creates_thread else (await storage.threads.create(sample_thread())).thread_id
        first = (await _enqueue(storage, run_of_tick(cron, next_tick=moment(60), thread_id=thread_id))).run
        later = replace(cron, next_tick=moment(60))
        behind = run_of_tick(later, next_tick=moment(120), thread_id=thread_id)
        with pytest.raises(CronBehindError, match=cron.cron_id):
            await _enqueue(storage, behind)
        assert (await storage.crons.get(cron.cron_id)).next_tick == moment(60)
        (started,) = await storage.runs.claim(claim_by(), limit=1)
        assert started.run_id == first.run_id
        assert (await _enqueue(storage, behind)).run.run_id == behind.run_id

    async def test_a_run_that_displaces_others_does_not_wait_for_them(self, storage: Storage) -> None:
        cron = await _taken(storage)
        await _enqueue(storage, run_of_tick(cron, next_tick=moment(60)))
        next_one = run_of_tick(replace(cron, next_tick=moment(60)), next_tick=moment(120))
        displacing = replace(next_one, multitask_strategy="interrupt")
        assert (await _enqueue(storage, displacing)).run.run_id == displacing.run_id

    async def test_a_run_that_is_refused_leaves_the_tick_due(self, storage: Storage) -> None:
        busy = await put(storage, sample_run())
        cron = await _taken(storage)
        refused = run_of_tick(cron, next_tick=moment(60), thread_id=busy.thread_id)
        with pytest.raises(ThreadBusyError):
            await storage.runs.enqueue(refused, admit=admit_if_idle)
        with pytest.raises(NotFoundError):
            await _enqueue(storage, replace(run_of_tick(cron, next_tick=moment(60)), thread=None))
        assert (await storage.crons.get(cron.cron_id)).next_tick == moment()

    async def test_advance_moves_on_from_the_tick_that_is_due_and_from_no_other(self, storage: Storage) -> None:
        cron = await _taken(storage)
        assert await storage.crons.advance(cron.cron_id, moment(1), far_off()) is False
        assert await storage.crons.get(cron.cron_id) == cron
        assert await storage.crons.advance(cron.cron_id, moment(), moment(60)) is True
        assert await storage.crons.advance(cron.cron_id, moment(), moment(90)) is False
        assert (await storage.crons.get(cron.cron_id)).next_tick == moment(60)
        assert await storage.crons.advance("nope", moment(), None) is False

    async def test_who_was_advanced_is_free_to_be_taken_at_the_next_tick(self, storage: Storage) -> None:
        cron = await _taken(storage)
        await storage.crons.advance(cron.cron_id, moment(), moment(60))
        (again,) = await storage.crons.take_due(claim_by("worker-2"), limit=9)
        assert again.next_tick == moment(60)
        await storage.crons.advance(cron.cron_id, moment(60), None)
        assert await storage.crons.take_due(claim_by("worker-2"), limit=9) == []
        assert (await storage.crons.get(cron.cron_id)).next_tick is None

    async def test_who_was_changed_is_free_to_be_taken(self, storage: Storage) -> None:
        cron = await _taken(storage)
        await storage.crons.update(cron.cron_id, lambda old: replace(old, next_tick=moment(5)), at=moment(1))
        (again,) = await storage.crons.take_due(claim_by("worker-2"), limit=9)
        assert (again.cron_id, again.next_tick) == (cron.cron_id, moment(5))

    async def test_next_due_is_the_earliest_tick_of_the_enabled(self, storage: Storage) -> None:
        assert await storage.crons.next_due() is None
        await storage.crons.create(sample_cron(next_tick=None))
        await storage.crons.create(sample_cron(next_tick=moment(), enabled=False))
        assert await storage.crons.next_due() is None
        due = far_off()
        await storage.crons.create(sample_cron(next_tick=due + timedelta(days=1)))
        await storage.crons.create(sample_cron(next_tick=due))
        assert await storage.crons.next_due() == due
        await storage.crons.create(sample_cron(next_tick=moment(7)))
        assert await storage.crons.next_due() == moment(7)

    async def test_a_cron_that_is_held_is_due_when_that_is_over(self, storage: Storage) -> None:
        before = datetime.now(UTC)
        await _taken(storage, lease_seconds=LONG)
        due = await storage.crons.next_due()
        assert due is not None
        assert timedelta(0) < due - before - timedelta(seconds=LONG) < timedelta(seconds=LONG)


async def _taken(storage: Storage, *, lease_seconds: float = LONG) -> Cron:
    """A cron that is due and held."""
    made = await storage.crons.create(sample_cron())
    taken: Sequence[Cron] = await storage.crons.take_due(claim_by(lease_seconds=lease_seconds), limit=100)
    return next(cron for cron in taken if cron.cron_id == made.cron_id)


def run_of_tick(cron: Cron, *, next_tick: datetime, temporary: bool = False, thread_id: str | None = None) -> NewRun:
    """What the present tick of a cron is to make."""
    tick = cron.next_tick or moment()
    run_id = tick_run_id(cron.cron_id, tick)
    new = sample_run(thread_id, run_id=run_id, temporary=temporary)
    made = CronTick(cron_id=cron.cron_id, tick=tick, next_tick=next_tick, cron_updated_at=cron.updated_at)
    return replace(new, tick=made)


async def _enqueue(storage: Storage, new: NewRun) -> Admission:
    return await storage.runs.enqueue(new, admit=admit_all)
