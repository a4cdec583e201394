"""Clocks that do not agree: a run that is due where it was made is due for the server and for every worker."""

from datetime import timedelta

import pytest

from longline.clock import now
from longline.models.runs import RunStatus
from longline.storage.protocols import Storage
from longline.testing.storage_samples import begin, claim_by, put, sample_run
from longline_storage_postgres import admission

pytestmark = pytest.mark.anyio

AHEAD = timedelta(hours=1)


async def test_a_run_starts_at_once_where_the_clock_is_ahead_of_the_server(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "now", lambda: now() + AHEAD)
    made_at = now() + AHEAD
    started = await begin(storage, sample_run(created_at=made_at, not_before=made_at))
    assert started.status is RunStatus.RUNNING
    behind = await begin(storage, sample_run(started.thread_id, created_at=made_at, not_before=made_at))
    assert behind.status is RunStatus.PENDING
    waiting = await put(storage, sample_run(created_at=made_at, not_before=made_at))
    assert [run.run_id for run in await storage.runs.claim(claim_by(), limit=9)] == [waiting.run_id]
    assert await storage.runs.next_due() is None
