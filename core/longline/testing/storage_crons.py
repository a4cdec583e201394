"""The contract of CronStore: what is kept of crons, who goes with whom, and which are found."""

import asyncio
from dataclasses import replace

import pytest

from longline.errors import AlreadyExistsError, NotFoundError, ThreadBusyError
from longline.models.crons import Cron, CronQuery, CronSort
from longline.models.filters import Equals
from longline.models.pages import SortOrder
from longline.storage.protocols import Storage
from longline.testing.storage_samples import (
    begin,
    ended,
    moment,
    sample_assistant,
    sample_cron,
    sample_run,
    sample_thread,
)

_STRANGER = Equals("owner", "bob")


@pytest.mark.anyio
class CronStoreContract:
    """Crons, from creation to their end."""

    @pytest.mark.parametrize("cron_id", ["plain", "it's", 'a "quote"', "ünïcode-✓"])
    async def test_a_cron_is_read_back_as_it_was_made(self, storage: Storage, cron_id: str) -> None:
        made = await storage.crons.create(sample_cron(cron_id, thread_id="t", end_at=moment(9), timezone="Asia/Tokyo"))
        assert made == sample_cron(cron_id, thread_id="t", end_at=moment(9), timezone="Asia/Tokyo")
        assert await storage.crons.get(cron_id) == made

    async def test_what_a_cron_does_not_have_is_read_back_as_none(self, storage: Storage) -> None:
        made = await storage.crons.create(sample_cron(next_tick=None, enabled=False, keeps_threads=True))
        found = await storage.crons.get(made.cron_id)
        assert found == made
        assert (found.thread_id, found.timezone, found.end_at, found.next_tick) == (None, None, None, None)
        assert (found.enabled, found.keeps_threads) == (False, True)

    async def test_of_many_who_create_one_id_at_once_exactly_one_wins(self, storage: Storage) -> None:
        crons = [sample_cron("same", metadata={"n": number}) for number in range(8)]
        results = await asyncio.gather(*map(storage.crons.create, crons), return_exceptions=True)
        winners = [result for result in results if isinstance(result, Cron)]
        assert len(winners) == 1
        assert all(isinstance(result, Cron | AlreadyExistsError) for result in results)
        assert await storage.crons.get("same") == winners[0]

    async def test_a_hidden_cron_looks_like_a_missing_one(self, storage: Storage) -> None:
        made = await storage.crons.create(sample_cron(metadata={"owner": "ann"}))
        for key, visible in ((made.cron_id, _STRANGER), ("nope", Equals("owner", "ann"))):
            for attempt in (
                storage.crons.get(key, visible=visible),
                storage.crons.update(key, _disabled, at=moment(), visible=visible),
                storage.crons.delete(key, visible=visible),
            ):
                with pytest.raises(NotFoundError, match=f"no cron with id '{key}'"):
                    await attempt
        assert await storage.crons.get(made.cron_id, visible=Equals("owner", "ann")) == made

    async def test_an_update_replaces_all_but_the_id_and_the_creation_time(self, storage: Storage) -> None:
        made = await storage.crons.create(sample_cron())
        other = sample_cron(
            "other", assistant_id="assistant-2", thread_id="t", schedule="1 1 1 1 1", timezone="UTC", end_at=moment(9),
            enabled=False, keeps_threads=True, metadata={"b": 2}, creator={"identity": "bob"}, next_tick=moment(8),
            created_at=moment(7), updated_at=moment(7),
        )  # fmt: skip
        updated = await storage.crons.update(made.cron_id, lambda _: other, at=moment(5))
        assert updated == replace(other, cron_id=made.cron_id, created_at=made.created_at, updated_at=moment(5))
        assert await storage.crons.get(made.cron_id) == updated

    async def test_updates_at_once_lose_nothing(self, storage: Storage) -> None:
        made = await storage.crons.create(sample_cron(metadata={"n": 0}))

        def count(cron: Cron) -> Cron:
            seen = cron.metadata["n"]
            return replace(cron, metadata={"n": seen + 1 if isinstance(seen, int) else 0})

        await asyncio.gather(*(storage.crons.update(made.cron_id, count, at=moment()) for _ in range(20)))
        assert (await storage.crons.get(made.cron_id)).metadata == {"n": 20}

    async def test_a_revision_that_fails_changes_nothing(self, storage: Storage) -> None:
        made = await storage.crons.create(sample_cron())

        def refuse(cron: Cron) -> Cron:
            raise ThreadBusyError(cron.cron_id)

        with pytest.raises(ThreadBusyError):
            await storage.crons.update(made.cron_id, refuse, at=moment(5))
        assert await storage.crons.get(made.cron_id) == made

    async def test_a_deleted_cron_is_gone(self, storage: Storage) -> None:
        made, other = [await storage.crons.create(sample_cron()) for _ in range(2)]
        await storage.crons.delete(made.cron_id)
        with pytest.raises(NotFoundError):
            await storage.crons.get(made.cron_id)
        with pytest.raises(NotFoundError):
            await storage.crons.delete(made.cron_id)
        assert await storage.crons.get(other.cron_id) == other

    async def test_a_cron_goes_with_its_assistant(self, storage: Storage) -> None:
        assistant = await storage.assistants.create(sample_assistant())
        made = await storage.crons.create(sample_cron(assistant_id=assistant.assistant_id))
        other = await storage.crons.create(sample_cron())
        await storage.assistants.delete(assistant.assistant_id)
        with pytest.raises(NotFoundError):
            await storage.crons.get(made.cron_id)
        assert await storage.crons.get(other.cron_id) == other

    async def test_a_cron_goes_with_its_thread(self, storage: Storage) -> None:
        thread = await storage.threads.create(sample_thread())
        run = await begin(storage, sample_run(temporary=True))
        made = [await storage.crons.create(sample_cron(thread_id=key)) for key in (thread.thread_id, run.thread_id)]
        other = await storage.crons.create(sample_cron())
        await storage.threads.delete(thread.thread_id)
        await storage.runs.finish(run.lease, ended(), at=moment(1))
        for cron in made:
            with pytest.raises(NotFoundError):
                await storage.crons.get(cron.cron_id)
        assert await storage.crons.get(other.cron_id) == other


