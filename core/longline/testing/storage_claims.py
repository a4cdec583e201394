"""The contract of who works on a run: claims, leases, and the order in which runs come up."""

import asyncio
from dataclasses import replace

import pytest

from longline.errors import LeaseLostError
from longline.models.runs import CancelRequest, Lease, LeaseState, Run, RunStatus
from longline.storage.protocols import Storage
from longline.testing.storage_samples import (
    LONG,
    OVER,
    begin,
    claim_by,
    ended,
    far_off,
    lose,
    moment,
    put,
    sample_run,
)


@pytest.mark.anyio
class RunClaimContract:
    """Claims never give one run to two, and never start two runs of a thread."""

    async def test_a_claim_starts_a_waiting_run(self, storage: Storage) -> None:
        waiting = await put(storage, sample_run())
        (run,) = await storage.runs.claim(claim_by("worker-7"), limit=9)
        assert (run.run_id, run.status, run.attempt) == (waiting.run_id, RunStatus.RUNNING, 1)
        assert run.lease_owner == "worker-7"
        assert run.spec == waiting.spec
        assert await storage.runs.get(run.thread_id, run.run_id) == run
        assert await storage.runs.claim(claim_by("worker-8"), limit=9) == []

    async def test_an_empty_queue_gives_nothing(self, storage: Storage) -> None:
        assert await storage.runs.claim(claim_by(), limit=9) == []

    async def test_a_claim_takes_no_more_than_its_limit_oldest_first(self, storage: Storage) -> None:
        # All of one time and with ids against the order: what counts is who came first.
        waiting = [await put(storage, sample_run(run_id=f"run-{9 - number}")) for number in range(5)]
        first = await storage.runs.claim(claim_by(), limit=2)
        rest = await storage.runs.claim(claim_by(), limit=9)
        assert [run.run_id for run in (*first, *rest)] == [run.run_id for run in waiting]
        assert len(first) == 2

    async def test_claimers_at_once_never_share_a_run(self, storage: Storage) -> None:
        for _ in range(15):
            waiting = [await put(storage, sample_run()) for _ in range(3)]
            claims = await asyncio.gather(
                *(storage.runs.claim(claim_by(f"worker-{number}"), limit=2) for number in range(6))
            )
            taken = [run.run_id for claimed in claims for run in claimed]
            assert sorted(taken) == sorted(run.run_id for run in waiting)

    async def test_two_claimers_and_one_run_make_one_winner(self, storage: Storage) -> None:
        for _ in range(30):
            run = await put(storage, sample_run())
            one, other = await asyncio.gather(
                storage.runs.claim(claim_by("one"), limit=1), storage.runs.claim(claim_by("other"), limit=1)
            )
            assert sorted([len(one), len(other)]) == [0, 1]
            (winner,) = (*one, *other)
            assert winner.run_id == run.run_id
            assert (await storage.runs.get(run.thread_id, run.run_id)).lease_owner == winner.lease_owner

    async def test_one_thread_runs_one_run_at_a_time_in_order_of_creation(self, storage: Storage) -> None:
        first = await put(storage, sample_run(run_id="run-9"))
        second = await put(storage, sample_run(first.thread_id, run_id="run-5"))
        third = await put(storage, sample_run(first.thread_id, run_id="run-1"))
        order = []
        for _ in range(3):
            (run,) = await storage.runs.claim(claim_by(), limit=9)
            order.append(run.run_id)
            await storage.runs.finish(run.lease, ended(), at=moment(1))
        assert order == [first.run_id, second.run_id, third.run_id]

    async def test_a_delayed_run_neither_starts_nor_holds_up_a_later_one(self, storage: Storage) -> None:
        delayed = await put(storage, sample_run(not_before=far_off(), created_at=moment(9)))
        later = await put(storage, sample_run(delayed.thread_id))
        (run,) = await storage.runs.claim(claim_by(), limit=9)
        assert run.run_id == later.run_id
        await storage.runs.finish(run.lease, ended(), at=moment(1))
        assert await storage.runs.claim(claim_by(), limit=9) == []

    async def test_a_delayed_run_is_not_due_even_if_it_counts_as_created_then(self, storage: Storage) -> None:
        due = far_off()
        delayed = await begin(storage, sample_run(not_before=due, created_at=due))
        assert delayed.status is RunStatus.PENDING
        later = await begin(storage, sample_run(delayed.thread_id))
        assert later.status is RunStatus.RUNNING
        await storage.runs.finish(later.lease, ended(), at=moment(1))
        assert (await begin(storage, sample_run(delayed.thread_id, not_before=due, created_at=due))).attempt == 0
        assert await storage.runs.claim(claim_by(), limit=9) == []
        assert await storage.runs.next_due() == due

    async def test_next_due_is_the_earliest_of_the_delayed(self, storage: Storage) -> None:
        assert await storage.runs.next_due() is None
        due = far_off()
        await put(storage, sample_run())
        await put(storage, sample_run(not_before=due.replace(year=due.year + 1)))
        await put(storage, sample_run(not_before=due))
        assert await storage.runs.next_due() == due

    async def test_a_run_whose_lease_is_over_is_taken_with_the_next_attempt(self, storage: Storage) -> None:
        run = await begin(storage, lease_seconds=OVER)
        (taken,) = await storage.runs.claim(claim_by("worker-2"), limit=9)
        assert (taken.run_id, taken.attempt, taken.lease_owner) == (run.run_id, 2, "worker-2")
        assert taken.status is RunStatus.RUNNING
        assert await storage.runs.claim(claim_by("worker-3"), limit=9) == []

    async def test_a_lease_that_is_over_is_taken_once_by_claimers_at_once(self, storage: Storage) -> None:
        for _ in range(15):
            run = await begin(storage, lease_seconds=OVER)
            claims = await asyncio.gather(
                *(storage.runs.claim(claim_by(f"worker-{number}"), limit=1) for number in range(4))
            )
            assert [(taken.run_id, taken.attempt) for claimed in claims for taken in claimed] == [(run.run_id, 2)]

    async def test_a_lease_that_is_over_still_keeps_others_off_its_thread(self, storage: Storage) -> None:
        run = await begin(storage, lease_seconds=OVER)
        await put(storage, sample_run(run.thread_id))
        (taken,) = await storage.runs.claim(claim_by("worker-2"), limit=9)
        assert taken.run_id == run.run_id

    async def test_runs_of_many_threads_end_once_each_however_many_workers_pull(self, storage: Storage) -> None:
        threads = [f"thread-{number}" for number in range(6)]
        expected: dict[str, list[str]] = {thread_id: [] for thread_id in threads}
        for _ in range(5):
            for thread_id in threads:
                expected[thread_id].append((await put(storage, sample_run(thread_id))).run_id)
        done: dict[str, list[str]] = {thread_id: [] for thread_id in threads}

        async def work(owner: str) -> None:
            while sum(map(len, done.values())) < 30:
                for run in await storage.runs.claim(claim_by(owner), limit=2):
                    await storage.runs.finish(run.lease, ended(), at=moment(1))
                    done[run.thread_id].append(run.run_id)

        async with asyncio.timeout(30):
            await asyncio.gather(*(work(f"worker-{number}") for number in range(4)))
        assert done == expected

    async def test_counts_say_what_waits_and_what_runs(self, storage: Storage) -> None:
        assert await storage.runs.count_unfinished() == {"pending": 0, "running": 0}
        run = await begin(storage)
        await put(storage, sample_run(run.thread_id))
        await put(storage, sample_run(not_before=far_off()))
        assert await storage.runs.count_unfinished() == {"pending": 2, "running": 1}


