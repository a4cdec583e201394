"""Background tasks are restarted when they fail, ever more slowly, and end when they return."""

import asyncio
import itertools
import logging

import pytest

from longline.tasks import BackgroundTask, supervise

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend(jumping: object) -> object:
    return jumping


async def test_a_task_that_returns_is_not_run_again() -> None:
    runs = []

    async def once() -> None:
        runs.append(1)

    await supervise(BackgroundTask(name="once", run=once))
    assert runs == [1]


async def test_a_task_that_fails_is_restarted_after_pauses_that_double_up_to_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    loop = asyncio.get_running_loop()
    starts: list[float] = []

    async def shaky() -> None:
        starts.append(loop.time())
        if len(starts) < 9:
            raise ValueError("boom")

    await supervise(BackgroundTask(name="shaky", run=shaky))
    pauses = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert pauses == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60])
    assert [record.message for record in caplog.records] == ["background task failed"] * 8
    assert [record.task for record in caplog.records] == ["shaky"] * 8
    assert [record.restart_in_seconds for record in caplog.records] == pytest.approx(pauses)
    assert "boom" in caplog.text


async def test_the_first_pause_is_the_tasks_own() -> None:
    loop = asyncio.get_running_loop()
    starts: list[float] = []

    async def shaky() -> None:
        starts.append(loop.time())
        if len(starts) < 3:
            raise ValueError("boom")

    await supervise(BackgroundTask(name="shaky", run=shaky, restart_seconds=5))
    assert starts == pytest.approx([0, 5, 15])


async def test_a_task_that_ran_well_for_long_starts_with_a_short_pause_again() -> None:
    loop = asyncio.get_running_loop()
    starts: list[float] = []

    async def mostly_fine() -> None:
        starts.append(loop.time())
        if len(starts) in (1, 2, 3, 5):
            raise ValueError("boom")
        if len(starts) == 4:
            await asyncio.sleep(600)
            raise ValueError("after ten good minutes")

    await supervise(BackgroundTask(name="mostly fine", run=mostly_fine))
    assert starts == pytest.approx([0, 1, 3, 7, 7 + 600 + 1, 7 + 600 + 1 + 2])


async def test_cancelling_ends_a_task_that_runs_and_one_that_waits(caplog: pytest.LogCaptureFixture) -> None:
    async def endless() -> None:
        await asyncio.Event().wait()

    async def failing() -> None:
        raise ValueError("boom")

    for run in (endless, failing):
        task = asyncio.create_task(supervise(BackgroundTask(name="task", run=run)))
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert len(caplog.records) == 1
    assert caplog.records[0].levelno == logging.ERROR