@pytest.mark.anyio
class CronSearchContract:
    """Which crons are found, and in which order."""

    async def test_each_condition_narrows_the_search(self, storage: Storage) -> None:
        async def ids(query: CronQuery) -> list[str]:
            page = await storage.crons.search(query)
            assert page.total == len(page.items)
            return sorted(cron.cron_id for cron in page.items)

        await storage.crons.create(sample_cron("a", metadata={"owner": "ann", "n": 1}, thread_id="t'1"))
        await storage.crons.create(sample_cron("b", metadata={"owner": "bob", "n": 1}, assistant_id="x"))
        await storage.crons.create(sample_cron("c", metadata={"owner": "ann"}, enabled=False))
        assert await ids(CronQuery()) == ["a", "b", "c"]
        assert await ids(CronQuery(visible=Equals("owner", "ann"))) == ["a", "c"]
        assert await ids(CronQuery(metadata=Equals("n", 1))) == ["a", "b"]
        assert await ids(CronQuery(visible=Equals("owner", "ann"), metadata=Equals("n", 1))) == ["a"]
        assert await ids(CronQuery(assistant_id="x")) == ["b"]
        assert await ids(CronQuery(thread_id="t'1")) == ["a"]
        assert await ids(CronQuery(enabled=True)) == ["a", "b"]
        assert await ids(CronQuery(enabled=False)) == ["c"]
        assert await ids(CronQuery(enabled=False, assistant_id="x")) == []

    @pytest.mark.parametrize(
        "sort_by", ["cron_id", "assistant_id", "thread_id", "next_tick", "end_at", "created_at", "updated_at"]
    )
    @pytest.mark.parametrize("sort_order", ["asc", "desc"])
    async def test_pages_of_a_search_hold_everything_once_in_order_with_the_true_total(
        self, storage: Storage, sort_by: CronSort, sort_order: SortOrder
    ) -> None:
        for number in (4, 0, 3, 1, 2):
            at, has_all = moment(number % 2), number < 3
            await storage.crons.create(
                sample_cron(
                    f"id-{number}",
                    assistant_id=f"assistant-{number % 2}",
                    thread_id=f"t-{number}" if has_all else None,
                    next_tick=at if has_all else None,
                    end_at=at if has_all else None,
                    created_at=at,
                    updated_at=at,
                )
            )
        pages = [
            await storage.crons.search(CronQuery(limit=2, offset=offset, sort_by=sort_by, sort_order=sort_order))
            for offset in (0, 2, 4, 6)
        ]
        assert [page.total for page in pages] == [5, 5, 5, 5]
        found = [cron for page in pages for cron in page.items]
        assert sorted(cron.cron_id for cron in found) == [f"id-{number}" for number in range(5)]
        with_value = [cron for cron in found if getattr(cron, sort_by) is not None]
        without = [cron for cron in found if getattr(cron, sort_by) is None]
        assert found == with_value + without
        down = sort_order == "desc"
        assert with_value == sorted(with_value, key=lambda cron: (getattr(cron, sort_by), cron.cron_id), reverse=down)
        assert without == sorted(without, key=lambda cron: cron.cron_id, reverse=down)


def _disabled(cron: Cron) -> Cron:
    return replace(cron, enabled=False)
