"""The contract of RunQueue about chains of runs, and about runs that are looked for over threads."""

import asyncio
from dataclasses import replace
from datetime import datetime

import pytest

from longline.errors import ChainMovedOnError, NotFoundError
from longline.ids import new_id
from longline.models.chains import ChainHead
from longline.models.filters import AnyOf, Equals, Missing
from longline.models.runs import Run, RunPlace, RunQuery, RunStatus
from longline.storage.protocols import Storage
from longline.testing.storage_samples import begin, ended, moment, put, sample_run, sample_thread


async def _first(storage: Storage, thread_id: str | None = None, *, owner: str = "ann") -> Run:
    """The first run of a chain, started, perhaps on a new thread of its owner's."""
    run_id, thread_id = new_id(), thread_id or new_id()
    thread = sample_thread(thread_id, metadata={"owner": owner})
    return await begin(storage, replace(sample_run(thread_id, run_id=run_id), chain_id=run_id, thread=thread))


async def _next(storage: Storage, run: Run, *, verdict: str | None = None) -> Run:
    head = ChainHead(run_id=run.run_id, verdict=verdict)
    new = sample_run(run.thread_id, creates_thread=False)
    return await begin(storage, replace(new, chain_id=run.chain_id, follows=head))


async def _end(
    storage: Storage, run: Run, *, at: datetime, verdict: str | None = None, status: RunStatus = RunStatus.SUCCESS
) -> Run:
    await storage.runs.finish(run.lease, replace(ended(status), verdict=verdict), at=at)
    return await storage.runs.get(run.thread_id, run.run_id)


async def _ids(storage: Storage, query: RunQuery) -> list[str]:
    return [run.run_id for run in await storage.runs.search(query)]


