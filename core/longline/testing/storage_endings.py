"""The contract of how runs end: finished, cancelled, erased, deleted, or shut out."""

import asyncio
from dataclasses import replace

import pytest

from longline.errors import LeaseLostError, NotFoundError
from longline.models.events import BEGINNING
from longline.models.runs import CancelRequest, RunOutcome, RunQuery, RunStatus
from longline.models.threads import RunFailure, ThreadState, ThreadStatus
from longline.storage.protocols import Storage
from longline.testing.storage_samples import (
    OVER,
    batch_of,
    begin,
    claim_by,
    ended,
    far_off,
    lose,
    moment,
    put,
    sample_run,
)

_INTERRUPT = CancelRequest(action="interrupt", reason="asked by ann")
_ROLLBACK = CancelRequest(action="rollback", reason="asked by ann")


@pytest.mark.anyio
class RunFinishContract:
    """Ends are written by who holds the lease, in one piece with the thread."""

    async def test_a_finished_run_leaves_its_state_on_the_thread(self, storage: Storage) -> None:
        run = await begin(storage)
        outcome = ended(thread_status=ThreadStatus.INTERRUPTED, values=b'{"n":[1]}', interrupts=b'{"t":[{"value":1}]}')
        await storage.runs.finish(run.lease, outcome, at=moment(7))
        done = await storage.runs.get(run.thread_id, run.run_id)
        assert (done.status, done.attempt, done.updated_at, done.failure) == (RunStatus.SUCCESS, 1, moment(7), None)
        thread = await storage.threads.get(run.thread_id)
        assert (thread.status, thread.values, thread.interrupts) == (
            ThreadStatus.INTERRUPTED,
            b'{"n":[1]}',
            b'{"t":[{"value":1}]}',
        )
        assert (thread.has_run, thread.error, thread.updated_at, thread.state_updated_at) == (
            True,
            None,
            moment(7),
            moment(7),
        )

    async def test_a_failure_stands_on_the_run_and_on_the_thread(self, storage: Storage) -> None:
        run = await begin(storage)
        failure = RunFailure(error="ValueError", message='it\'s "bad" — ünï')
        outcome = ended(RunStatus.ERROR, thread_status=ThreadStatus.ERROR, failure=failure)
        await storage.runs.finish(run.lease, outcome, at=moment(1))
        done = await storage.runs.get(run.thread_id, run.run_id)
        thread = await storage.threads.get(run.thread_id)
        assert (done.status, done.failure) == (RunStatus.ERROR, failure)
        assert (thread.status, thread.error) == (ThreadStatus.ERROR, failure)

    async def test_the_next_success_clears_the_error(self, storage: Storage) -> None:
        run = await begin(storage)
        failure = RunFailure(error="ValueError", message="boom")
        outcome = ended(RunStatus.ERROR, thread_status=ThreadStatus.ERROR, failure=failure)
        await storage.runs.finish(run.lease, outcome, at=moment(1))
        again = await begin(storage, sample_run(run.thread_id))
        await storage.runs.finish(again.lease, ended(), at=moment(2))
        thread = await storage.threads.get(run.thread_id)
        assert (thread.status, thread.error) == (ThreadStatus.IDLE, None)

    async def test_a_run_that_wrote_no_state_keeps_the_values(self, storage: Storage) -> None:
        run = await begin(storage)
        await storage.runs.finish(run.lease, ended(values=b'{"n":1}', interrupts=b'{"t":[]}'), at=moment(1))
        again = await begin(storage, sample_run(run.thread_id))
        failure = RunFailure(error="UserInterrupt", message="asked")
        outcome = ended(
            RunStatus.INTERRUPTED,
            thread_status=ThreadStatus.INTERRUPTED,
            values=None,
            interrupts=None,
            failure=failure,
            keep_values=True,
        )
        await storage.runs.finish(again.lease, outcome, at=moment(2))
        thread = await storage.threads.get(run.thread_id)
        assert (thread.values, thread.interrupts) == (b'{"n":1}', b'{"t":[]}')
        assert (thread.status, thread.error) == (ThreadStatus.INTERRUPTED, failure)

    async def test_a_thread_with_another_run_stays_busy_but_shows_the_new_values(self, storage: Storage) -> None:
        run = await begin(storage)
        await put(storage, sample_run(run.thread_id, not_before=far_off()))
        await storage.runs.finish(run.lease, ended(values=b'{"n":1}'), at=moment(1))
        thread = await storage.threads.get(run.thread_id)
        assert (thread.status, thread.values, thread.has_run) == (ThreadStatus.BUSY, b'{"n":1}', True)

    async def test_a_temporary_thread_goes_with_its_run(self, storage: Storage) -> None:
        run = await begin(storage, sample_run(temporary=True))
        await storage.events.append([batch_of(run.lease, b"1")])
        await storage.runs.finish(run.lease, ended(), at=moment(1))
        with pytest.raises(NotFoundError):
            await storage.threads.get(run.thread_id)
        with pytest.raises(NotFoundError):
            await storage.runs.get(run.thread_id, run.run_id)
        assert await storage.events.last(run.run_id) == BEGINNING

    async def test_an_erased_run_leaves_no_row_and_no_events(self, storage: Storage) -> None:
        first = await begin(storage)
        await storage.runs.finish(first.lease, ended(values=b'{"n":1}'), at=moment(1))
        run = await begin(storage, sample_run(first.thread_id))
        await storage.events.append([batch_of(run.lease, b"1")])
        failure = RunFailure(error="UserRollback", message="asked")
        outcome = RunOutcome(
            status=RunStatus.INTERRUPTED,
            state=ThreadState(status=ThreadStatus.IDLE, values=b'{"n":0}', interrupts=b"{}", error=failure),
            erase=True,
        )
        await storage.runs.finish(run.lease, outcome, at=moment(2))
        with pytest.raises(NotFoundError):
            await storage.runs.get(run.thread_id, run.run_id)
        assert await storage.events.last(run.run_id) == BEGINNING
        thread = await storage.threads.get(run.thread_id)
        assert (thread.status, thread.values, thread.error) == (ThreadStatus.IDLE, b'{"n":0}', failure)
        assert (await storage.runs.get(first.thread_id, first.run_id)).status is RunStatus.SUCCESS

    async def test_a_stale_attempt_cannot_finish(self, storage: Storage) -> None:
        run = await begin(storage, lease_seconds=OVER)
        taken = await lose(storage, run)
        before = await storage.threads.get(run.thread_id)
        for lease in (run.lease, replace(taken.lease, attempt=3), replace(taken.lease, owner="worker-1")):
            with pytest.raises(LeaseLostError):
                await storage.runs.finish(lease, ended(), at=moment(9))
        assert await storage.runs.get(run.thread_id, run.run_id) == replace(taken, watched=False)
        assert await storage.threads.get(run.thread_id) == before
        await storage.runs.finish(taken.lease, ended(), at=moment(9))

    async def test_a_run_is_finished_once(self, storage: Storage) -> None:
        run = await begin(storage)
        results = await asyncio.gather(
            *(storage.runs.finish(run.lease, ended(), at=moment(1)) for _ in range(4)), return_exceptions=True
        )
        assert sum(isinstance(result, LeaseLostError) for result in results) == 3
        assert [list(result.gone) for result in results if not isinstance(result, BaseException)] == [[]]

    async def test_a_lease_that_is_over_may_still_finish_while_nobody_has_claimed(self, storage: Storage) -> None:
        run = await begin(storage, lease_seconds=OVER)
        await storage.runs.finish(run.lease, ended(), at=moment(1))
        assert (await storage.runs.get(run.thread_id, run.run_id)).status is RunStatus.SUCCESS
        assert await storage.runs.claim(claim_by("worker-2"), limit=9) == []