@pytest.mark.anyio
class LeaseContract:
    """Heartbeats, and giving a run back."""

    async def test_keep_renews_a_lease_that_is_over_while_nobody_has_claimed(self, storage: Storage) -> None:
        run = await begin(storage, lease_seconds=OVER)
        assert await _keep(storage, [run.lease]) == [LeaseState(run_id=run.run_id, attempt=1, held=True)]
        assert await storage.runs.claim(claim_by("worker-2"), limit=9) == []

    async def test_keep_tells_who_was_shut_out_and_leaves_the_new_lease_alone(self, storage: Storage) -> None:
        run = await begin(storage, lease_seconds=OVER)
        taken = await lose(storage, run)
        assert await _keep(storage, [run.lease], lease_seconds=OVER) == [
            LeaseState(run_id=run.run_id, attempt=1, held=False)
        ]
        assert await storage.runs.claim(claim_by("worker-3"), limit=9) == []
        assert await _keep(storage, [taken.lease], owner="worker-2") == [
            LeaseState(run_id=run.run_id, attempt=2, held=True, watched=taken.watched)
        ]

    async def test_keep_answers_for_each_lease_in_order_with_its_cancel_request(self, storage: Storage) -> None:
        kept, cancelled, done = [await begin(storage) for _ in range(3)]
        request = CancelRequest(action="rollback", reason="asked")
        await storage.runs.cancel([cancelled.run_id], request, at=moment(1))
        await storage.runs.finish(done.lease, ended(), at=moment(1))
        unknown = Lease(run_id="nope", thread_id="nope", attempt=1, owner="worker-1")
        assert await _keep(storage, [kept.lease, cancelled.lease, done.lease, unknown]) == [
            LeaseState(run_id=kept.run_id, attempt=1, held=True),
            LeaseState(run_id=cancelled.run_id, attempt=1, held=True, cancel=request),
            LeaseState(run_id=done.run_id, attempt=1, held=False),
            LeaseState(run_id="nope", attempt=1, held=False),
        ]
        assert await _keep(storage, []) == []

    async def test_keep_works_while_the_event_loop_is_blocked(self, storage: Storage) -> None:
        run = await begin(storage, lease_seconds=OVER)
        # Called on the loop's own thread: nothing that it needs may wait for the loop.
        states = storage.runs.keep("worker-1", [run.lease], lease_seconds=LONG)
        assert [state.held for state in states] == [True]

    async def test_a_released_run_waits_again_and_keeps_its_attempt(self, storage: Storage) -> None:
        run = await begin(storage)
        behind = await put(storage, sample_run(run.thread_id))
        await storage.runs.release(run.lease)
        released = await storage.runs.get(run.thread_id, run.run_id)
        assert (released.status, released.attempt, released.lease_owner) == (RunStatus.PENDING, 1, None)
        assert released.released == run.released + 1
        (again,) = await storage.runs.claim(claim_by("worker-2"), limit=9)
        assert (again.run_id, again.attempt) == (run.run_id, 2)
        assert (await storage.runs.get(behind.thread_id, behind.run_id)).status is RunStatus.PENDING

    async def test_only_who_holds_the_lease_can_release(self, storage: Storage) -> None:
        run = await begin(storage, lease_seconds=OVER)
        taken = await lose(storage, run)
        with pytest.raises(LeaseLostError):
            await storage.runs.release(run.lease)
        assert await storage.runs.get(run.thread_id, run.run_id) == replace(taken, watched=False)

    async def test_a_lease_is_held_until_another_attempt_begins(self, storage: Storage) -> None:
        run = await begin(storage, lease_seconds=OVER)
        assert await storage.runs.holds(run.lease)
        taken = await lose(storage, run)
        assert not await storage.runs.holds(run.lease)
        assert await storage.runs.holds(taken.lease)
        await storage.runs.finish(taken.lease, ended(), at=moment(1))
        assert not await storage.runs.holds(taken.lease)

    async def test_a_request_to_cancel_survives_a_release(self, storage: Storage) -> None:
        run = await begin(storage)
        request = CancelRequest(action="interrupt", reason="asked")
        await storage.runs.cancel([run.run_id], request, at=moment(1))
        await storage.runs.release(run.lease)
        again: Run
        (again,) = await storage.runs.claim(claim_by("worker-2"), limit=1)
        assert again.cancel == request


async def _keep(
    storage: Storage, leases: list[Lease], *, owner: str = "worker-1", lease_seconds: float = LONG
) -> list[LeaseState]:
    return list(await asyncio.to_thread(storage.runs.keep, owner, leases, lease_seconds=lease_seconds))
