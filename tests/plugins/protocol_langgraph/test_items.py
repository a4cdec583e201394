"""The store over HTTP, with LangGraph's own client and without."""

from datetime import datetime

import httpx
import pytest
from langgraph_sdk import get_sync_client
from langgraph_sdk.client import LangGraphClient
from tests.plugins.protocol_langgraph.conftest import Serve
from tests.plugins.protocol_langgraph.served import Served

TOKENS = {"static_tokens": {"tokens": {"alice": "token-a", "bob": "token-b"}}}


def as_user(letter: str) -> dict[str, str]:
    return {"Authorization": f"Bearer token-{letter}"}


@pytest.mark.anyio
async def test_the_client_keeps_finds_and_removes_items(sdk: LangGraphClient) -> None:
    await sdk.store.put_item(["a", "b"], "k", {"x": 1, "t": "hello"}, index=["t"], ttl=60)
    await sdk.store.put_item(["a", "c"], "k2", {"x": 2}, index=False)
    item = await sdk.store.get_item(["a", "b"], "k", refresh_ttl=True)
    assert (item["namespace"], item["key"], item["value"]) == (["a", "b"], "k", {"x": 1, "t": "hello"})
    assert datetime.fromisoformat(item["created_at"]).tzinfo is not None
    found = await sdk.store.search_items(["a"], filter={"x": {"$gte": 2}}, query="hello", refresh_ttl=False)
    assert [(one["key"], one["score"]) for one in found["items"]] == [("k2", None)]
    assert (await sdk.store.search_items(["a"], limit=1, offset=2))["items"] == []
    listed = await sdk.store.list_namespaces(prefix=["a"], suffix=["c"], max_depth=2, limit=5, offset=0)
    assert listed["namespaces"] == [["a", "c"]]
    await sdk.store.delete_item(["a", "b"], "k")
    await sdk.store.delete_item(["a", "b"], "k")
    assert await sdk.store.get_item(["a", "b"], "k") is None


@pytest.mark.anyio
@pytest.mark.parametrize(("operator", "found"), [
    ({"$eq": 2}, ["2"]), ({"$ne": 2}, ["1", "3"]), ({"$gt": 2}, ["3"]), ({"$gte": 2}, ["2", "3"]), ({"$lt": 2}, ["1"]),
    ({"$lte": 2}, ["1", "2"]), ({"$gt": 1, "$lt": 3}, ["2"]), (2, ["2"]),
])  # fmt: skip
async def test_filters_compare(http: httpx.AsyncClient, operator: object, found: list[str]) -> None:
    for number in (1, 2, 3):
        await http.put("/store/items", json={"namespace": ["n"], "key": str(number), "value": {"a": {"x": number}}})
    body = {"namespace_prefix": ["n"], "filter": {"a.x": operator}}
    answer = await http.post("/store/items/search", json=body)
    assert sorted(item["key"] for item in answer.json()["items"]) == found


@pytest.mark.anyio
@pytest.mark.parametrize(("method", "path", "body", "status"), [
    ("PUT", "/store/items", {"namespace": ["a"], "key": "k"}, 422),
    ("PUT", "/store/items", {"namespace": ["a"], "key": "", "value": {}}, 422),
    ("PUT", "/store/items", {"namespace": ["a"], "key": "k", "value": []}, 422),
    ("PUT", "/store/items", {"namespace": "a", "key": "k", "value": {}}, 422),
    ("PUT", "/store/items", {"namespace": ["a"] * 101, "key": "k", "value": {}}, 422),
    ("PUT", "/store/items", {"namespace": ["a"], "key": "k", "value": {}, "ttl": -1}, 422),
    ("PUT", "/store/items", {"namespace": ["a"], "key": "k", "value": {}, "ttl": 1e300}, 422),
    ("PUT", "/store/items", {"namespace": ["a"], "key": "k", "value": {}, "index": True}, 422),
    ("PUT", "/store/items", {"namespace": [], "key": "k", "value": {}}, 400),
    ("PUT", "/store/items", {"namespace": ["langgraph"], "key": "k", "value": {}}, 400),
    ("DELETE", "/store/items", {"namespace": ["a"]}, 422),
    ("POST", "/store/items/search", {"limit": -1}, 422),
    ("POST", "/store/items/search", {"offset": 2**40}, 422),
    ("POST", "/store/items/search", {"filter": {"a": {"$in": [1]}}}, 400),
    ("POST", "/store/items/search", {"filter": {"a'b": 1}}, 400),
    ("POST", "/store/namespaces", {"max_depth": 0}, 422),
])  # fmt: skip
async def test_what_does_not_fit_is_refused(
    http: httpx.AsyncClient, method: str, path: str, body: object, status: int
) -> None:
    answer = await http.request(method, path, json=body)
    assert (answer.status_code, list(answer.json())) == (status, ["detail"])


