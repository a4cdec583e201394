"""The contract of retention in storages that several processes have open at once."""

import asyncio

import pytest

from longline.errors import NotFoundError
from longline.models.events import BEGINNING
from longline.models.retention import SweepOrder, Swept
from longline.models.runs import Admission
from longline.models.threads import NewThread, ThreadTtl
from longline.storage.protocols import Storage
from longline.testing.storage_retention import remember
from longline.testing.storage_samples import (
    admit_all,
    batch_of,
    begin,
    ended,
    moment,
    sample_run,
    sample_thread,
)
from longline.testing.storage_shared import Pair, PairContract


@pytest.mark.anyio
class SharedRetentionContract(PairContract):
    """Several sweeps, and others at work meanwhile."""

    @pytest.mark.parametrize("most_rows", [3, 100])
    async def test_two_sweeps_remove_each_thread_once(self, pair: Pair, most_rows: int) -> None:
        threads = {await _aged_thread(pair[0]) for _ in range(12)}
        async with asyncio.timeout(120):
            swept = await asyncio.gather(*(_sweep(pair[n % 2], most_rows) for n in range(4)))
        gone = [thread_id for one in swept for thread_id in one.gone]
        assert sorted(gone) == sorted(threads)
        for thread_id in threads:
            with pytest.raises(NotFoundError):
                await pair[0].threads.get(thread_id)

    async def test_a_thread_is_swept_or_gets_its_new_run_but_never_both(self, pair: Pair) -> None:
        for _ in range(10):
            thread_id = await _aged_thread(pair[0])
            new = sample_run(thread_id, creates_thread=False)
            made, swept = await asyncio.gather(
                pair[0].runs.enqueue(new, admit=admit_all), _sweep(pair[1], 100), return_exceptions=True
            )
            assert isinstance(swept, Swept), swept
            if isinstance(made, Admission):
                assert swept.gone == ()
                assert (await pair[1].runs.get(thread_id, new.run_id)).run_id == new.run_id
                await pair[1].runs.delete(thread_id, new.run_id)
                await pair[1].threads.delete(thread_id)
            else:
                assert isinstance(made, NotFoundError), made
                assert swept.gone == (thread_id,)

    async def test_runs_come_and_go_while_two_sweep(self, pair: Pair) -> None:
        for _ in range(8):
            await _aged_thread(pair[0])
        is_over = asyncio.Event()

        async def work(storage: Storage) -> int:
            done = 0
            while not is_over.is_set():
                run = await begin(storage, sample_run(temporary=done % 2 == 0))
                await storage.runs.finish(run.lease, ended(), at=moment(1))
                done += 1
            return done

        working = [asyncio.create_task(work(storage)) for storage in pair]
        async with asyncio.timeout(120):
            swept = await asyncio.gather(*(_sweep(storage, 2) for storage in pair))
            is_over.set()
            done = await asyncio.gather(*working)
        assert sum(one.threads_deleted for one in swept) == 8
        assert all(done)

    async def test_kept_streams_are_swept_by_two_at_once(self, pair: Pair) -> None:
        runs = []
        for _ in range(6):
            runs.append(await begin(pair[0]))
            await pair[0].events.append([batch_of(runs[-1].lease, *[b"{}"] * 5)])
            await pair[0].runs.finish(runs[-1].lease, ended(), at=moment(1))
        orders = SweepOrder(at=moment(2), streams_before=moment(2), most_rows=4)
        async with asyncio.timeout(60):
            swept = await asyncio.gather(*(_sweep_all(pair[n % 2], orders) for n in range(4)))
        assert sum(one.rows for one in swept) == 30
        for run in runs:
            assert await pair[0].events.read(run.run_id, after=BEGINNING, limit=9) == []


async def _aged_thread(storage: Storage) -> str:
    """A thread whose time is up, with something on it."""
    sample = sample_thread()
    new = NewThread(
        thread_id=sample.thread_id, metadata={}, created_at=moment(), ttl=ThreadTtl(minutes=1, strategy="delete")
    )
    thread_id = (await storage.threads.create(new)).thread_id
    await remember(storage, thread_id, checkpoints=4)
    run = await begin(storage, sample_run(thread_id, creates_thread=False))
    await storage.events.append([batch_of(run.lease, *[b"{}"] * 5)])
    await storage.runs.finish(run.lease, ended(), at=moment(1))
    return thread_id


async def _sweep(storage: Storage, most_rows: int) -> Swept:
    """All that is due at an hour at which all threads of these tests are, unless they have an unfinished run."""
    return await _sweep_all(storage, SweepOrder(at=moment(3600), most_rows=most_rows))


async def _sweep_all(storage: Storage, order: SweepOrder) -> Swept:
    total = Swept()
    while True:
        swept = await storage.retention.sweep(order)
        total += swept
        if swept.is_done:
            return total
