"""The contract of storages that several processes have open at once: two handles on one place, at work together."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import pytest

from longline.errors import AlreadyExistsError, NotFoundError, VersionConflictError
from longline.ids import new_id
from longline.models.collections import Document, LogEntry
from longline.models.crons import Cron
from longline.models.json import JsonObject
from longline.models.runs import Admission
from longline.storage.capabilities import Capability
from longline.storage.protocols import Storage
from longline.testing.storage_collections import COUNTS, DOCS, LOG, sample_document
from longline.testing.storage_samples import (
    OVER,
    admit_all,
    claim_by,
    far_off,
    moment,
    sample_cron,
    sample_thread,
)
from longline.testing.storage_ticks import run_of_tick

Reopen = Callable[[], AbstractAsyncContextManager[Storage]]
Pair = tuple[Storage, Storage]


class PairContract:
    """Gives tests two open handles on the same place. The fixture `reopen` opens it each time."""

    @pytest.fixture
    async def pair(self, anyio_backend: str, reopen: Reopen) -> AsyncIterator[Pair]:
        """Two handles, as two processes have them."""
        async with reopen() as one:
            if Capability.SHARED not in one.capabilities:
                pytest.skip(f"the storage lacks the capability {Capability.SHARED!r}")
            async with reopen() as other:
                yield one, other


@pytest.mark.anyio
class SharedCronContract(PairContract):
    """Several schedulers, one tick."""

    async def test_opening_frees_no_cron_that_another_holds(self, pair: Pair, reopen: Reopen) -> None:
        await pair[0].crons.create(sample_cron())
        await pair[0].crons.take_due(claim_by(), limit=9)
        async with reopen() as third:
            for storage in (*pair, third):
                assert await storage.crons.take_due(claim_by("worker-2"), limit=9) == []

    async def test_two_schedulers_never_share_a_cron_and_leave_none(self, pair: Pair) -> None:
        for number in range(40):
            await pair[0].crons.create(sample_cron(f"cron-{number:02}", next_tick=moment(number)))
        taken = await asyncio.gather(*(pair[n % 2].crons.take_due(claim_by(f"worker-{n}"), limit=6) for n in range(10)))
        ids = [cron.cron_id for crons in taken for cron in crons]
        assert sorted(ids) == [f"cron-{number:02}" for number in range(40)]
        for crons in taken:
            assert [cron.cron_id for cron in crons] == sorted(cron.cron_id for cron in crons)

    async def test_a_tick_makes_its_run_once_in_all_processes(self, pair: Pair) -> None:
        for number in range(10):
            cron = await pair[0].crons.create(sample_cron(f"cron-{number}"))
            news = [replace(run_of_tick(cron, next_tick=far_off()), run_id=new_id()) for _ in range(4)]
            results = await asyncio.gather(
                *(pair[n % 2].runs.enqueue(news[n], admit=admit_all) for n in range(4)), return_exceptions=True
            )
            assert len([result for result in results if isinstance(result, Admission)]) == 1, results
            assert all(isinstance(result, Admission | AlreadyExistsError) for result in results), results

    async def test_updates_of_two_processes_lose_nothing(self, pair: Pair) -> None:
        made = await pair[0].crons.create(sample_cron(metadata={"n": 0}))

        def count(cron: Cron) -> Cron:
            seen = cron.metadata["n"]
            return replace(cron, metadata={"n": seen + 1 if isinstance(seen, int) else 0})

        await asyncio.gather(*(pair[n % 2].crons.update(made.cron_id, count, at=moment()) for n in range(20)))
        assert (await pair[0].crons.get(made.cron_id)).metadata == {"n": 20}

    async def test_a_tick_and_the_end_of_its_thread_do_not_stand_in_each_others_way(self, pair: Pair) -> None:
        for number in range(10):
            thread = await pair[0].threads.create(sample_thread())
            cron = await pair[0].crons.create(sample_cron(f"cron-{number}", thread_id=thread.thread_id))
            new = replace(run_of_tick(cron, next_tick=far_off(), thread_id=thread.thread_id), thread=None)
            made, _ = await asyncio.gather(
                pair[0].runs.enqueue(new, admit=admit_all), pair[1].threads.delete(thread.thread_id),
                return_exceptions=True,
            )  # fmt: skip
            assert isinstance(made, Admission | AlreadyExistsError | NotFoundError), made
            with pytest.raises(NotFoundError):
                await pair[0].runs.get(thread.thread_id, new.run_id)
            with pytest.raises(NotFoundError):
                await pair[0].crons.get(cron.cron_id)


@pytest.mark.anyio
class SharedCollectionContract(PairContract):
    """Documents, logs and counters that several processes change at once."""

    async def test_opening_frees_no_document_that_another_holds(self, pair: Pair, reopen: Reopen) -> None:
        await pair[0].collections.put(sample_document(due_at=moment()))
        (held,) = await pair[0].collections.take_due(DOCS, holder="w1", lease_seconds=600, limit=9)
        async with reopen() as third:
            for storage in (*pair, third):
                assert await storage.collections.take_due(DOCS, holder="w2", lease_seconds=600, limit=9) == []
                assert await storage.collections.get(DOCS, "ann", "k") == held

    async def test_no_document_goes_to_two_holders_and_none_is_left(self, pair: Pair) -> None:
        for number in range(40):
            await pair[0].collections.put(sample_document(f"k{number:02}", due_at=moment(number)))
        taking = (pair[n % 2].collections.take_due(DOCS, holder=f"w{n}", lease_seconds=600, limit=6) for n in range(10))
        batches = await asyncio.gather(*taking)
        assert sorted(document.key for batch in batches for document in batch) == [f"k{n:02}" for n in range(40)]
        for batch in batches:
            assert [document.key for document in batch] == sorted(document.key for document in batch)
            assert len({document.holder for document in batch}) <= 1

    @pytest.mark.parametrize("is_new", [True, False])
    async def test_of_writers_in_two_processes_over_one_version_one_wins(self, pair: Pair, is_new: bool) -> None:
        for number in range(10):
            key = f"k{number}"
            expected = 0 if is_new else (await pair[0].collections.put(sample_document(key))).version
            new = [sample_document(key, value={"n": n}) for n in range(4)]
            results = await asyncio.gather(
                *(pair[n % 2].collections.put(new[n], expected=expected) for n in range(4)), return_exceptions=True
            )
            assert sum(isinstance(result, VersionConflictError) for result in results) == 3, results
            (won,) = [result for result in results if isinstance(result, Document)]
            assert await pair[1].collections.get(DOCS, "ann", key) == won

    async def test_a_holder_that_was_too_late_is_shut_out_by_another_process(self, pair: Pair) -> None:
        await pair[0].collections.put(sample_document(due_at=moment()))
        (late,) = await pair[0].collections.take_due(DOCS, holder="w1", lease_seconds=OVER, limit=9)
        (again,) = await pair[1].collections.take_due(DOCS, holder="w2", lease_seconds=600, limit=9)
        with pytest.raises(VersionConflictError):
            await pair[0].collections.delete(DOCS, "ann", "k", expected=late.version)
        assert await pair[1].collections.delete(DOCS, "ann", "k", expected=again.version) is True

    async def test_puts_and_deletes_of_two_processes_never_use_a_version_again(self, pair: Pair) -> None:
        seen: list[int] = []

        async def come_and_go(storage: Storage) -> None:
            for _ in range(15):
                seen.append((await storage.collections.put(sample_document())).version)
                await storage.collections.delete(DOCS, "ann", "k")

        await asyncio.gather(*(come_and_go(pair[n % 2]) for n in range(4)))
        assert len(set(seen)) == len(seen) == 60

    async def test_additions_of_two_processes_are_all_counted(self, pair: Pair) -> None:
        adding = (pair[n % 2].collections.add(COUNTS, "ann", "k", window_seconds=600) for n in range(30))
        counts = await asyncio.gather(*adding)
        assert sorted(count.value for count in counts) == list(range(1, 31))
        assert len({count.ends_at for count in counts}) == 1

    async def test_who_reads_a_log_on_from_its_last_position_misses_nothing(self, pair: Pair) -> None:
        is_over = asyncio.Event()

        async def follow(storage: Storage) -> Sequence[LogEntry]:
            seen: list[LogEntry] = []
            while True:
                is_last = is_over.is_set()
                entries = await storage.collections.read(
                    LOG, "ann", "l", after=seen[-1].position if seen else 0, limit=7
                )
                seen += entries
                if is_last and not entries:
                    return seen

        async def write(writer: int) -> None:
            for n in range(25):
                values: list[JsonObject] = [{"w": writer, "n": n, "part": part} for part in range(1 + n % 3)]
                await pair[writer % 2].collections.append(LOG, "ann", "l", values)

        readers = [asyncio.create_task(follow(storage)) for storage in pair]
        async with asyncio.timeout(120):
            await asyncio.gather(*(write(writer) for writer in range(6)))
            is_over.set()
            followed = await asyncio.gather(*readers)
        stored = await pair[0].collections.read(LOG, "ann", "l", limit=1000)
        assert len(stored) == 6 * sum(1 + n % 3 for n in range(25))
        assert [len(entries) for entries in followed] == [len(stored)] * 2
        assert list(followed) == [stored, stored]

    async def test_two_processes_delete_what_has_expired_once(self, pair: Pair) -> None:
        for number in range(40):
            await pair[0].collections.put(sample_document(f"old-{number}", expires_at=moment()))
            await pair[0].collections.append(LOG, "ann", f"old-{number}", [{}], expires_at=moment())
        kept = await pair[0].collections.put(sample_document("kept", expires_at=far_off()))

        async def clean(storage: Storage) -> None:
            while await storage.collections.delete_expired(limit=3):
                pass

        async with asyncio.timeout(60):
            await asyncio.gather(*(clean(pair[n % 2]) for n in range(4)))
        assert await pair[0].collections.delete_expired(limit=99) == 0
        assert await pair[0].collections.get(DOCS, "ann", "kept") == kept
