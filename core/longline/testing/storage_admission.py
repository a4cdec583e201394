"""The contract of RunQueue.enqueue: how a run gets onto the queue, and what it does to others on its thread."""

import asyncio
from dataclasses import replace

import pytest

from longline.errors import AlreadyExistsError, NotFoundError, ThreadBusyError
from longline.models.filters import Equals
from longline.models.runs import Admission, CancelRequest, Lease, Run, RunStatus
from longline.models.threads import ThreadStatus
from longline.storage.protocols import Storage
from longline.testing.storage_samples import (
    Displacing,
    admit_all,
    admit_if_idle,
    begin,
    claim_by,
    ended,
    far_off,
    moment,
    put,
    sample_run,
    sample_thread,
)


@pytest.mark.anyio
class RunAdmissionContract:
    """New runs on threads that exist, that do not, and that are busy."""

    @pytest.mark.parametrize("run_id", ["plain", "it's", 'a "quote"', "ünïcode-✓", "a;b--"])
    async def test_a_waiting_run_is_read_back_whole(self, storage: Storage, run_id: str) -> None:
        new = sample_run(f"thread {run_id}", run_id=run_id)
        run = await put(storage, new)
        assert run == Run(
            run_id=run_id,
            thread_id=f"thread {run_id}",
            assistant_id=new.assistant_id,
            metadata=new.metadata,
            status=RunStatus.PENDING,
            spec=new.spec,
            multitask_strategy=new.multitask_strategy,
            created_at=new.created_at,
            updated_at=new.created_at,
            not_before=new.not_before,
            attempt=0,
            lease_owner=None,
        )
        assert await storage.runs.get(run.thread_id, run.run_id) == run

    async def test_a_claimed_new_run_is_running_in_its_first_attempt(self, storage: Storage) -> None:
        new = sample_run()
        run = await begin(storage, new)
        assert (run.status, run.attempt, run.lease_owner) == (RunStatus.RUNNING, 1, "worker-1")
        assert run.lease == Lease(run_id=new.run_id, thread_id=new.thread_id, attempt=1, owner="worker-1")
        assert await storage.runs.get(run.thread_id, run.run_id) == run
        assert await storage.runs.claim(claim_by("worker-2"), limit=9) == []

    async def test_a_missing_thread_is_created_with_both_metadata(self, storage: Storage) -> None:
        run = await put(storage, sample_run())
        thread = await storage.threads.get(run.thread_id)
        assert thread.metadata == {"owner": "ann", "graph_id": "agent", "assistant_id": "assistant-1"}
        assert (thread.status, thread.values, thread.has_run) == (ThreadStatus.BUSY, None, False)

    async def test_an_existing_thread_gains_the_metadata_and_keeps_its_own(self, storage: Storage) -> None:
        made = await storage.threads.create(sample_thread(metadata={"owner": "ann", "graph_id": "old", "x": 1}))
        await put(storage, sample_run(made.thread_id))
        thread = await storage.threads.get(made.thread_id)
        assert thread.metadata == {"owner": "ann", "graph_id": "agent", "x": 1, "assistant_id": "assistant-1"}
        assert thread.status is ThreadStatus.BUSY
        assert thread.created_at == made.created_at

    async def test_a_missing_thread_that_may_not_be_created_is_not_found(self, storage: Storage) -> None:
        new = sample_run(creates_thread=False)
        with pytest.raises(NotFoundError, match=f"no thread with id '{new.thread_id}'"):
            await put(storage, new)
        assert await storage.runs.count_unfinished() == {"pending": 0, "running": 0}

    @pytest.mark.parametrize("creates_thread", [True, False])
    async def test_a_hidden_thread_takes_no_run_and_is_not_touched(
        self, storage: Storage, creates_thread: bool
    ) -> None:
        made = await storage.threads.create(sample_thread(metadata={"owner": "ann"}))
        new = sample_run(made.thread_id, creates_thread=creates_thread)
        with pytest.raises(NotFoundError, match=f"no thread with id '{made.thread_id}'"):
            await storage.runs.enqueue(new, admit=admit_all, visible=Equals("owner", "bob"))
        assert await storage.threads.get(made.thread_id) == made

    async def test_a_taken_run_id_is_refused_and_leaves_nothing_behind(self, storage: Storage) -> None:
        first = await put(storage, sample_run())
        second = sample_run(run_id=first.run_id)
        with pytest.raises(AlreadyExistsError):
            await put(storage, second)
        with pytest.raises(NotFoundError):
            await storage.threads.get(second.thread_id)

    async def test_the_rule_sees_the_unfinished_runs_of_the_thread_oldest_first(self, storage: Storage) -> None:
        done = await begin(storage)
        await storage.runs.finish(done.lease, ended(), at=moment(1))
        running = await begin(storage, sample_run(done.thread_id))
        delayed = await put(storage, sample_run(done.thread_id, not_before=far_off(), created_at=far_off()))
        waiting = await put(storage, sample_run(done.thread_id))
        await put(storage, sample_run())
        rule = Displacing("interrupt")
        await storage.runs.enqueue(sample_run(done.thread_id), admit=rule)
        assert rule.seen == [running, delayed, waiting]

    async def test_what_the_rule_raises_undoes_everything(self, storage: Storage) -> None:
        running = await begin(storage)
        before = await storage.threads.get(running.thread_id)
        refused = replace(sample_run(running.thread_id), thread_metadata={"graph_id": "other"})
        with pytest.raises(ThreadBusyError):
            await storage.runs.enqueue(refused, admit=admit_if_idle, claim=claim_by())
        assert await storage.threads.get(running.thread_id) == before
        with pytest.raises(NotFoundError):
            await storage.runs.get(refused.thread_id, refused.run_id)

    async def test_of_runs_that_tolerate_no_other_exactly_one_gets_in(self, storage: Storage) -> None:
        for _ in range(10):
            thread_id = (await storage.threads.create(sample_thread())).thread_id
            results = await asyncio.gather(
                *(storage.runs.enqueue(sample_run(thread_id), admit=admit_if_idle) for _ in range(8)),
                return_exceptions=True,
            )
            admitted = [result for result in results if isinstance(result, Admission)]
            assert len(admitted) == 1
            assert all(isinstance(result, Admission | ThreadBusyError) for result in results)

    async def test_a_refused_run_does_no_harm_to_those_stored_beside_it(self, storage: Storage) -> None:
        busy = await begin(storage)
        good = [sample_run() for _ in range(20)]
        bad = [sample_run(busy.thread_id) for _ in range(20)]
        mixed = [new for pair in zip(good, bad, strict=True) for new in pair]
        results = await asyncio.gather(
            *(storage.runs.enqueue(new, admit=admit_if_idle) for new in mixed), return_exceptions=True
        )
        assert [isinstance(result, Admission) for result in results] == [True, False] * 20
        for new in good:
            assert (await storage.runs.get(new.thread_id, new.run_id)).status is RunStatus.PENDING
        assert await storage.runs.count_unfinished() == {"pending": 20, "running": 1}

    async def test_an_interrupting_run_ends_waiting_ones_and_flags_the_running_one(self, storage: Storage) -> None:
        running = await begin(storage)
        waiting = await put(storage, sample_run(running.thread_id))
        delayed = await put(storage, sample_run(running.thread_id, not_before=far_off()))
        admission = await storage.runs.enqueue(
            sample_run(running.thread_id), admit=Displacing("interrupt"), claim=claim_by()
        )
        request = CancelRequest(action="interrupt", reason="displaced")
        assert [(run.run_id, run.request, run.ended) for run in admission.displaced] == [
            (running.run_id, request, False),
            (waiting.run_id, request, True),
            (delayed.run_id, request, True),
        ]
        assert {run.thread_id for run in admission.displaced} == {running.thread_id}
        assert admission.run.status is RunStatus.PENDING
        flagged = await storage.runs.get(running.thread_id, running.run_id)
        assert (flagged.status, flagged.cancel) == (RunStatus.RUNNING, request)
        for run in (waiting, delayed):
            assert (await storage.runs.get(run.thread_id, run.run_id)).status is RunStatus.INTERRUPTED
        assert (await storage.threads.get(running.thread_id)).status is ThreadStatus.BUSY

    async def test_a_rolling_back_run_erases_waiting_ones_and_flags_the_running_one(self, storage: Storage) -> None:
        running = await begin(storage)
        waiting = await put(storage, sample_run(running.thread_id))
        admission = await storage.runs.enqueue(sample_run(running.thread_id), admit=Displacing("rollback"))
        assert [(run.run_id, run.ended) for run in admission.displaced] == [
            (running.run_id, False),
            (waiting.run_id, True),
        ]
        with pytest.raises(NotFoundError):
            await storage.runs.get(waiting.thread_id, waiting.run_id)
        flagged = await storage.runs.get(running.thread_id, running.run_id)
        assert flagged.cancel == CancelRequest(action="rollback", reason="displaced")

    async def test_a_run_that_displaces_all_waiting_ones_starts_at_once(self, storage: Storage) -> None:
        waiting = await put(storage, sample_run())
        admission = await storage.runs.enqueue(
            sample_run(waiting.thread_id), admit=Displacing("interrupt"), claim=claim_by()
        )
        assert (admission.run.status, admission.run.attempt) == (RunStatus.RUNNING, 1)

    async def test_a_claimed_new_run_waits_while_another_runs_or_waits_before_it(self, storage: Storage) -> None:
        running = await begin(storage)
        assert (await begin(storage, sample_run(running.thread_id))).status is RunStatus.PENDING
        waiting = await put(storage, sample_run())
        behind = await begin(storage, sample_run(waiting.thread_id))
        assert (behind.status, behind.attempt, behind.lease_owner) == (RunStatus.PENDING, 0, None)

    async def test_a_claimed_new_run_that_is_not_due_waits(self, storage: Storage) -> None:
        assert (await begin(storage, sample_run(not_before=far_off()))).status is RunStatus.PENDING

    async def test_a_delayed_run_does_not_hold_up_a_new_one(self, storage: Storage) -> None:
        delayed = await put(storage, sample_run(not_before=far_off()))
        assert (await begin(storage, sample_run(delayed.thread_id))).status is RunStatus.RUNNING
