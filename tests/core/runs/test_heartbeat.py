"""Leases are renewed from a thread of their own, and what it learns reaches the event loop."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from longline.errors import StorageError
from longline.models.runs import CancelRequest, Lease, LeaseState
from longline.runs.heartbeat import Heartbeat
from longline.storage.protocols import Storage
from longline.testing.storage_samples import OVER, begin, lose
from longline_storage_sqlite.settings import SqliteSettings
from longline_storage_sqlite.storage import sqlite_backend

pytestmark = pytest.mark.anyio

STOP = CancelRequest(action="interrupt", reason="enough")


@dataclass
class Asked:
    """The real queue, with a note of each question and a failure if there is to be one."""

    keep_for_real: Callable[..., Sequence[LeaseState]]
    calls: list[list[str]] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)
    failure: Exception | None = None
    was_asked: threading.Event = field(default_factory=threading.Event)

    def keep(self, owner: str, leases: Sequence[Lease], *, lease_seconds: float) -> Sequence[LeaseState]:
        self.calls.append([lease.run_id for lease in leases])
        self.threads.add(threading.get_ident())
        self.was_asked.set()
        if self.failure is not None:
            raise self.failure
        return self.keep_for_real(owner, leases, lease_seconds=lease_seconds)

    async def asked_again(self) -> None:
        self.was_asked.clear()
        assert await asyncio.to_thread(self.was_asked.wait, 10)


@pytest.fixture
async def storage(anyio_backend: str, tmp_path) -> AsyncIterator[Storage]:
    async with sqlite_backend(SqliteSettings()).connect(f"sqlite:///{tmp_path}/beat.db") as opened:
        yield opened


@asynccontextmanager
async def beating(storage: Storage, *, seconds: float = 0.02) -> AsyncIterator[tuple[Heartbeat, Asked, asyncio.Queue]]:
    told: asyncio.Queue[Sequence[LeaseState]] = asyncio.Queue()
    queue = Asked(storage.runs.keep)
    heartbeat = Heartbeat(queue, owner="worker-1", seconds=seconds, lease_seconds=600, report=told.put_nowait)
    heartbeat.start()
    try:
        async with asyncio.timeout(20):
            yield heartbeat, queue, told
    finally:
        await heartbeat.stop()


async def test_leases_are_renewed_off_the_event_loop_until_they_are_removed(storage: Storage) -> None:
    one, two = await begin(storage), await begin(storage)
    async with beating(storage) as (heartbeat, queue, told):
        heartbeat.add(one.lease)
        heartbeat.add(two.lease)
        await queue.asked_again()
        await queue.asked_again()
        heartbeat.remove(one.lease)
        await queue.asked_again()
        await queue.asked_again()
        assert queue.calls[-1] == [two.run_id]
        assert told.empty()
    assert threading.get_ident() not in queue.threads
    assert sorted(queue.calls[1]) == sorted([one.run_id, two.run_id])


async def test_without_leases_the_storage_is_left_alone(storage: Storage) -> None:
    async with beating(storage) as (heartbeat, queue, _):
        for _ in range(3):
            heartbeat.beat_now()
            await asyncio.to_thread(queue.was_asked.wait, 0.03)
        assert queue.calls == []


async def test_a_lost_lease_and_a_cancel_are_told(storage: Storage) -> None:
    stale, cancelled, fine = await begin(storage, lease_seconds=OVER), await begin(storage), await begin(storage)
    await lose(storage, stale)
    await storage.runs.cancel([cancelled.run_id], STOP, at=stale.created_at)
    async with beating(storage) as (heartbeat, _, told):
        for run in (stale, cancelled, fine):
            heartbeat.add(run.lease)
        states = await told.get()
        while len(states) < 2:
            states = await told.get()
    assert {state.run_id: (state.held, state.cancel) for state in states} == {
        stale.run_id: (False, None),
        cancelled.run_id: (True, STOP),
    }


async def test_somebody_who_knows_more_need_not_wait_for_the_next_beat(storage: Storage) -> None:
    run = await begin(storage)
    await storage.runs.cancel([run.run_id], STOP, at=run.created_at)
    async with beating(storage, seconds=600) as (heartbeat, _, told):
        heartbeat.add(run.lease)
        heartbeat.beat_now()
        (state,) = await told.get()
        assert state.cancel == STOP


async def test_a_storage_that_is_away_is_logged_once_and_asked_until_it_is_back(
    storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    run = await begin(storage)
    await storage.runs.cancel([run.run_id], STOP, at=run.created_at)
    with caplog.at_level(logging.ERROR):
        async with beating(storage) as (heartbeat, queue, told):
            queue.failure = StorageError("disk full")
            heartbeat.add(run.lease)
            for _ in range(3):
                await queue.asked_again()
            queue.failure = None
            await told.get()
            queue.failure = StorageError("again")
            await queue.asked_again()
            await queue.asked_again()
    assert [record.reason for record in caplog.records] == ["disk full", "again"]
