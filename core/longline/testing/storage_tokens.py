"""The contract of the token that came with a run: there as long as the run is on its way, and not a moment longer."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from longline.errors import NotFoundError
from longline.models.runs import CancelAction, CancelRequest, NewRun, Run, RunQuery, RunStatus
from longline.models.threads import RunFailure, ThreadStatus
from longline.storage.protocols import Storage
from longline.testing.storage_samples import (
    OVER,
    Displacing,
    begin,
    claim_by,
    ended,
    lose,
    moment,
    put,
    sample_run,
)

SEALED = '{"token":"sealed: it\'s — ünï"}'
"""What stands for a sealed token. A storage makes nothing of it."""
OTHER = '{"token":"of somebody else"}'
"""Another."""


def with_token(thread_id: str | None = None, *, temporary: bool = False) -> NewRun:
    """A run to put on the queue, with its caller's token."""
    return replace(sample_run(thread_id, temporary=temporary), token=SEALED)


@pytest.mark.anyio
class RunTokenContract:
    """A run's token stays through claims and releases, and goes with its end."""

    async def test_a_run_is_claimed_with_the_token_that_it_came_with(self, storage: Storage) -> None:
        waiting = await put(storage, with_token())
        assert waiting.token == SEALED
        (run,) = await storage.runs.claim(claim_by(), limit=9)
        assert run.token == SEALED
        assert (await storage.runs.get(run.thread_id, run.run_id)).token == SEALED

    @pytest.mark.parametrize("temporary", [False, True])
    async def test_a_run_that_starts_at_once_has_its_token(self, storage: Storage, temporary: bool) -> None:
        run = await begin(storage, with_token(temporary=temporary))
        assert (run.status, run.token) == (RunStatus.RUNNING, SEALED)
        assert (await storage.runs.get(run.thread_id, run.run_id)).token == SEALED

    async def test_a_run_on_a_thread_that_was_there_has_its_token(self, storage: Storage) -> None:
        first = await begin(storage)
        second = await put(storage, with_token(first.thread_id))
        await storage.runs.finish(first.lease, ended(), at=moment(1))
        (run,) = await storage.runs.claim(claim_by(), limit=9)
        assert (run.run_id, run.token) == (second.run_id, SEALED)

    async def test_a_run_without_a_token_has_none(self, storage: Storage) -> None:
        run = await put(storage, sample_run())
        (claimed,) = await storage.runs.claim(claim_by(), limit=9)
        assert (run.token, claimed.token) == (None, None)

    async def test_a_run_that_was_handed_back_has_it_when_it_is_claimed_again(self, storage: Storage) -> None:
        run = await begin(storage, with_token())
        await storage.runs.release(run.lease)
        (again,) = await storage.runs.claim(claim_by("worker-2"), limit=9)
        assert (again.run_id, again.attempt, again.token) == (run.run_id, 2, SEALED)

    async def test_a_run_that_is_taken_over_has_it(self, storage: Storage) -> None:
        run = await begin(storage, with_token(), lease_seconds=OVER)
        taken = await lose(storage, run)
        assert (taken.attempt, taken.token) == (2, SEALED)

    async def test_a_running_run_that_is_to_be_cancelled_has_it_until_it_ends(self, storage: Storage) -> None:
        run = await begin(storage, with_token())
        await storage.runs.cancel([run.run_id], CancelRequest(action="interrupt", reason="asked"), at=moment(1))
        assert (await storage.runs.get(run.thread_id, run.run_id)).token == SEALED
        await storage.runs.finish(run.lease, ended(RunStatus.INTERRUPTED), at=moment(2))
        assert (await storage.runs.get(run.thread_id, run.run_id)).token is None

    @pytest.mark.parametrize("status", [status for status in RunStatus if status.is_terminal])
    async def test_a_run_that_ended_has_none(self, storage: Storage, status: RunStatus) -> None:
        run = await begin(storage, with_token())
        failure = RunFailure(error="ValueError", message="boom") if status is RunStatus.ERROR else None
        outcome = ended(status, thread_status=ThreadStatus.IDLE, failure=failure)
        await storage.runs.finish(run.lease, outcome, at=moment(1))
        done = await storage.runs.get(run.thread_id, run.run_id)
        assert (done.status, done.token) == (status, None)
        assert [found.token for found in await storage.runs.search(RunQuery(thread_id=run.thread_id))] == [None]

    async def test_a_waiting_run_that_is_cancelled_has_none(self, storage: Storage) -> None:
        run = await put(storage, with_token())
        await storage.runs.cancel([run.run_id], CancelRequest(action="interrupt", reason="asked"), at=moment(1))
        done = await storage.runs.get(run.thread_id, run.run_id)
        assert (done.status, done.token) == (RunStatus.INTERRUPTED, None)

    @pytest.mark.parametrize("action", ["interrupt", "rollback"])
    async def test_a_run_that_is_displaced_has_none_and_the_one_in_its_place_its_own(
        self, storage: Storage, action: CancelAction
    ) -> None:
        waiting = await put(storage, with_token())
        new = replace(with_token(waiting.thread_id), token=OTHER)
        admission = await storage.runs.enqueue(new, admit=Displacing(action))
        assert admission.run.token == OTHER
        assert [found.token for found in await _unless_gone(storage, waiting)] in ([], [None])
        (run,) = await storage.runs.claim(claim_by(), limit=9)
        assert (run.run_id, run.token) == (new.run_id, OTHER)


async def _unless_gone(storage: Storage, run: Run) -> Sequence[Run]:
    try:
        return [await storage.runs.get(run.thread_id, run.run_id)]
    except NotFoundError:
        return []
