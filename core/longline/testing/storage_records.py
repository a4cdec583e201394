"""The contract of records: what is to be stored with the end of a run is stored if and only if the end is."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from longline.errors import LeaseLostError, NotFoundError, ThreadBusyError
from longline.models.collections import DocumentQuery, NewDocument
from longline.models.runs import CancelAction, CancelRequest, Displacement, Run, RunStatus
from longline.storage.protocols import Storage
from longline.testing.storage_samples import (
    OVER,
    Displacing,
    admit_all,
    admit_if_idle,
    begin,
    ended,
    lose,
    moment,
    put,
    sample_run,
)

ENDS = "plugin.ends"


def record_of(run: Run) -> Sequence[NewDocument]:
    """The record of a run: its id, due at once."""
    return [
        NewDocument(collection=ENDS, owner="", key=run.run_id, value={"thread": run.thread_id, "n": 1}, due_at=moment())
    ]


async def recorded(storage: Storage) -> set[str]:
    """The ids of the runs of which there is a record."""
    page = await storage.collections.search(DocumentQuery(collection=ENDS, owner="", limit=99))
    return {document.key for document in page.items}


@pytest.mark.anyio
class RunRecordContract:
    """The outbox of runs."""

    @pytest.mark.parametrize("temporary", [False, True])
    @pytest.mark.parametrize("erase", [False, True])
    async def test_records_are_stored_with_the_end(self, storage: Storage, temporary: bool, erase: bool) -> None:
        run = await begin(storage, sample_run(temporary=temporary))
        outcome = replace(ended(erase=erase), records=tuple(record_of(run)))
        await storage.runs.finish(run.lease, outcome, at=moment(1))
        (document,) = await storage.collections.take_due(ENDS, holder="w", lease_seconds=60, limit=9)
        assert (document.key, document.owner, document.value) == (run.run_id, "", {"thread": run.thread_id, "n": 1})

    async def test_an_attempt_that_lost_its_lease_stores_no_records(self, storage: Storage) -> None:
        run = await begin(storage, lease_seconds=OVER)
        taken = await lose(storage, run)
        with pytest.raises(LeaseLostError):
            await storage.runs.finish(run.lease, replace(ended(), records=tuple(record_of(run))), at=moment(1))
        assert await recorded(storage) == set()
        finishing = replace(ended(), records=tuple(record_of(taken)))
        results = await asyncio.gather(
            *(storage.runs.finish(taken.lease, finishing, at=moment(1)) for _ in range(3)), return_exceptions=True
        )
        assert sum(isinstance(result, LeaseLostError) for result in results) == 2
        page = await storage.collections.search(DocumentQuery(collection=ENDS, owner=""))
        (document,) = page.items
        assert (document.key, document.updated_at) == (run.run_id, document.created_at)

    @pytest.mark.parametrize("action", ["interrupt", "rollback"])
    async def test_a_cancelled_run_is_recorded_if_it_ends_there(self, storage: Storage, action: CancelAction) -> None:
        running = await begin(storage)
        waiting = await put(storage, sample_run(running.thread_id))
        request = CancelRequest(action=action, reason="asked")
        ids = [running.run_id, waiting.run_id, "nope"]
        await storage.runs.cancel(ids, request, at=moment(3), record=record_of)
        assert await recorded(storage) == {waiting.run_id}

    @pytest.mark.parametrize("action", ["interrupt", "rollback"])
    async def test_a_displaced_run_is_recorded_if_it_ends_there(self, storage: Storage, action: CancelAction) -> None:
        running = await begin(storage)
        waiting = await put(storage, sample_run(running.thread_id))
        new = sample_run(running.thread_id)
        await storage.runs.enqueue(new, admit=Displacing(action), record=record_of)
        assert await recorded(storage) == {waiting.run_id}
        await storage.runs.enqueue(sample_run(running.thread_id), admit=admit_all, record=record_of)
        assert await recorded(storage) == {waiting.run_id}

    async def test_a_run_that_is_not_admitted_leaves_no_records(self, storage: Storage) -> None:
        waiting = await put(storage, sample_run())
        with pytest.raises(ThreadBusyError):
            await storage.runs.enqueue(sample_run(waiting.thread_id), admit=admit_if_idle, record=record_of)
        taken = replace(sample_run(waiting.thread_id), run_id=waiting.run_id)

        def displace(unfinished: Sequence[Run]) -> Displacement:
            return Displacement(
                run_ids=tuple(run.run_id for run in unfinished), request=CancelRequest(action="interrupt", reason="x")
            )

        with pytest.raises(Exception, match="already exists"):
            await storage.runs.enqueue(taken, admit=displace, record=record_of)
        assert await recorded(storage) == set()
        assert (await storage.runs.get(waiting.thread_id, waiting.run_id)).status is RunStatus.PENDING

    async def test_a_record_that_cannot_be_made_keeps_the_run_as_it_is(self, storage: Storage) -> None:
        waiting = await put(storage, sample_run())

        def fail(run: Run) -> Sequence[NewDocument]:
            raise NotFoundError("record", run.run_id)

        request = CancelRequest(action="interrupt", reason="asked")
        with pytest.raises(NotFoundError, match="no record"):
            await storage.runs.cancel([waiting.run_id], request, at=moment(3), record=fail)
        assert (await storage.runs.get(waiting.thread_id, waiting.run_id)).status is RunStatus.PENDING