@pytest.mark.anyio
class RunChainContract:
    """Chains, verdicts, and searches over threads."""

    async def test_a_run_keeps_its_chain_and_gets_its_verdict_with_its_end(self, storage: Storage) -> None:
        run = await _first(storage)
        assert (run.chain_id, run.verdict) == (run.run_id, None)
        stored = await storage.runs.get(run.thread_id, run.run_id)
        assert (stored.chain_id, stored.verdict) == (run.run_id, None)
        over = await _end(storage, run, at=moment(1), verdict="waits")
        assert (over.status, over.verdict, over.chain_id) == (RunStatus.SUCCESS, "waits", run.run_id)
        alone = await begin(storage)
        assert (await storage.runs.get(alone.thread_id, alone.run_id)).chain_id is None

    async def test_a_chain_goes_on_only_from_its_newest_run_as_it_was_seen(self, storage: Storage) -> None:
        first = await _end(storage, await _first(storage), at=moment(1), verdict="waits")
        for wrong in (
            ChainHead(run_id=first.run_id, verdict=None),
            ChainHead(run_id="nope", verdict="waits"),
        ):
            new = replace(sample_run(first.thread_id, creates_thread=False), chain_id=first.run_id, follows=wrong)
            with pytest.raises(ChainMovedOnError, match="does not wait any more"):
                await put(storage, new)
        second = await _next(storage, first, verdict="waits")
        assert second.chain_id == first.run_id
        with pytest.raises(ChainMovedOnError):
            await _next(storage, first, verdict="waits")
        over = await _end(storage, second, at=moment(2))
        await begin(storage, sample_run(first.thread_id, creates_thread=False))
        with pytest.raises(ChainMovedOnError):
            await _next(storage, over)
        await put(storage, sample_run(first.thread_id, creates_thread=False))
        query = RunQuery(thread_id=first.thread_id, sort_by="position")
        assert (await _ids(storage, query))[2:] == [second.run_id, first.run_id]

    async def test_a_chain_does_not_go_on_where_its_thread_is_gone(self, storage: Storage) -> None:
        first = await _end(storage, await _first(storage), at=moment(1), verdict="waits")
        await storage.threads.delete(first.thread_id)
        head = ChainHead(run_id=first.run_id, verdict="waits")
        with pytest.raises(ChainMovedOnError):
            await put(storage, replace(sample_run(first.thread_id), chain_id=first.run_id, follows=head))
        with pytest.raises(NotFoundError):
            await storage.threads.get(first.thread_id)
        assert not await storage.runs.give_up(first.thread_id, head, at=moment(2))

    async def test_of_all_that_go_on_or_give_up_at_once_one_does(self, storage: Storage) -> None:
        for _ in range(5):
            first = await _end(storage, await _first(storage), at=moment(1), verdict="waits")
            head = ChainHead(run_id=first.run_id, verdict="waits")
            going = [_next(storage, first, verdict="waits") for _ in range(3)]
            giving = [storage.runs.give_up(first.thread_id, head, at=moment(2)) for _ in range(3)]
            done = await asyncio.gather(*going, *giving, return_exceptions=True)
            assert len([one for one in done if isinstance(one, Run) or one is True]) == 1
            assert all(isinstance(one, Run | bool | ChainMovedOnError) for one in done)
            count = await storage.runs.count(RunQuery(chain_id=first.chain_id))
            over = await storage.runs.get(first.thread_id, first.run_id)
            assert (count, over.status) in ((2, RunStatus.SUCCESS), (1, RunStatus.INTERRUPTED))

    async def test_a_chain_that_goes_on_while_its_thread_is_deleted_leaves_nothing(self, storage: Storage) -> None:
        for _ in range(5):
            first = await _end(storage, await _first(storage), at=moment(1), verdict="waits")
            head = ChainHead(run_id=first.run_id, verdict="waits")
            done = await asyncio.gather(
                _next(storage, first, verdict="waits"),
                storage.threads.delete(first.thread_id),
                put(storage, replace(sample_run(first.thread_id), chain_id=first.run_id, follows=head)),
                storage.runs.give_up(first.thread_id, head, at=moment(2)),
                return_exceptions=True,
            )
            odd = [one for one in done if isinstance(one, BaseException)]
            assert all(isinstance(one, ChainMovedOnError | NotFoundError) for one in odd)
            assert await storage.runs.count(RunQuery(chain_id=first.chain_id)) == 0

    async def test_ids_that_no_storage_keeps_find_nothing(self, storage: Storage) -> None:
        odd, run = "a\0b", await _end(storage, await _first(storage), at=moment(1), verdict="waits")
        for query in (RunQuery(thread_id=odd), RunQuery(chain_id=odd), RunQuery(assistant_id=odd)):
            assert await _ids(storage, query) == []
            assert await storage.runs.count(query) == 0
        for query in (RunQuery(thread_ids=[odd, run.thread_id]), RunQuery(run_ids=[odd, run.run_id])):
            assert await _ids(storage, query) == [run.run_id]
        assert not await storage.runs.give_up(odd, ChainHead(run_id=run.run_id, verdict="waits"), at=moment(2))

    async def test_what_waits_is_given_up_once_and_only_at_the_head(self, storage: Storage) -> None:
        first = await _end(storage, await _first(storage), at=moment(1), verdict="waits")
        head = ChainHead(run_id=first.run_id, verdict="waits")
        assert not await storage.runs.give_up("nope", head, at=moment(2))
        assert not await storage.runs.give_up(first.thread_id, replace(head, verdict=None), at=moment(2))
        assert await storage.runs.give_up(first.thread_id, head, at=moment(2))
        assert not await storage.runs.give_up(first.thread_id, head, at=moment(3))
        over = await storage.runs.get(first.thread_id, first.run_id)
        assert (over.status, over.verdict, over.updated_at) == (RunStatus.INTERRUPTED, None, moment(2))
        with pytest.raises(ChainMovedOnError):
            await _next(storage, first, verdict="waits")
        other = await _end(storage, await _first(storage), at=moment(1), verdict="waits")
        await _next(storage, other, verdict="waits")
        assert not await storage.runs.give_up(other.thread_id, replace(head, run_id=other.run_id), at=moment(2))

    async def test_runs_are_found_by_chain_assistant_verdict_and_time(self, storage: Storage) -> None:
        first = await _end(storage, await _first(storage), at=moment(1), verdict="waits")
        second = await _end(storage, await _next(storage, first, verdict="waits"), at=moment(5), verdict="no")
        other = await _end(storage, await _first(storage), at=moment(3))
        alone = await _end(storage, await begin(storage), at=moment(4))

        async def found(query: RunQuery) -> list[str]:
            assert await storage.runs.count(replace(query, limit=1, offset=3)) == len(await _ids(storage, query))
            return await _ids(storage, replace(query, sort_by="updated_at"))

        assert await found(RunQuery(chain_id=first.run_id)) == [second.run_id, first.run_id]
        assert await found(RunQuery(chain_id="it's")) == []
        assert await found(RunQuery(only_heads=True)) == [second.run_id, other.run_id]
        assert await found(RunQuery(verdicts=("waits", "no"))) == [second.run_id, first.run_id]
        assert await found(RunQuery(verdicts=(None,))) == [alone.run_id, other.run_id]
        assert await found(RunQuery(updated_since=moment(4))) == [second.run_id, alone.run_id]
        assert await found(RunQuery(assistant_id="assistant-1", only_heads=True, verdicts=(None,))) == [other.run_id]
        assert await found(RunQuery(assistant_id="nope")) == []
        assert await found(RunQuery(thread_ids=[first.thread_id, "nope"])) == [second.run_id, first.run_id]
        assert await found(RunQuery(thread_ids=[])) == []

    async def test_runs_are_found_through_what_their_threads_say(self, storage: Storage) -> None:
        anns = await _first(storage, owner="ann")
        bobs = await _first(storage, owner="it's \u00fc bob")
        await begin(storage)
        heads = RunQuery(only_heads=True)
        for owner, run in (("ann", anns), ("it's \u00fc bob", bobs)):
            query = replace(heads, visible=Equals("owner", owner))
            assert await _ids(storage, query) == [run.run_id]
            assert await storage.runs.count(query) == 1
        either = AnyOf((Equals("owner", "ann"), Equals("owner", "it's \u00fc bob")))
        assert set(await _ids(storage, replace(heads, visible=either))) == {anns.run_id, bobs.run_id}
        for nobody in (AnyOf(), Missing("owner"), Equals("source", "contract")):
            assert await _ids(storage, replace(heads, visible=nobody)) == []

    async def test_pages_by_place_hold_while_runs_change(self, storage: Storage) -> None:
        runs = [await _end(storage, await _first(storage), at=moment(number // 2)) for number in range(6)]
        expected = [run.run_id for run in sorted(runs, key=lambda run: (run.updated_at, run.run_id), reverse=True)]
        query = RunQuery(only_heads=True, sort_by="updated_at", limit=2)
        seen: list[str] = []
        while page := await storage.runs.search(query):
            seen += [run.run_id for run in page]
            query = replace(query, after=RunPlace(updated_at=page[-1].updated_at, run_id=page[-1].run_id))
            await _end(storage, await _first(storage), at=moment(60))  # newer ones do not move what is behind
        assert seen == expected
        assert await storage.runs.count(query) == 9
