"""The contract of ThreadStore."""

import asyncio
from dataclasses import replace

import pytest

from longline.errors import AlreadyExistsError, LeaseLostError, NotFoundError, ThreadBusyError
from longline.models.events import BEGINNING
from longline.models.filters import Equals
from longline.models.pages import SortOrder
from longline.models.runs import RunStatus
from longline.models.threads import RunFailure, Thread, ThreadQuery, ThreadSort, ThreadState, ThreadStatus
from longline.storage.protocols import Storage
from longline.testing.storage_samples import (
    batch_of,
    begin,
    claim_by,
    ended,
    far_off,
    moment,
    put,
    sample_run,
    sample_thread,
)

_STRANGER = Equals("owner", "bob")


@pytest.mark.anyio
class ThreadStoreContract:
    """Threads, what they keep, and what goes with them."""

    async def test_get_of_an_unknown_thread_raises_not_found(self, storage: Storage) -> None:
        with pytest.raises(NotFoundError, match="no thread with id 'nope'"):
            await storage.threads.get("nope")

    @pytest.mark.parametrize("thread_id", ["plain", "it's", 'a "quote"', "ünïcode-✓", "a;b--", "%_"])
    async def test_a_new_thread_is_empty_and_idle(self, storage: Storage, thread_id: str) -> None:
        made = await storage.threads.create(sample_thread(thread_id, metadata={"é": ["x", None, 1.5]}))
        assert made == Thread(
            thread_id=thread_id,
            created_at=moment(),
            updated_at=moment(),
            state_updated_at=moment(),
            metadata={"é": ["x", None, 1.5]},
            status=ThreadStatus.IDLE,
            values=None,
            interrupts=None,
            error=None,
            has_run=False,
        )
        assert await storage.threads.get(thread_id) == made

    async def test_of_many_who_create_one_id_at_once_exactly_one_wins(self, storage: Storage) -> None:
        threads = [sample_thread("same", metadata={"n": number}) for number in range(8)]
        results = await asyncio.gather(*map(storage.threads.create, threads), return_exceptions=True)
        winners = [result for result in results if isinstance(result, Thread)]
        assert len(winners) == 1
        assert all(isinstance(result, Thread | AlreadyExistsError) for result in results)
        assert await storage.threads.get("same") == winners[0]

    async def test_a_hidden_thread_looks_like_a_missing_one(self, storage: Storage) -> None:
        made = await storage.threads.create(sample_thread(metadata={"owner": "ann"}))
        for attempt in (
            storage.threads.get(made.thread_id, visible=_STRANGER),
            storage.threads.update(made.thread_id, metadata={"x": 1}, at=moment(), visible=_STRANGER),
            storage.threads.copy(made.thread_id, "copy", at=moment(), visible=_STRANGER),
            storage.threads.delete(made.thread_id, visible=_STRANGER),
        ):
            with pytest.raises(NotFoundError, match=f"no thread with id '{made.thread_id}'"):
                await attempt
        assert await storage.threads.get(made.thread_id) == made

    async def test_an_update_merges_the_metadata(self, storage: Storage) -> None:
        made = await storage.threads.create(sample_thread(metadata={"a": {"x": 1}, "b": 1}))
        updated = await storage.threads.update(made.thread_id, metadata={"a": {"y": 2}, "c": None}, at=moment(5))
        assert updated == replace(made, metadata={"a": {"y": 2}, "b": 1, "c": None}, updated_at=moment(5))
        assert await storage.threads.get(made.thread_id) == updated
        with pytest.raises(NotFoundError):
            await storage.threads.update("nope", metadata={}, at=moment(5))

    async def test_set_state_stores_the_bytes_as_they_are(self, storage: Storage) -> None:
        made = await storage.threads.create(sample_thread())
        state = ThreadState(
            status=ThreadStatus.INTERRUPTED,
            values=b'{ "spaced" : "\xc3\xa9" }',
            interrupts=b'{"t":[{"id":"i","value":1}]}',
            error=RunFailure(error="E", message="m 'q'"),
        )
        await storage.threads.set_state(made.thread_id, state, at=moment(5))
        assert await storage.threads.get(made.thread_id) == replace(
            made,
            status=ThreadStatus.INTERRUPTED,
            values=state.values,
            interrupts=state.interrupts,
            error=state.error,
            updated_at=moment(5),
            state_updated_at=moment(5),
        )

    async def test_set_state_is_refused_while_a_run_is_unfinished(self, storage: Storage) -> None:
        run = await begin(storage)
        state = ThreadState(status=ThreadStatus.IDLE, values=b"{}")
        with pytest.raises(ThreadBusyError):
            await storage.threads.set_state(run.thread_id, state, at=moment())
        await storage.runs.finish(run.lease, ended(), at=moment(1))
        await storage.threads.set_state(run.thread_id, state, at=moment(2))
        delayed = await put(storage, sample_run(run.thread_id, not_before=far_off()))
        with pytest.raises(ThreadBusyError):
            await storage.threads.set_state(delayed.thread_id, state, at=moment(3))
        with pytest.raises(NotFoundError):
            await storage.threads.set_state("nope", state, at=moment())

    async def test_a_copy_has_the_metadata_and_values_and_is_idle(self, storage: Storage) -> None:
        run = await begin(storage)
        await storage.runs.finish(
            run.lease, ended(thread_status=ThreadStatus.INTERRUPTED, values=b'{"n":5}'), at=moment(1)
        )
        original = await storage.threads.get(run.thread_id)
        copied = await storage.threads.copy(run.thread_id, "copy", at=moment(9))
        assert (copied.thread_id, copied.status, copied.values) == ("copy", ThreadStatus.IDLE, b'{"n":5}')
        assert copied.metadata == original.metadata
        assert copied.created_at == moment(9)
        assert await storage.threads.get("copy") == copied
        assert await storage.threads.get(run.thread_id) == original

    async def test_a_copy_never_overwrites_a_thread(self, storage: Storage) -> None:
        first = await storage.threads.create(sample_thread(metadata={"n": 1}))
        second = await storage.threads.create(sample_thread(metadata={"n": 2}))
        with pytest.raises(AlreadyExistsError):
            await storage.threads.copy(first.thread_id, second.thread_id, at=moment(9))
        assert await storage.threads.get(second.thread_id) == second
        with pytest.raises(NotFoundError):
            await storage.threads.copy("nope", "other", at=moment(9))

    async def test_a_deleted_thread_takes_its_runs_and_events_along(self, storage: Storage) -> None:
        run = await begin(storage)
        await storage.events.append([batch_of(run.lease, b"1", b"2")])
        await storage.runs.finish(run.lease, ended(), at=moment(1))
        waiting = await put(storage, sample_run(run.thread_id, not_before=far_off()))
        assert await storage.threads.delete(run.thread_id) == [waiting.run_id]
        for run_id in (run.run_id, waiting.run_id):
            with pytest.raises(NotFoundError):
                await storage.runs.get(run.thread_id, run_id)
        assert await storage.events.last(run.run_id) == BEGINNING
        with pytest.raises(NotFoundError):
            await storage.threads.delete(run.thread_id)

    async def test_deleting_a_thread_names_its_unfinished_runs_and_shuts_them_out(self, storage: Storage) -> None:
        run = await begin(storage)
        waiting = await put(storage, sample_run(run.thread_id))
        assert await storage.threads.delete(run.thread_id) == [run.run_id, waiting.run_id]
        with pytest.raises(LeaseLostError):
            await storage.runs.finish(run.lease, ended(), at=moment(1))
        assert await storage.events.append([batch_of(run.lease, b"1")]) == {run.run_id}
        assert await storage.events.read(run.run_id, after=BEGINNING, limit=9) == []
        with pytest.raises(NotFoundError):
            await storage.threads.get(run.thread_id)

    async def test_a_thread_is_busy_from_its_first_waiting_run_to_its_last(self, storage: Storage) -> None:
        first = await begin(storage)
        second = await put(storage, sample_run(first.thread_id))
        assert (await storage.threads.get(first.thread_id)).status is ThreadStatus.BUSY
        await storage.runs.finish(first.lease, ended(), at=moment(1))
        assert (await storage.threads.get(first.thread_id)).status is ThreadStatus.BUSY
        (second,) = await storage.runs.claim(claim_by("worker-2"), limit=1)
        await storage.runs.finish(second.lease, ended(thread_status=ThreadStatus.INTERRUPTED), at=moment(2))
        assert (await storage.threads.get(first.thread_id)).status is ThreadStatus.INTERRUPTED