@pytest.mark.anyio
class RunCancelContract:
    """Cancelled and deleted runs."""

    async def test_a_waiting_run_is_interrupted_at_once(self, storage: Storage) -> None:
        run = await put(storage, sample_run())
        (cancelled,) = await storage.runs.cancel([run.run_id], _INTERRUPT, at=moment(3))
        assert (cancelled.run_id, cancelled.thread_id, cancelled.request, cancelled.ended) == (
            run.run_id,
            run.thread_id,
            _INTERRUPT,
            True,
        )
        assert (await storage.runs.get(run.thread_id, run.run_id)).status is RunStatus.INTERRUPTED
        thread = await storage.threads.get(run.thread_id)
        assert thread.status is ThreadStatus.INTERRUPTED
        assert thread.error == RunFailure(error="UserInterrupt", message="asked by ann")
        assert await storage.runs.claim(claim_by(), limit=9) == []

    async def test_a_waiting_run_is_rolled_back_without_a_trace(self, storage: Storage) -> None:
        run = await put(storage, sample_run())
        (cancelled,) = await storage.runs.cancel([run.run_id], _ROLLBACK, at=moment(3))
        assert cancelled.ended
        with pytest.raises(NotFoundError):
            await storage.runs.get(run.thread_id, run.run_id)
        thread = await storage.threads.get(run.thread_id)
        assert thread.status is ThreadStatus.IDLE
        assert thread.error == RunFailure(error="UserRollback", message="asked by ann")

    async def test_a_cancelled_waiting_run_leaves_the_values_of_its_thread(self, storage: Storage) -> None:
        first = await begin(storage)
        await storage.runs.finish(first.lease, ended(values=b'{"n":1}'), at=moment(1))
        run = await put(storage, sample_run(first.thread_id))
        await storage.runs.cancel([run.run_id], _INTERRUPT, at=moment(3))
        assert (await storage.threads.get(run.thread_id)).values == b'{"n":1}'

    async def test_a_thread_with_another_unfinished_run_stays_busy(self, storage: Storage) -> None:
        running = await begin(storage)
        waiting = await put(storage, sample_run(running.thread_id))
        await storage.runs.cancel([waiting.run_id], _INTERRUPT, at=moment(3))
        thread = await storage.threads.get(running.thread_id)
        assert (thread.status, thread.error) == (ThreadStatus.BUSY, None)
        await storage.runs.finish(running.lease, ended(), at=moment(4))
        thread = await storage.threads.get(running.thread_id)
        assert (thread.status, thread.error) == (ThreadStatus.IDLE, None)

    async def test_a_running_run_is_flagged_and_goes_on(self, storage: Storage) -> None:
        run = await begin(storage)
        (cancelled,) = await storage.runs.cancel([run.run_id], _INTERRUPT, at=moment(3))
        assert not cancelled.ended
        flagged = await storage.runs.get(run.thread_id, run.run_id)
        assert (flagged.status, flagged.cancel) == (RunStatus.RUNNING, _INTERRUPT)
        assert (await storage.threads.get(run.thread_id)).status is ThreadStatus.BUSY
        await storage.runs.finish(run.lease, ended(RunStatus.INTERRUPTED), at=moment(4))

    async def test_ended_and_unknown_runs_are_left_out(self, storage: Storage) -> None:
        done = await begin(storage)
        await storage.runs.finish(done.lease, ended(), at=moment(1))
        waiting = await put(storage, sample_run(run_id="it's"))
        cancelled = await storage.runs.cancel([done.run_id, "nope", waiting.run_id], _INTERRUPT, at=moment(3))
        assert [run.run_id for run in cancelled] == [waiting.run_id]
        assert len(await storage.runs.cancel([], _INTERRUPT, at=moment(3))) == 0
        assert (await storage.runs.get(done.thread_id, done.run_id)).status is RunStatus.SUCCESS

    async def test_a_claim_and_a_cancel_at_once_agree(self, storage: Storage) -> None:
        for _ in range(20):
            run = await put(storage, sample_run())
            claimed, cancelled = await asyncio.gather(
                storage.runs.claim(claim_by(), limit=1), storage.runs.cancel([run.run_id], _INTERRUPT, at=moment(3))
            )
            (told,) = cancelled
            now = await storage.runs.get(run.thread_id, run.run_id)
            if told.ended:
                assert (claimed, now.status) == ([], RunStatus.INTERRUPTED)
            else:
                assert (now.status, now.cancel) == (RunStatus.RUNNING, _INTERRUPT)

    async def test_a_deleted_run_is_gone_with_its_events(self, storage: Storage) -> None:
        run = await begin(storage)
        await storage.events.append([batch_of(run.lease, b"1")])
        await storage.runs.finish(run.lease, ended(values=b'{"n":1}'), at=moment(1))
        assert await storage.runs.delete(run.thread_id, run.run_id) is False
        with pytest.raises(NotFoundError):
            await storage.runs.get(run.thread_id, run.run_id)
        assert await storage.events.last(run.run_id) == BEGINNING
        assert (await storage.threads.get(run.thread_id)).values == b'{"n":1}'
        with pytest.raises(NotFoundError):
            await storage.runs.delete(run.thread_id, run.run_id)

    async def test_deleting_a_running_run_shuts_it_out_and_frees_the_thread(self, storage: Storage) -> None:
        first = await begin(storage)
        outcome = ended(thread_status=ThreadStatus.INTERRUPTED, interrupts=b'{"t":[1]}')
        await storage.runs.finish(first.lease, outcome, at=moment(1))
        run = await begin(storage, sample_run(first.thread_id))
        assert await storage.runs.delete(run.thread_id, run.run_id) is True
        with pytest.raises(LeaseLostError):
            await storage.runs.finish(run.lease, ended(), at=moment(2))
        # As the run before it left the thread.
        assert (await storage.threads.get(run.thread_id)).status is ThreadStatus.INTERRUPTED

    async def test_a_run_of_another_thread_is_not_found(self, storage: Storage) -> None:
        run = await put(storage, sample_run())
        other = await put(storage, sample_run())
        for attempt in (
            storage.runs.get(other.thread_id, run.run_id),
            storage.runs.delete(other.thread_id, run.run_id),
            storage.runs.get("nope", run.run_id),
        ):
            with pytest.raises(NotFoundError, match=f"no run with id '{run.run_id}'"):
                await attempt

    async def test_a_search_gives_runs_newest_first_with_ties_by_id(self, storage: Storage) -> None:
        made = [
            await put(storage, sample_run("t", run_id=f"run-{number}", created_at=moment(number % 2)))
            for number in (2, 0, 3, 1, 4)
        ]
        await put(storage, sample_run("other"))
        expected = sorted(made, key=lambda run: (run.created_at, run.run_id), reverse=True)
        found = [
            run
            for offset in (0, 2, 4, 6)
            for run in await storage.runs.search(RunQuery(thread_id="t", limit=2, offset=offset))
        ]
        assert found == expected

    async def test_a_search_filters_by_every_given_condition(self, storage: Storage) -> None:
        running = await begin(storage, sample_run("t"))
        waiting = await put(storage, sample_run("t"))
        other = await put(storage, sample_run("it's"))

        async def ids(query: RunQuery) -> set[str]:
            return {run.run_id for run in await storage.runs.search(query)}

        assert await ids(RunQuery()) == {running.run_id, waiting.run_id, other.run_id}
        assert await ids(RunQuery(thread_id="it's")) == {other.run_id}
        assert await ids(RunQuery(statuses=(RunStatus.PENDING,))) == {waiting.run_id, other.run_id}
        assert await ids(RunQuery(statuses=(RunStatus.PENDING, RunStatus.RUNNING), thread_id="t")) == {
            running.run_id,
            waiting.run_id,
        }
        assert await ids(RunQuery(run_ids=[other.run_id, running.run_id, "nope"])) == {other.run_id, running.run_id}
        assert await ids(RunQuery(run_ids=[])) == set()
