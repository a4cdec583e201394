"""Each owner sees their own items only: through the store itself, and from inside a graph."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.graph import END, START, StateGraph
from langgraph.store.base import (
    BaseStore,
    GetOp,
    InvalidNamespaceError,
    Item,
    ListNamespacesOp,
    MatchCondition,
    PutOp,
    SearchOp,
)
from langgraph.store.memory import InMemoryStore
from tests.core.conftest import OpenServer

from longline.auth.principal import LOCAL, Principal
from longline.graphs.owned_items import Below, owned_items, owner_namespace
from longline.services.run_requests import RunRequest
from longline.services.server import Server
from longline_storage_sqlite.settings import SqliteSettings
from longline_storage_sqlite.storage import sqlite_backend

LABELS = st.text(min_size=1).filter(lambda label: "." not in label and "\x00" not in label)
IDENTITIES = st.text(st.characters())


@pytest.fixture
async def raw(anyio_backend: str, tmp_path: Path) -> AsyncIterator[BaseStore]:
    async with sqlite_backend(SqliteSettings()).connect(f"sqlite:///{tmp_path}/items.db") as storage:
        yield await storage.items()


@pytest.fixture
async def alice(raw: BaseStore) -> BaseStore:
    return owned_items(raw, "alice")


@pytest.fixture
async def bob(raw: BaseStore) -> BaseStore:
    return owned_items(raw, "bob@example.com")


@pytest.mark.anyio
async def test_two_owners_keep_different_items_under_one_name(alice: BaseStore, bob: BaseStore) -> None:
    await alice.aput(("mem",), "k", {"of": "alice"})
    assert await bob.aget(("mem",), "k") is None
    await bob.aput(("mem",), "k", {"of": "bob"})
    for store, name in ((alice, "alice"), (bob, "bob")):
        item = await store.aget(("mem",), "k")
        assert (item.namespace, item.key, item.value) == (("mem",), "k", {"of": name})
    await bob.adelete(("mem",), "k")
    assert await bob.aget(("mem",), "k") is None
    assert (await alice.aget(("mem",), "k")).value == {"of": "alice"}


@pytest.mark.anyio
async def test_a_search_finds_the_items_of_its_owner_only(alice: BaseStore, bob: BaseStore) -> None:
    for number in range(3):
        await alice.aput(("mem", "deep"), str(number), {"n": number})
    await bob.aput(("mem",), "b", {"n": 1})
    assert [(item.namespace, item.key) for item in await bob.asearch(())] == [(("mem",), "b")]
    assert {item.namespace for item in await alice.asearch(())} == {("mem", "deep")}
    assert [item.key for item in await alice.asearch(("mem",), filter={"n": 1})] == ["1"]
    pages = [await alice.asearch(("mem",), limit=2, offset=offset) for offset in (0, 2)]
    assert [len(page) for page in pages] == [2, 1]
    assert {item.key for page in pages for item in page} == {"0", "1", "2"}


@pytest.mark.anyio
async def test_namespaces_are_listed_as_if_nobody_else_had_any(alice: BaseStore, bob: BaseStore) -> None:
    mine = [("a",), ("a", "x"), ("a", "y", "z"), ("b", "x")]
    for namespace in mine:
        await alice.aput(namespace, "k", {})
    await bob.aput(("a", "secret", "x"), "k", {})
    assert sorted(await alice.alist_namespaces()) == mine
    assert await bob.alist_namespaces() == [("a", "secret", "x")]
    assert sorted(await alice.alist_namespaces(prefix=("a",))) == mine[:3]
    assert sorted(await alice.alist_namespaces(prefix=("*", "x"))) == [("a", "x"), ("b", "x")]
    assert sorted(await alice.alist_namespaces(suffix=("x",))) == [("a", "x"), ("b", "x")]
    assert sorted(await alice.alist_namespaces(prefix=("a",), suffix=("x",))) == [("a", "x")]
    assert sorted(await alice.alist_namespaces(max_depth=1)) == [("a",), ("b",)]
    assert sorted(await alice.alist_namespaces(max_depth=2)) == [("a",), ("a", "x"), ("a", "y"), ("b", "x")]
    pages = [await alice.alist_namespaces(limit=3, offset=offset) for offset in (0, 3)]
    assert [len(page) for page in pages] == [3, 1]
    assert sorted(pages[0] + pages[1]) == mine


@pytest.mark.anyio
async def test_a_wildcard_in_a_suffix_does_not_match_what_is_above_the_owner(alice: BaseStore) -> None:
    await alice.aput(("x",), "k", {})
    await alice.aput(("a", "x"), "k", {})
    assert await alice.alist_namespaces(suffix=("*", "x")) == [("a", "x")]
    assert await alice.alist_namespaces(suffix=("*", "*", "x")) == []
    assert await alice.alist_namespaces(suffix=owner_namespace("alice")) == []


@pytest.mark.anyio
async def test_nobody_reaches_another_owner_by_naming_their_place(alice: BaseStore, bob: BaseStore) -> None:
    await alice.aput(("mem",), "k", {"of": "alice"})
    place = (*owner_namespace("alice"), "mem")
    assert await bob.aget(place, "k") is None
    assert await bob.asearch(place[:1]) == []
    assert await bob.alist_namespaces(prefix=place[:1]) == []
    with pytest.raises(InvalidNamespaceError):
        await bob.abatch([GetOp(("a.b",), "k")])
    with pytest.raises(InvalidNamespaceError):
        await bob.aput(("langgraph",), "k", {})


@pytest.mark.anyio
async def test_threads_use_the_same_items_without_async(alice: BaseStore, bob: BaseStore) -> None:
    def use() -> list[object]:
        alice.put(("mem",), "k", {"of": "alice"})
        return [alice.get(("mem",), "k").namespace, bob.get(("mem",), "k"), alice.list_namespaces(), bob.search(())]

    assert await asyncio.to_thread(use) == [("mem",), None, [("mem",)], []]
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.InvalidStateError):
            alice.get(("mem",), "k")


@pytest.mark.anyio
async def test_a_mixed_batch_answers_in_the_order_of_its_operations(alice: BaseStore, bob: BaseStore) -> None:
    await bob.aput(("mem",), "b", {})
    await alice.aput(("mem",), "a", {})
    suffix = (MatchCondition("suffix", ("mem",)),)
    item, put, found, listed = await alice.abatch(
        [GetOp(("mem",), "a"), PutOp(("new",), "n", {}), SearchOp(("mem",)), ListNamespacesOp(suffix)]
    )
    assert (item.namespace, put, [one.namespace for one in found], listed) == (("mem",), None, [("mem",)], [("mem",)])


@pytest.mark.anyio
async def test_an_owned_store_expires_items_as_the_store_under_it_does(raw: BaseStore, alice: BaseStore) -> None:
    assert (alice.supports_ttl, alice.ttl_config) == (raw.supports_ttl, raw.ttl_config)
    assert alice.supports_ttl
    await alice.aput(("mem",), "k", {}, ttl=60)
    assert not owned_items(InMemoryStore(), "alice").supports_ttl


@given(IDENTITIES, st.lists(LABELS).map(tuple))
def test_whatever_goes_below_an_owner_comes_back_as_it_was(identity: str, namespace: tuple[str, ...]) -> None:
    below = Below(owner_namespace(identity))
    moved = below.inside(GetOp(namespace, "k"))
    assert moved.namespace[:2] == owner_namespace(identity)
    now = datetime.now(UTC)
    item = Item(value={}, key="k", namespace=moved.namespace, created_at=now, updated_at=now)
    assert below.outside(item).namespace == namespace
    assert below.outside([moved.namespace]) == [namespace]
    assert item.namespace == moved.namespace


@given(IDENTITIES, IDENTITIES)
def test_two_identities_never_share_a_place(one: str, other: str) -> None:
    assert (owner_namespace(one) == owner_namespace(other)) == (one == other)
    assert all(label and "." not in label and "\x00" not in label for label in owner_namespace(one))


class Memory(TypedDict, total=False):
    """What a graph was told to remember, and what it found."""

    note: str
    found: list[str]


async def remember(state: Memory, *, store: BaseStore) -> Memory:
    if "note" in state:
        await store.aput(("mem",), state["note"], {})
    return {"found": sorted(item.key for item in await store.asearch(("mem",)))}


async def found_by(server: Server, principal: Principal, **given: str) -> list[str]:
    _, reader = await server.runs.watch(principal, RunRequest(assistant="remembers", input={"found": [], **given}))
    with reader:
        events = []
        while page := await reader.read(10):
            events += page
    return orjson.loads([event.data for event in events if event.mode == "values"][-1])["found"]


@pytest.mark.anyio
async def test_a_graph_remembers_for_each_caller_apart(open_server: OpenServer) -> None:
    builder = StateGraph(Memory).add_node("remember", remember).add_edge(START, "remember").add_edge("remember", END)
    alice, bob = Principal(identity="alice"), Principal(identity="bob")
    async with open_server({"remembers": builder}) as server:
        assert await found_by(server, alice, note="of alice") == ["of alice"]
        assert await found_by(server, bob) == []
        assert await found_by(server, bob, note="of bob") == ["of bob"]
        assert await found_by(server, alice) == ["of alice"]
        assert await found_by(server, LOCAL) == []
        assert await found_by(server, LOCAL, note="of all") == ["of all"]
