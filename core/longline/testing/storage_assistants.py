"""The contract of AssistantStore."""

import asyncio
from dataclasses import replace

import pytest

from longline.errors import AlreadyExistsError, NotFoundError, VersionNotFoundError
from longline.models.assistants import Assistant, AssistantChange, AssistantQuery, AssistantSort
from longline.models.filters import ContainsAll, Equals
from longline.models.pages import SortOrder
from longline.storage.protocols import Storage
from longline.testing.storage_samples import moment, sample_assistant

_STRANGER = Equals("owner", "bob")


@pytest.mark.anyio
class AssistantStoreContract:
    """Assistants, their versions and their searches."""

    @pytest.mark.parametrize("assistant_id", ["plain", "it's", 'a "quote"', "ünïcode-✓", "a;b--", "%_"])
    async def test_what_is_created_is_read_back_whole(self, storage: Storage, assistant_id: str) -> None:
        made = sample_assistant(assistant_id, name="Ünï 'x' \"y\"", metadata={"a": {"b": [1, None, True, "é"]}})
        assert await storage.assistants.create(made) == made
        assert await storage.assistants.get(assistant_id) == made

    async def test_a_taken_id_is_refused_and_leaves_the_first_one_as_it_was(self, storage: Storage) -> None:
        first = await storage.assistants.create(sample_assistant())
        with pytest.raises(AlreadyExistsError):
            await storage.assistants.create(replace(first, name="other"))
        assert await storage.assistants.get(first.assistant_id) == first

    async def test_of_many_who_create_one_id_at_once_exactly_one_wins(self, storage: Storage) -> None:
        made = [sample_assistant("same", name=f"n{number}") for number in range(8)]
        results = await asyncio.gather(*map(storage.assistants.create, made), return_exceptions=True)
        winners = [result for result in results if isinstance(result, Assistant)]
        assert len(winners) == 1
        assert all(isinstance(result, Assistant | AlreadyExistsError) for result in results)
        assert await storage.assistants.get("same") == winners[0]

    async def test_a_missing_and_a_hidden_assistant_look_alike(self, storage: Storage) -> None:
        made = await storage.assistants.create(sample_assistant())
        with pytest.raises(NotFoundError, match="no assistant with id 'nope'"):
            await storage.assistants.get("nope")
        for attempt in (
            storage.assistants.get(made.assistant_id, visible=_STRANGER),
            storage.assistants.update(made.assistant_id, AssistantChange(name="x"), at=moment(), visible=_STRANGER),
            storage.assistants.delete(made.assistant_id, visible=_STRANGER),
            storage.assistants.set_latest(made.assistant_id, 1, at=moment(), visible=_STRANGER),
        ):
            with pytest.raises(NotFoundError, match=f"no assistant with id '{made.assistant_id}'"):
                await attempt
        assert await storage.assistants.versions(made.assistant_id, visible=_STRANGER) == []
        assert await storage.assistants.versions("nope") == []
        assert await storage.assistants.get(made.assistant_id) == made

    async def test_an_update_merges_metadata_and_replaces_config_and_context(self, storage: Storage) -> None:
        made = await storage.assistants.create(sample_assistant(metadata={"owner": "ann", "a": {"x": 1}}))
        change = AssistantChange(config={"new": 1}, context={}, metadata={"a": {"y": 2}, "b": None})
        updated = await storage.assistants.update(made.assistant_id, change, at=moment(5))
        assert updated == replace(
            made,
            config={"new": 1},
            context={},
            metadata={"owner": "ann", "a": {"y": 2}, "b": None},
            version=2,
            updated_at=moment(5),
        )
        assert await storage.assistants.get(made.assistant_id) == updated

    async def test_what_an_update_does_not_name_stays(self, storage: Storage) -> None:
        made = await storage.assistants.create(sample_assistant())
        updated = await storage.assistants.update(made.assistant_id, AssistantChange(), at=moment(5))
        assert updated == replace(made, version=2, updated_at=moment(5))

    async def test_versions_come_newest_first_each_as_it_was(self, storage: Storage) -> None:
        made = await storage.assistants.create(sample_assistant())
        await storage.assistants.update(made.assistant_id, AssistantChange(name="second"), at=moment(5))
        await storage.assistants.update(made.assistant_id, AssistantChange(metadata={"k": 1}), at=moment(9))
        third, second, first = await storage.assistants.versions(made.assistant_id)
        assert first == made
        assert (second.version, second.name, second.created_at, second.updated_at) == (
            2,
            "second",
            moment(5),
            moment(5),
        )
        assert (third.version, third.name, third.metadata) == (3, "second", {"owner": "ann", "k": 1})
        assert await storage.assistants.versions(made.assistant_id, limit=1, offset=1) == [second]
        assert await storage.assistants.versions(made.assistant_id, metadata=Equals("k", 1)) == [third]

    async def test_set_latest_restores_all_that_the_version_held(self, storage: Storage) -> None:
        made = await storage.assistants.create(sample_assistant())
        change = AssistantChange(
            graph_id="other", name="B", description="d", config={"c": 2}, context={"x": 2}, metadata={"owner": "bob"}
        )
        await storage.assistants.update(made.assistant_id, change, at=moment(5))
        restored = await storage.assistants.set_latest(made.assistant_id, 1, at=moment(9))
        assert restored == replace(made, updated_at=moment(9))
        assert await storage.assistants.get(made.assistant_id) == restored

    async def test_an_update_after_set_latest_starts_from_the_restored_and_takes_a_new_number(
        self, storage: Storage
    ) -> None:
        made = await storage.assistants.create(sample_assistant())
        await storage.assistants.update(made.assistant_id, AssistantChange(context={"x": 2}), at=moment(5))
        await storage.assistants.set_latest(made.assistant_id, 1, at=moment(6))
        third = await storage.assistants.update(made.assistant_id, AssistantChange(name="new"), at=moment(7))
        assert third == replace(made, name="new", version=3, updated_at=moment(7))

    async def test_an_unknown_version_is_told_apart_from_an_unknown_assistant(self, storage: Storage) -> None:
        made = await storage.assistants.create(sample_assistant())
        with pytest.raises(VersionNotFoundError):
            await storage.assistants.set_latest(made.assistant_id, 2, at=moment())
        with pytest.raises(NotFoundError):
            await storage.assistants.set_latest("nope", 1, at=moment())

    async def test_updates_at_once_each_get_a_version(self, storage: Storage) -> None:
        made = await storage.assistants.create(sample_assistant())
        changes = [AssistantChange(metadata={f"k{number}": number}) for number in range(10)]
        await asyncio.gather(
            *(storage.assistants.update(made.assistant_id, change, at=moment(1)) for change in changes)
        )
        latest = await storage.assistants.get(made.assistant_id)
        assert latest.version == 11
        assert latest.metadata == {"owner": "ann", **{f"k{number}": number for number in range(10)}}

    async def test_a_deleted_assistant_takes_its_versions_along(self, storage: Storage) -> None:
        made = await storage.assistants.create(sample_assistant())
        await storage.assistants.update(made.assistant_id, AssistantChange(name="B"), at=moment(5))
        await storage.assistants.delete(made.assistant_id)
        assert await storage.assistants.versions(made.assistant_id) == []
        with pytest.raises(NotFoundError):
            await storage.assistants.delete(made.assistant_id)
        again = await storage.assistants.create(made)
        assert await storage.assistants.versions(made.assistant_id) == [again]

    async def test_a_search_filters_by_every_given_condition(self, storage: Storage) -> None:
        async def ids(query: AssistantQuery) -> list[str]:
            return sorted(found.assistant_id for found in (await storage.assistants.search(query)).items)

        await storage.assistants.create(sample_assistant("a", name="Alpha BETA", metadata={"owner": "ann"}))
        await storage.assistants.create(sample_assistant("b", name="alphabet", graph_id="g", metadata={"owner": "bob"}))
        await storage.assistants.create(sample_assistant("c", name="Ärger 100%", metadata={"tags": ["x", "y"]}))
        assert await ids(AssistantQuery()) == ["a", "b", "c"]
        assert await ids(AssistantQuery(name="ALPHA")) == ["a", "b"]
        assert await ids(AssistantQuery(name="ärg")) == ["c"]
        assert await ids(AssistantQuery(name="%")) == ["c"]
        assert await ids(AssistantQuery(name="a_p")) == []
        assert await ids(AssistantQuery(graph_id="g")) == ["b"]
        assert await ids(AssistantQuery(metadata=Equals("owner", "ann"))) == ["a"]
        assert await ids(AssistantQuery(visible=_STRANGER, name="alpha")) == ["b"]
        assert await ids(AssistantQuery(metadata=ContainsAll("tags", ("y",)))) == ["c"]

    async def test_a_search_sees_the_current_version_only(self, storage: Storage) -> None:
        made = await storage.assistants.create(sample_assistant(name="old"))
        await storage.assistants.update(made.assistant_id, AssistantChange(name="new"), at=moment(5))
        assert (await storage.assistants.search(AssistantQuery(name="old"))).total == 0
        page = await storage.assistants.search(AssistantQuery(name="new"))
        assert [(found.version, found.created_at) for found in page.items] == [(2, moment())]

    @pytest.mark.parametrize("sort_by", ["assistant_id", "created_at", "updated_at", "name", "graph_id"])
    @pytest.mark.parametrize("sort_order", ["asc", "desc"])
    async def test_pages_of_a_search_hold_everything_once_in_order_with_the_true_total(
        self, storage: Storage, sort_by: AssistantSort, sort_order: SortOrder
    ) -> None:
        made = [
            sample_assistant(
                f"id-{number}",
                name=f"n{number % 2}",
                graph_id=f"g{number % 3}",
                created_at=moment(number % 2),
                updated_at=moment(number % 2),
            )
            for number in (4, 0, 3, 1, 2)
        ]
        for assistant in made:
            await storage.assistants.create(assistant)
        pages = [
            await storage.assistants.search(
                AssistantQuery(limit=2, offset=offset, sort_by=sort_by, sort_order=sort_order)
            )
            for offset in (0, 2, 4, 6)
        ]
        assert [page.total for page in pages] == [5, 5, 5, 5]
        found = [assistant for page in pages for assistant in page.items]
        assert found == sorted(
            made, key=lambda one: (getattr(one, sort_by), one.assistant_id), reverse=sort_order == "desc"
        )
