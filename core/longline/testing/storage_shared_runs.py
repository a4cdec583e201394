"""The contract of a queue that several processes work on: two handles on one place, at work together."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence

import pytest

from longline.errors import AlreadyExistsError, LeaseLostError, NotFoundError, ThreadBusyError
from longline.models.events import BEGINNING
from longline.models.runs import Admission, CancelRequest, Claim, Run, RunQuery, RunStatus
from longline.storage.protocols import Storage
from longline.testing.storage_samples import (
    LONG,
    OVER,
    admit_all,
    admit_if_idle,
    batch_of,
    begin,
    claim_by,
    ended,
    moment,
    put,
    sample_run,
    sample_thread,
)
from longline.testing.storage_shared import Pair, PairContract, Reopen

_INTERRUPT = CancelRequest(action="interrupt", reason="asked by ann")
_UNFINISHED = (RunStatus.PENDING, RunStatus.RUNNING)


@pytest.mark.anyio
class SharedRunContract(PairContract):
    """Several workers, one queue."""

    async def test_opening_frees_no_run_that_another_holds(self, pair: Pair, reopen: Reopen) -> None:
        run = await begin(pair[0])
        async with reopen() as third:
            for storage in (*pair, third):
                assert await storage.runs.claim(claim_by("worker-2"), limit=9) == []
            await pair[0].runs.finish(run.lease, ended(), at=moment(1))

    async def test_what_one_puts_there_another_takes(self, pair: Pair) -> None:
        waiting = await put(pair[0], sample_run())
        (taken,) = await pair[1].runs.claim(claim_by("worker-2"), limit=9)
        assert (taken.run_id, taken.lease_owner) == (waiting.run_id, "worker-2")
        assert await pair[0].runs.holds(taken.lease)
        assert (await pair[0].runs.get(taken.thread_id, taken.run_id)) == taken

    async def test_who_was_shut_out_elsewhere_can_write_nothing(self, pair: Pair) -> None:
        run = await begin(pair[0], lease_seconds=OVER)
        (taken,) = await pair[1].runs.claim(claim_by("worker-2"), limit=9)
        assert taken.attempt == 2
        assert await pair[0].events.append([batch_of(run.lease, b"late")]) == {run.run_id}
        states = await asyncio.to_thread(pair[0].runs.keep, "worker-1", [run.lease], lease_seconds=LONG)
        assert [state.held for state in states] == [False]
        for attempt in (pair[0].runs.finish(run.lease, ended(), at=moment(1)), pair[0].runs.release(run.lease)):
            with pytest.raises(LeaseLostError):
                await attempt
        assert await pair[1].events.last(run.run_id) == BEGINNING

    async def test_a_lease_is_not_taken_over_by_who_does_not_want_to(self, pair: Pair) -> None:
        run = await begin(pair[0], lease_seconds=OVER)
        waiting = await put(pair[0], sample_run())
        careful = Claim(owner="worker-2", lease_seconds=LONG, takes_over=False)
        assert [run.run_id for run in await pair[1].runs.claim(careful, limit=9)] == [waiting.run_id]
        assert [run.run_id for run in await pair[1].runs.claim(claim_by("worker-2"), limit=9)] == [run.run_id]

    async def test_claimers_everywhere_never_share_a_run_and_leave_none(self, pair: Pair) -> None:
        for _ in range(5):
            waiting = [await put(pair[n % 2], sample_run()) for n in range(24)]
            claims = await asyncio.gather(*(pair[n % 2].runs.claim(claim_by(f"w{n}"), limit=6) for n in range(8)))
            taken = [run.run_id for claimed in claims for run in claimed]
            assert sorted(taken) == sorted(run.run_id for run in waiting)

    async def test_of_runs_that_tolerate_no_other_exactly_one_gets_in(self, pair: Pair) -> None:
        for _ in range(10):
            thread_id = (await pair[0].threads.create(sample_thread())).thread_id
            results = await asyncio.gather(
                *(
                    pair[n % 2].runs.enqueue(sample_run(thread_id), admit=admit_if_idle, claim=claim_by(f"w{n}"))
                    for n in range(8)
                ),
                return_exceptions=True,
            )
            (admitted,) = [result for result in results if isinstance(result, Admission)]
            assert admitted.run.status is RunStatus.RUNNING
            assert all(isinstance(result, Admission | ThreadBusyError) for result in results), results

    async def test_a_thread_that_two_make_at_once_is_made_once(self, pair: Pair) -> None:
        for number in range(10):
            thread_id = f"thread-{number}"
            results = await asyncio.gather(
                *(
                    pair[n % 2].runs.enqueue(sample_run(thread_id), admit=admit_all, claim=claim_by(f"w{n}"))
                    for n in range(6)
                )
            )
            running = [result.run for result in results if result.run.status is RunStatus.RUNNING]
            assert [run.turn for run in running] == [1]
            assert len(await pair[0].runs.search(RunQuery(thread_id=thread_id, statuses=_UNFINISHED))) == 6

    async def test_a_run_id_is_given_once(self, pair: Pair) -> None:
        for number in range(10):
            new = sample_run(run_id=f"run-{number}")
            results = await asyncio.gather(
                *(pair[n % 2].runs.enqueue(new, admit=admit_all) for n in range(6)), return_exceptions=True
            )
            assert len([result for result in results if isinstance(result, Admission)]) == 1
            assert all(isinstance(result, Admission | AlreadyExistsError) for result in results), results

    async def test_a_claim_and_an_end_at_once_agree(self, pair: Pair) -> None:
        for _ in range(20):
            run = await begin(pair[0], lease_seconds=OVER)
            done, taken = await asyncio.gather(
                pair[0].runs.finish(run.lease, ended(), at=moment(1)),
                pair[1].runs.claim(claim_by("worker-2"), limit=1),
                return_exceptions=True,
            )
            now = await pair[0].runs.get(run.thread_id, run.run_id)
            if isinstance(done, LeaseLostError):
                assert (now.status, now.attempt, now.lease_owner) == (RunStatus.RUNNING, 2, "worker-2")
                await pair[1].runs.finish(now.lease, ended(), at=moment(2))
            else:
                assert (now.status, now.attempt, taken) == (RunStatus.SUCCESS, 1, [])

    async def test_events_of_two_writers_are_of_one_attempt_each(self, pair: Pair) -> None:
        for _ in range(10):
            run = await begin(pair[0], lease_seconds=OVER)
            lost, taken = await asyncio.gather(
                pair[0].events.append([batch_of(run.lease, b"1", b"2")]),
                pair[1].runs.claim(claim_by("worker-2"), limit=1),
            )
            # A claim waits for nobody: it comes before the events, after them, or not at all just now.
            new = list(taken) or list(await pair[1].runs.claim(claim_by("worker-2"), limit=1))
            assert [found.attempt for found in new] == [2]
            found = await pair[1].events.read(run.run_id, after=BEGINNING, limit=9)
            assert len(found) == (0 if lost else 2)
            await pair[1].runs.finish(new[0].lease, ended(), at=moment(1))

    async def test_runs_of_each_thread_run_in_order_and_one_at_a_time_wherever_they_run(self, pair: Pair) -> None:
        chance = random.Random(7)  # noqa: S311  # no secret
        threads = [f"thread-{number}" for number in range(10)]
        expected: dict[str, list[str]] = defaultdict(list)
        started: dict[str, list[str]] = defaultdict(list)
        running: dict[str, str] = {}
        done: set[str] = set()
        all_put = asyncio.Event()

        async def fill(storage: Storage, mine: Sequence[str]) -> None:
            for _ in range(120):
                thread_id = chance.choice(mine)
                run = await put(storage, sample_run(thread_id))
                expected[thread_id].append(run.run_id)

        async def take_up(runs: Sequence[Run]) -> None:
            for run in runs:
                assert run.thread_id not in running, "two runs of a thread at once"
                running[run.thread_id] = run.run_id
                if not started[run.thread_id] or started[run.thread_id][-1] != run.run_id:
                    started[run.thread_id].append(run.run_id)

        async def work(storage: Storage, owner: str) -> None:
            while not all_put.is_set() or len(done) < 240:
                runs = await storage.runs.claim(claim_by(owner), limit=chance.randint(1, 4))
                await take_up(runs)
                for run in runs:
                    del running[run.thread_id]
                    if chance.random() < 0.2:
                        await storage.runs.release(run.lease)
                    else:
                        await storage.runs.finish(run.lease, ended(), at=moment(1))
                        done.add(run.run_id)

        async with asyncio.timeout(60):
            workers = [asyncio.create_task(work(pair[n % 2], f"w{n}")) for n in range(6)]
            await asyncio.gather(fill(pair[0], threads[:5]), fill(pair[1], threads[5:]))
            all_put.set()
            await asyncio.gather(*workers)
        assert started == expected

    async def test_two_of_everything_on_the_same_threads_get_along(self, pair: Pair) -> None:  # noqa: C901  # many acts
        threads = [f"thread-{number}" for number in range(5)]
        refusals = (LeaseLostError, NotFoundError, ThreadBusyError)
        counted: dict[str, int] = defaultdict(int)

        async def enqueue(storage: Storage, chance: random.Random, owner: str) -> None:
            claim = claim_by(owner, lease_seconds=chance.choice([OVER, LONG]))
            new = sample_run(chance.choice(threads), temporary=chance.random() < 0.2)
            run = (await storage.runs.enqueue(new, admit=admit_all, claim=claim)).run
            if run.status is RunStatus.RUNNING:
                await play(storage, chance, run)

        async def claim(storage: Storage, chance: random.Random, owner: str) -> None:
            lease = chance.choice([OVER, LONG])
            for run in await storage.runs.claim(claim_by(owner, lease_seconds=lease), limit=3):
                await play(storage, chance, run)

        async def play(storage: Storage, chance: random.Random, run: Run) -> None:
            await storage.events.append([batch_of(run.lease, b"1", b"2")])
            await asyncio.to_thread(storage.runs.keep, run.lease.owner, [run.lease], lease_seconds=OVER)
            if chance.random() < 0.3:
                await storage.runs.release(run.lease)
            else:
                await storage.runs.finish(run.lease, ended(erase=chance.random() < 0.2), at=moment(1))

        async def cancel(storage: Storage, chance: random.Random, owner: str) -> None:  # noqa: ARG001  # as the others
            found = await storage.runs.search(RunQuery(statuses=_UNFINISHED, limit=6))
            chosen = [run.run_id for run in found if chance.random() < 0.5]
            await storage.runs.cancel(chosen, _INTERRUPT, at=moment(2))

        async def delete(storage: Storage, chance: random.Random, owner: str) -> None:  # noqa: ARG001  # as the others
            for run in await storage.runs.search(RunQuery(thread_id=chance.choice(threads), limit=1)):
                await storage.runs.delete(run.thread_id, run.run_id)

        async def drop(storage: Storage, chance: random.Random, owner: str) -> None:  # noqa: ARG001  # as the others
            await storage.threads.delete(chance.choice(threads))

        async def work(number: int) -> None:
            chance = random.Random(number)  # noqa: S311  # no secret
            for _ in range(60):
                (act,) = chance.choices([enqueue, claim, cancel, delete, drop], [6, 4, 2, 1, 1])
                try:
                    await act(pair[number % 2], chance, f"w{number}")
                except refusals:
                    counted["refused"] += 1
                counted[act.__name__] += 1

        async with asyncio.timeout(60):
            await asyncio.gather(*(work(number) for number in range(8)))
        assert sum(counted[act.__name__] for act in (enqueue, claim, cancel, delete, drop)) == 480
        assert counted["refused"] < 480
        for run in await pair[0].runs.search(RunQuery(statuses=(RunStatus.RUNNING,), limit=99)):
            assert len(await pair[1].runs.search(RunQuery(thread_id=run.thread_id, statuses=(RunStatus.RUNNING,)))) == 1