@pytest.mark.anyio
class ThreadSearchContract:
    """Searches for threads."""

    async def test_a_search_filters_by_every_given_condition(self, storage: Storage) -> None:
        async def ids(query: ThreadQuery) -> list[str]:
            return sorted(found.thread_id for found in (await storage.threads.search(query)).items)

        await storage.threads.create(sample_thread("a'", metadata={"owner": "ann", "n": 1}))
        await storage.threads.create(sample_thread("b", metadata={"owner": "bob", "n": 1}))
        await begin(storage, sample_run("c"))
        assert await ids(ThreadQuery()) == ["a'", "b", "c"]
        assert await ids(ThreadQuery(metadata=Equals("n", 1))) == ["a'", "b"]
        assert await ids(ThreadQuery(visible=Equals("owner", "ann"))) == ["a'", "c"]
        assert await ids(ThreadQuery(visible=Equals("owner", "ann"), metadata=Equals("n", 1))) == ["a'"]
        assert await ids(ThreadQuery(thread_ids=["a'", "c", "zz"])) == ["a'", "c"]
        assert await ids(ThreadQuery(thread_ids=[])) == []
        assert await ids(ThreadQuery(status=ThreadStatus.BUSY)) == ["c"]
        assert await ids(ThreadQuery(status=ThreadStatus.IDLE)) == ["a'", "b"]
        assert await ids(ThreadQuery(status=ThreadStatus.ERROR)) == []

    async def test_a_filter_on_values_passes_over_threads_without_any(self, storage: Storage) -> None:
        async def ids(query: ThreadQuery) -> list[str]:
            return sorted(found.thread_id for found in (await storage.threads.search(query)).items)

        for thread_id, values in (
            ("empty", None),
            ("text", b'{"topic":"sea","n":1}'),
            ("deep", b'{"topic":{"name":"sea"},"done":true}'),
            ("list", b'["topic"]'),
            ("null", b"null"),
        ):
            await storage.threads.create(sample_thread(thread_id))
            await storage.threads.set_state(
                thread_id, ThreadState(status=ThreadStatus.IDLE, values=values), at=moment()
            )
        assert await ids(ThreadQuery(values=Equals("topic", "sea"))) == ["text"]
        assert await ids(ThreadQuery(values=Equals("topic", {"name": "sea"}))) == ["deep"]
        assert await ids(ThreadQuery(values=Equals("done", True))) == ["deep"]
        assert await ids(ThreadQuery(values=Equals("n", 1))) == ["text"]
        assert await ids(ThreadQuery(values=Equals("missing", None))) == []
        assert len(await ids(ThreadQuery())) == 5

    @pytest.mark.parametrize("sort_by", ["thread_id", "status", "created_at", "updated_at", "state_updated_at"])
    @pytest.mark.parametrize("sort_order", ["asc", "desc"])
    async def test_pages_of_a_search_hold_everything_once_in_order_with_the_true_total(
        self, storage: Storage, sort_by: ThreadSort, sort_order: SortOrder
    ) -> None:
        for number in (4, 0, 3, 1, 2):
            await storage.threads.create(sample_thread(f"id-{number}", created_at=moment(number % 2)))
        failed = ThreadState(status=ThreadStatus.ERROR, error=RunFailure(error="E", message="m"))
        await storage.threads.set_state("id-1", failed, at=moment(5))
        await storage.threads.update("id-2", metadata={}, at=moment(5))
        pages = [
            await storage.threads.search(ThreadQuery(limit=2, offset=offset, sort_by=sort_by, sort_order=sort_order))
            for offset in (0, 2, 4, 6)
        ]
        assert [page.total for page in pages] == [5, 5, 5, 5]
        found = [thread for page in pages for thread in page.items]
        assert sorted(thread.thread_id for thread in found) == [f"id-{number}" for number in range(5)]
        assert found == sorted(
            found, key=lambda one: (getattr(one, sort_by), one.thread_id), reverse=sort_order == "desc"
        )

    async def test_the_status_of_a_finished_run_is_found_by_search(self, storage: Storage) -> None:
        run = await begin(storage)
        failure = RunFailure(error="ValueError", message="boom")
        await storage.runs.finish(
            run.lease, ended(RunStatus.ERROR, thread_status=ThreadStatus.ERROR, failure=failure), at=moment(1)
        )
        page = await storage.threads.search(ThreadQuery(status=ThreadStatus.ERROR))
        assert [(found.thread_id, found.error) for found in page.items] == [(run.thread_id, failure)]
