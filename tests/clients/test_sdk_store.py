"""`client.store` of the Python SDK, against a server."""

from uuid import uuid4

import pytest
from httpx import HTTPStatusError

from tests.clients.sdk import Sdk, calls

pytestmark = pytest.mark.anyio


@pytest.fixture
def space() -> list[str]:
    """A namespace that no other test uses."""
    return ["sdk", uuid4().hex]


@calls("store.put_item", "store.get_item", "store.delete_item")
async def test_an_item_is_put_read_changed_and_deleted(sdk: Sdk, space: list[str]) -> None:
    assert await sdk("store.put_item", space, "tea", {"kind": "green"}) is None
    first = await sdk("store.get_item", space, "tea")
    assert (first["namespace"], first["key"], first["value"]) == (space, "tea", {"kind": "green"})
    await sdk("store.put_item", space, "tea", {"kind": "black"}, index=False)
    second = await sdk("store.get_item", space, "tea")
    assert second["value"] == {"kind": "black"}
    assert second["created_at"] == first["created_at"]
    assert await sdk("store.delete_item", space, "tea") is None
    assert await sdk("store.get_item", space, "tea") is None


@calls("store.search_items")
async def test_items_are_found_by_what_they_hold(sdk: Sdk, space: list[str]) -> None:
    for cups in (1, 2, 3):
        await sdk("store.put_item", [*space, "cups"], f"n{cups}", {"cups": cups, "odd": cups % 2 == 1}, ttl=60)

    async def found(**query: object) -> list[str]:
        answer = await sdk("store.search_items", space, **query)
        return sorted(item["key"] for item in answer["items"])

    assert await found() == ["n1", "n2", "n3"]
    assert await found(filter={"odd": True}) == ["n1", "n3"]
    assert await found(filter={"cups": {"$gte": 2}}) == ["n2", "n3"]
    assert await found(filter={"cups": {"$ne": 2}, "odd": True}) == ["n1", "n3"]
    pages = [await found(limit=2, offset=offset, refresh_ttl=True) for offset in (0, 2)]
    assert sorted(key for page in pages for key in page) == ["n1", "n2", "n3"]
    assert [len(page) for page in pages] == [2, 1]


@calls("store.list_namespaces")
async def test_namespaces_are_listed_by_their_ends_and_depth(sdk: Sdk, space: list[str]) -> None:
    for end in (["a", "leaf"], ["b", "leaf"], ["b", "other"]):
        await sdk("store.put_item", [*space, *end], "key", {})

    async def listed(**query: object) -> list[list[str]]:
        answer = await sdk("store.list_namespaces", prefix=space, **query)
        return sorted(name[len(space) :] for name in answer["namespaces"])

    assert await listed() == [["a", "leaf"], ["b", "leaf"], ["b", "other"]]
    assert await listed(suffix=["leaf"]) == [["a", "leaf"], ["b", "leaf"]]
    assert await listed(max_depth=3) == [["a"], ["b"]]
    assert await listed(limit=1, offset=2) == [["b", "other"]]


async def test_a_graph_and_a_client_see_the_same_items(sdk: Sdk) -> None:
    word = uuid4().hex
    assert word in (await sdk("runs.wait", None, "notes", input={"text": word}))["found"]
    assert (await sdk("store.get_item", ["notes"], word))["value"] == {"text": word}
    await sdk("store.delete_item", ["notes"], word)


async def test_a_namespace_that_cannot_be_is_refused(sdk: Sdk) -> None:
    for space in ([], ["langgraph"]):
        with pytest.raises(HTTPStatusError):
            await sdk("store.put_item", space, "key", {})