@pytest.mark.anyio
async def test_a_label_with_a_period_is_refused_in_plain_words(http: httpx.AsyncClient) -> None:
    for method, path, body in (
        ("PUT", "/store/items", {"namespace": ["a.b"], "key": "k", "value": {}}),
        ("DELETE", "/store/items", {"namespace": [""], "key": "k"}),
        ("POST", "/store/items/search", {"namespace_prefix": ["a\0"]}),
        ("POST", "/store/namespaces", {"suffix": ["a.b"]}),
    ):
        answer = await http.request(method, path, json=body)
        assert (answer.status_code, answer.headers.get("content-type")) == (422, None)
        assert answer.text.endswith("must be a non-empty string without periods")
    answer = await http.get("/store/items", params={"namespace": "a"})
    assert (answer.status_code, answer.json()) == (400, {"error": "Key is required"})


@pytest.mark.anyio
async def test_values_come_back_as_they_were(http: httpx.AsyncClient) -> None:
    value = {"text": 'ünï "✓" \\ \u0000', "n": [1, 1.5, None, True, {"deep": []}], "": {}, "big": 2**60}
    assert (await http.put("/store/items", json={"namespace": ["n"], "key": "k/ü?", "value": value})).status_code == 204
    answer = await http.get("/store/items", params={"namespace": "n", "key": "k/ü?"})
    assert answer.json()["value"] == value


@pytest.mark.anyio
async def test_callers_do_not_see_each_others_items(serve: Serve) -> None:
    async with serve({}, TOKENS) as served, httpx.AsyncClient(base_url=served.url) as http:
        for letter in "ab":
            body = {"namespace": ["mem"], "key": "k", "value": {"of": letter}}
            await http.put("/store/items", json=body, headers=as_user(letter))
        for letter in "ab":
            headers = as_user(letter)
            found = (await http.post("/store/items/search", json={}, headers=headers)).json()["items"]
            assert [(item["namespace"], item["value"]) for item in found] == [(["mem"], {"of": letter})]
            listed = (await http.post("/store/namespaces", json={}, headers=headers)).json()
            assert listed == {"namespaces": [["mem"]]}
        await http.request("DELETE", "/store/items", json={"namespace": ["mem"], "key": "k"}, headers=as_user("a"))
        params = {"namespace": "mem", "key": "k"}
        assert (await http.get("/store/items", params=params, headers=as_user("a"))).json() is None
        assert (await http.get("/store/items", params=params, headers=as_user("b"))).json()["value"] == {"of": "b"}


@pytest.mark.anyio
async def test_a_failing_embedding_is_told(serve: Serve) -> None:
    items = {"items": {"index": {"dims": 2, "embed": "./nowhere.py:embed"}}}
    async with serve({}, items) as served, httpx.AsyncClient(base_url=served.url) as http:
        answer = await http.put("/store/items", json={"namespace": ["n"], "key": "k", "value": {"t": "a"}})
        assert answer.status_code == 424
        assert "nowhere.py" in answer.json()["detail"]
        unindexed = {"namespace": ["n"], "key": "k", "value": {"t": "a"}, "index": False}
        assert (await http.put("/store/items", json=unindexed)).status_code == 204


@pytest.mark.anyio
async def test_the_blocking_client_works_as_well(served: Served) -> None:
    import asyncio

    def use() -> object:
        with get_sync_client(url=served.url, api_key=None) as client:
            client.store.put_item(["n"], "k", {"x": 1})
            return client.store.get_item(["n"], "k")["value"]

    assert await asyncio.to_thread(use) == {"x": 1}
