"""The contract of RelayStore: what processes that share a storage leave for each other's readers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Protocol

import pytest

from longline.models.events import BEGINNING, EventBatch, EventId, RunEnding, RunEvent
from longline.models.runs import CancelRequest, LeaseState, NewRun, Run, RunStatus
from longline.models.threads import RunFailure
from longline.storage.capabilities import Capability
from longline.storage.protocols import Storage
from longline.storage.relay import BegunRun, FollowedRun, RelayedEnd, RelayStore
from longline.testing.storage_samples import (
    LONG,
    OVER,
    batch_of,
    begin,
    claim_by,
    ended,
    lose,
    moment,
    put,
    sample_run,
)


class _Reopen(Protocol):
    def __call__(self) -> AbstractAsyncContextManager[Storage]: ...


def _unkept(*, temporary: bool = False, watched_by: str | None = None, thread_id: str | None = None) -> NewRun:
    """A run whose events the log does not keep."""
    new = sample_run(thread_id, temporary=temporary)
    return replace(new, spec=replace(new.spec, resumable=False), watched_by=watched_by)


def _with_turn(batch: EventBatch, turn: int) -> EventBatch:
    return EventBatch(batch.lease, tuple(replace(event, turn=turn) for event in batch.events))


@pytest.mark.anyio
class RelayContract:
    """Who reads what, and what is left for them."""

    @pytest.fixture
    async def shared(self, anyio_backend: str, reopen: _Reopen) -> AsyncIterator[Storage]:
        """A storage that has a relay."""
        async with reopen() as storage:
            if Capability.SHARED not in storage.capabilities:
                pytest.skip(f"the storage lacks the capability {Capability.SHARED!r}")
            yield storage

    @pytest.fixture
    def relay(self, shared: Storage) -> RelayStore:
        """Its relay."""
        assert shared.relay is not None
        return shared.relay

    async def test_a_run_is_watched_when_another_process_claims_it(self, shared: Storage) -> None:
        await put(shared, _unkept(watched_by="worker-1"))
        (taken,) = await shared.runs.claim(claim_by("worker-2"), limit=9)
        assert taken.watched
        await put(shared, _unkept(watched_by="worker-1"))
        (own,) = await shared.runs.claim(claim_by("worker-1"), limit=9)
        assert not own.watched
        await put(shared, _unkept())
        (nobodys,) = await shared.runs.claim(claim_by("worker-2"), limit=9)
        assert not nobodys.watched

    async def test_a_run_that_starts_at_once_is_not_watched_by_its_own_process_but_by_the_next(
        self, shared: Storage
    ) -> None:
        run = await begin(shared, _unkept(watched_by="worker-1"), lease_seconds=OVER)
        assert (run.status, run.watched) == (RunStatus.RUNNING, False)
        assert (await lose(shared, run)).watched

    async def test_a_watched_thread_makes_its_runs_watched_for_a_while(
        self, shared: Storage, relay: RelayStore
    ) -> None:
        first = await begin(shared)
        await relay.watch_thread(first.thread_id, "reader", seconds=LONG)
        assert (await shared.runs.finish(first.lease, ended(), at=moment(1))).is_watched
        second = await begin(shared, sample_run(first.thread_id))
        assert second.watched
        await shared.runs.finish(second.lease, ended(), at=moment(2))
        await put(shared, sample_run(first.thread_id))
        (third,) = await shared.runs.claim(claim_by(), limit=9)
        assert third.watched
        over = await begin(shared)
        await relay.watch_thread(over.thread_id, "reader", seconds=OVER)
        assert not (await shared.runs.finish(over.lease, ended(), at=moment(1))).is_watched

    async def test_who_watches_their_own_run_need_not_be_told(self, shared: Storage, relay: RelayStore) -> None:
        run = await begin(shared)
        await relay.watch_run(run.run_id, "worker-1")
        await relay.watch_thread(run.thread_id, "worker-1", seconds=LONG)
        assert not (await shared.runs.finish(run.lease, ended(), at=moment(1))).is_watched

    @pytest.mark.parametrize("other", ["worker-1", "worker-3"])
    async def test_two_watch_and_one_of_them_executes(self, shared: Storage, relay: RelayStore, other: str) -> None:
        by_run, by_thread = await begin(shared), await begin(shared)
        for owner in ("worker-2", other):
            assert await relay.watch_run(by_run.run_id, owner) is not None
            await relay.watch_thread(by_thread.thread_id, owner, seconds=LONG)
        for run in (by_run, by_thread):
            assert (await shared.runs.finish(run.lease, ended(), at=moment(1))).is_watched

    async def test_a_heartbeat_learns_that_a_run_is_watched(self, shared: Storage, relay: RelayStore) -> None:
        run, on_thread, quiet = await begin(shared), await begin(shared), await begin(shared)
        await relay.watch_run(run.run_id, "worker-2")
        await relay.watch_thread(on_thread.thread_id, "worker-2", seconds=LONG)
        leases = [run.lease, on_thread.lease, quiet.lease]
        assert await asyncio.to_thread(shared.runs.keep, "worker-1", leases, lease_seconds=LONG) == [
            LeaseState(run_id=run.run_id, attempt=1, held=True, watched=True),
            LeaseState(run_id=on_thread.run_id, attempt=1, held=True, watched=True),
            LeaseState(run_id=quiet.run_id, attempt=1, held=True, watched=False),
        ]

    async def test_watching_tells_where_a_run_stands(self, shared: Storage, relay: RelayStore) -> None:
        kept, unkept = await begin(shared), await begin(shared, _unkept())
        assert await relay.watch_run(kept.run_id, "r") == FollowedRun(run_id=kept.run_id, last=BEGINNING, is_kept=True)
        await shared.events.append([batch_of(kept.lease, b"1", b"2")])
        await relay.append([batch_of(unkept.lease, b"1", b"2", b"3")])
        assert await relay.watch_run(kept.run_id, "r") == FollowedRun(
            run_id=kept.run_id, last=EventId(1, 2), is_kept=True
        )
        assert await relay.watch_run(unkept.run_id, "r") == FollowedRun(
            run_id=unkept.run_id, last=EventId(1, 3), is_kept=False
        )

    async def test_watching_a_thread_tells_of_its_unfinished_runs_oldest_first(
        self, shared: Storage, relay: RelayStore
    ) -> None:
        done = await begin(shared)
        await shared.runs.finish(done.lease, ended(), at=moment(1))
        running = await begin(shared, sample_run(done.thread_id))
        waiting = await put(shared, _unkept(thread_id=done.thread_id))
        await shared.events.append([batch_of(running.lease, b"1")])
        found = await relay.watch_thread(done.thread_id, "r", seconds=LONG)
        assert found is not None
        assert found.turn == 2
        assert list(found.unfinished) == [
            FollowedRun(run_id=running.run_id, last=EventId(1, 1), is_kept=True),
            FollowedRun(run_id=waiting.run_id, last=BEGINNING, is_kept=False),
        ]
        begun = BegunRun(run_id=running.run_id, thread_id=done.thread_id, turn=2, is_kept=True)
        assert [run.turn for run in await relay.begun({done.thread_id: 0, "nope": 0})] == [1, 2]
        assert list(await relay.begun({done.thread_id: 1})) == [begun]
        await shared.runs.finish(running.lease, ended(RunStatus.INTERRUPTED, erase=True), at=moment(1))
        assert list(await relay.begun({done.thread_id: 1})) == [replace(begun, is_kept=False)]
        assert await relay.watch_thread("nope", "r", seconds=LONG) is None

    async def test_a_run_that_has_ended_or_is_gone_cannot_be_watched(self, shared: Storage, relay: RelayStore) -> None:
        run = await begin(shared)
        await shared.runs.finish(run.lease, ended(), at=moment(1))
        assert await relay.watch_run(run.run_id, "reader") is None
        assert await relay.watch_run("nope", "reader") is None

    async def test_an_end_either_sees_the_reader_or_came_before(self, shared: Storage, relay: RelayStore) -> None:
        for _ in range(20):
            run = await begin(shared)
            finished, followed = await asyncio.gather(
                shared.runs.finish(run.lease, ended(), at=moment(1)), relay.watch_run(run.run_id, "reader")
            )
            assert finished.is_watched == (followed is not None)

    async def test_relayed_events_are_read_back_with_their_turn(self, shared: Storage, relay: RelayStore) -> None:
        run = await begin(shared, _unkept())
        batch = _with_turn(batch_of(run.lease, *(str(number).encode() for number in range(25))), 7)
        assert await relay.append([batch]) == frozenset()
        found: list[RunEvent] = []
        after = BEGINNING
        while events := await relay.read(run.run_id, after=after, limit=7):
            assert len(events) <= 7
            found += events
            after = events[-1].event_id
        assert found == list(batch.events)
        assert {event.turn for event in found} == {7}
        assert await shared.events.read(run.run_id, after=BEGINNING, limit=9) == []

    async def test_what_the_log_keeps_is_read_with_its_turn_too(self, shared: Storage, relay: RelayStore) -> None:
        run = await begin(shared)
        await shared.runs.finish(run.lease, ended(), at=moment(1))
        again = await begin(shared, sample_run(run.thread_id))
        batch = batch_of(again.lease, b"1", b"2")
        await shared.events.append([batch])
        found = await relay.read(again.run_id, after=BEGINNING, limit=9)
        assert found == list(batch.events)
        assert [event.turn for event in found] == [2, 2]
        assert list(await relay.read(again.run_id, after=EventId(1, 1), limit=9)) == list(batch.events[1:])
        assert list(await relay.read(again.run_id, after=EventId(10**30, 1), limit=9)) == []

    async def test_large_events_are_read_a_few_at_a_time(self, shared: Storage, relay: RelayStore) -> None:
        run = await begin(shared, _unkept())
        await relay.append([batch_of(run.lease, *[b"x" * 3_000_000] * 4)])
        assert 1 <= len(await relay.read(run.run_id, after=BEGINNING, limit=500)) < 4

    async def test_who_lost_the_lease_relays_nothing_and_others_do(self, shared: Storage, relay: RelayStore) -> None:
        stale = await begin(shared, _unkept(), lease_seconds=OVER)
        await lose(shared, stale)
        good = await begin(shared, _unkept())
        lost = await relay.append([batch_of(stale.lease, b"1"), batch_of(good.lease, b"2"), batch_of(good.lease, b"2")])
        assert lost == {stale.run_id}
        assert list(await relay.read(stale.run_id, after=BEGINNING, limit=9)) == []
        assert [event.data for event in await relay.read(good.run_id, after=BEGINNING, limit=9)] == [b"2"]

    async def test_a_watched_end_is_there_whatever_became_of_the_run(self, shared: Storage, relay: RelayStore) -> None:
        kept = await _watched(shared, relay, sample_run())
        temporary = await _watched(shared, relay, _unkept(temporary=True))
        rolled = await _watched(shared, relay, sample_run())
        failure = RunFailure(error="ValueError", message="boom — ünï")
        outcome = replace(ended(RunStatus.ERROR, failure=failure), result=b'{"a":"\xc3\xbc"}')
        await shared.runs.finish(kept.lease, outcome, at=moment(1))
        await shared.runs.finish(temporary.lease, replace(ended(), result=b'{"n":1}'), at=moment(2))
        await shared.runs.finish(rolled.lease, ended(RunStatus.INTERRUPTED, erase=True), at=moment(3))
        ends = await relay.ends([kept.run_id, temporary.run_id, rolled.run_id])
        assert ends == {
            kept.run_id: RelayedEnd(
                thread_id=kept.thread_id,
                ending=RunEnding(run_id=kept.run_id, turn=1, status=RunStatus.ERROR, failure=failure),
                result=b'{"a":"\xc3\xbc"}',
                is_kept=True,
            ),
            temporary.run_id: RelayedEnd(
                thread_id=temporary.thread_id,
                ending=RunEnding(run_id=temporary.run_id, turn=1, status=RunStatus.SUCCESS),
                result=b'{"n":1}',
                is_kept=False,
            ),
            rolled.run_id: RelayedEnd(
                thread_id=rolled.thread_id,
                ending=RunEnding(run_id=rolled.run_id, turn=1, status=None),
                result=None,
                is_kept=False,
            ),
        }
        assert {run_id: end.ending.at_ms for run_id, end in ends.items() if end is not None} == {
            kept.run_id: 1_767_323_046_678,
            temporary.run_id: 1_767_323_047_678,
            rolled.run_id: 1_767_323_048_678,
        }

    async def test_ends_of_runs_that_nobody_watched_are_told_from_what_is_there(
        self, shared: Storage, relay: RelayStore
    ) -> None:
        done, deleted, running = await begin(shared), await begin(shared), await begin(shared)
        await shared.runs.finish(done.lease, replace(ended(), result=b"{}"), at=moment(1))
        await shared.runs.delete(deleted.thread_id, deleted.run_id)
        waiting = await put(shared, _unkept())
        cancelled = await put(shared, sample_run(running.thread_id))
        request = CancelRequest(action="interrupt", reason="asked")
        await shared.runs.cancel([cancelled.run_id], request, at=moment(2))
        ids = [done.run_id, deleted.run_id, running.run_id, waiting.run_id, cancelled.run_id, "nope"]
        ends = await relay.ends(ids)
        assert [run_id for run_id, end in ends.items() if end is not None and end.ending.is_behind] == [
            cancelled.run_id
        ]
        assert ends == {
            done.run_id: RelayedEnd(
                thread_id=done.thread_id,
                ending=RunEnding(run_id=done.run_id, turn=1, status=RunStatus.SUCCESS),
                result=b'{"n":1}',
                is_kept=True,
                is_of_thread=True,
            ),
            deleted.run_id: None,
            cancelled.run_id: RelayedEnd(
                thread_id=cancelled.thread_id,
                ending=RunEnding(run_id=cancelled.run_id, turn=2, status=RunStatus.INTERRUPTED),
                result=None,
                is_kept=True,
                is_of_thread=True,
            ),
            "nope": None,
        }
        assert await relay.ends([]) == {}

    async def test_what_was_relayed_long_ago_is_forgotten(self, shared: Storage, relay: RelayStore) -> None:
        run = await _watched(shared, relay, _unkept(temporary=True))
        await relay.append([batch_of(run.lease, b"1", b"2")])
        await shared.runs.finish(run.lease, ended(), at=moment(1))
        assert await relay.forget(older_than_seconds=LONG) == 0
        assert len(await relay.read(run.run_id, after=BEGINNING, limit=9)) == 2
        assert await relay.forget(older_than_seconds=0) == 3
        assert list(await relay.read(run.run_id, after=BEGINNING, limit=9)) == []
        assert await relay.ends([run.run_id]) == {run.run_id: None}


async def _watched(storage: Storage, relay: RelayStore, new: NewRun) -> Run:
    run = await begin(storage, new)
    assert await relay.watch_run(run.run_id, "reader") is not None
    return run
