"""Items as callers see them: the same from every face, one owner's never another's, wherever rules put them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from tempfile import TemporaryDirectory
from typing import TypedDict

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langgraph.graph import END, START, StateGraph
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore
from tests.core.conftest import OpenServer

from longline.auth.access import Access, Action
from longline.auth.principal import ANONYMOUS, LOCAL, SYSTEM, Principal
from longline.errors import ForbiddenError, InvalidInputError, InvalidLabelError, LonglineError
from longline.graphs.owned_items import ItemFaces, owner_namespace
from longline.models.filters import EVERYTHING, Filter
from longline.models.items import ItemQuery, NamespaceQuery, NewItem
from longline.models.json import JsonObject
from longline.services.items import ItemService, places_items
from longline.services.run_requests import RunRequest
from longline.services.server import Server
from longline_storage_sqlite.settings import SqliteSettings
from longline_storage_sqlite.storage import sqlite_backend

ALICE, BOB = Principal(identity="alice"), Principal(identity="bob")


def item(*namespace: str, key: str = "k", **value: object) -> NewItem:
    return NewItem(namespace=namespace, key=key, value=dict(value))


class Placing:
    """What a handler of langgraph_sdk.Auth does: everything of a caller is below their name. It stands in the place of
    the default rules for the verbs it is made for."""

    name = "placing"

    def __init__(self, *verbs: str) -> None:
        self._verbs = verbs
        self.seen: list[tuple[str, JsonObject]] = []

    def overrides(self, action: Action) -> bool:
        return action.resource == "store" and (not self._verbs or action.verb in self._verbs)

    async def decide(self, principal: Principal, action: Action, value: JsonObject) -> Filter:
        self.seen.append((action.verb, dict(value)))
        value["namespace"] = (principal.identity, *value["namespace"])
        return EVERYTHING


class Forbidding:
    """Nobody puts anything."""

    name = "forbidding"

    async def decide(self, principal: Principal, action: Action, value: JsonObject) -> Filter:
        if action.verb == "put":
            raise ForbiddenError
        return EVERYTHING


class _Holding:
    """A storage that is nothing but a store."""

    def __init__(self) -> None:
        self.store = InMemoryStore()

    async def items(self) -> BaseStore:
        return self.store


def service(*rules: object) -> tuple[ItemService, BaseStore]:
    storage, access = _Holding(), Access(rules)
    return ItemService(faces=ItemFaces(storage, are_placed=places_items(access)), access=access), storage.store


@pytest.mark.anyio
async def test_an_item_is_put_read_found_listed_and_removed(open_server: OpenServer) -> None:
    async with open_server() as server:
        await server.items.put(ALICE, item("a", "b", x=1))
        found = await server.items.get(ALICE, ("a", "b"), "k")
        assert (found.namespace, found.key, found.value, found.score) == (("a", "b"), "k", {"x": 1}, None)
        assert found.created_at.tzinfo is not None
        assert [one.key for one in await server.items.search(ALICE, ItemQuery(namespace=("a",), filter={"x": 1}))] == [
            "k"
        ]
        assert await server.items.namespaces(ALICE, NamespaceQuery(suffix=("b",))) == [("a", "b")]
        await server.items.delete(ALICE, ("a", "b"), "k")
        await server.items.delete(ALICE, ("a", "b"), "k")
        assert await server.items.get(ALICE, ("a", "b"), "k") is None


@pytest.mark.anyio
@pytest.mark.parametrize("namespace", [("a.b",), ("",), ("a", ""), ("a\0",)])
async def test_a_label_that_would_be_two_is_refused_everywhere(namespace: tuple[str, ...]) -> None:
    items, _ = service()
    for call in (
        items.put(ALICE, item(*namespace)),
        items.get(ALICE, namespace, "k"),
        items.delete(ALICE, namespace, "k"),
        items.search(ALICE, ItemQuery(namespace=namespace)),
        items.namespaces(ALICE, NamespaceQuery(prefix=namespace)),
        items.namespaces(ALICE, NamespaceQuery(suffix=namespace)),
    ):
        with pytest.raises(InvalidLabelError):
            await call


@pytest.mark.anyio
@pytest.mark.parametrize("wanted", [
    {"a'": 1}, {"a b": 1}, {"": 1}, {".a": 1}, {"a..b": 1}, {"a": {"$like": "x"}}, {"a": {"b": 1}},
    {str(number): number for number in range(101)},
])  # fmt: skip
async def test_a_filter_that_cannot_be_is_the_callers_mistake(open_server: OpenServer, wanted: JsonObject) -> None:
    async with open_server() as server:
        with pytest.raises(InvalidInputError):
            await server.items.search(ALICE, ItemQuery(filter=wanted))


@pytest.mark.anyio
async def test_what_nobody_may_put_is_refused() -> None:
    items, _ = service()
    for namespace in ((), ("langgraph", "x")):
        with pytest.raises(InvalidInputError):
            await items.put(ALICE, item(*namespace))
    refusing, _ = service(Forbidding())
    with pytest.raises(ForbiddenError):
        await refusing.put(ALICE, item("a"))
    assert await refusing.get(ALICE, ("a",), "k") is None


@pytest.mark.anyio
async def test_a_rule_that_overrides_the_store_says_where_items_are() -> None:
    rule = Placing()
    items, store = service(rule)
    await items.put(ALICE, item("mem", x=1))
    await items.put(BOB, item("mem", x=2))
    assert (await store.aget(("alice", "mem"), "k")).value == {"x": 1}
    found = await items.get(BOB, ("mem",), "k")
    assert (found.namespace, found.value) == (("bob", "mem"), {"x": 2})
    assert await items.namespaces(BOB, NamespaceQuery()) == [("bob", "mem")]
    assert [verb for verb, _ in rule.seen] == ["put", "put", "get", "list_namespaces"]
    assert rule.seen[0][1] == {"namespace": ("mem",), "key": "k", "value": {"x": 1}, "index": None}


@pytest.mark.anyio
async def test_a_rule_for_some_actions_only_leaves_everyone_their_own_part() -> None:
    items, store = service(Placing("put"))
    await items.put(ALICE, item("mem", x=1))
    assert await store.aget(("alice", "mem"), "k") is None
    assert (await store.aget((*owner_namespace("alice"), "alice", "mem"), "k")).value == {"x": 1}


@pytest.mark.anyio
async def test_who_is_nobody_in_particular_has_a_part_too() -> None:
    items, store = service()
    await items.put(LOCAL, item("mem", of="all"))
    await items.put(ANONYMOUS, item("mem", of="nobody"))
    assert (await store.aget(("mem",), "k")).value == {"of": "all"}
    assert (await items.get(ANONYMOUS, ("mem",), "k")).value == {"of": "nobody"}
    assert (await items.get(SYSTEM, ("mem",), "k")).value == {"of": "all"}


class Memory(TypedDict, total=False):
    note: str
    found: list[str]


async def remember(state: Memory, *, store: BaseStore) -> Memory:
    await store.aput(("mem",), state["note"], {})
    return {"found": sorted(found.key for found in await store.asearch(("mem",)))}


async def found_by(server: Server, principal: Principal, note: str) -> list[str]:
    request = RunRequest(assistant="remembers", input={"note": note})
    _, reader = await server.runs.watch(principal, request)
    with reader:
        events = []
        while page := await reader.read(10):
            events += page
    return orjson.loads([event.data for event in events if event.mode == "values"][-1])["found"]


@pytest.mark.anyio
@pytest.mark.parametrize("principal", [ALICE, ANONYMOUS, LOCAL])
async def test_graphs_and_callers_see_the_same_items(open_server: OpenServer, principal: Principal) -> None:
    builder = StateGraph(Memory).add_node("remember", remember).add_edge(START, "remember").add_edge("remember", END)
    async with open_server({"remembers": builder}) as server:
        await server.items.put(principal, item("mem", key="of the caller"))
        await server.items.put(BOB, item("mem", key="of bob"))
        mine = ["of the caller", "of the graph"]
        assert [key for key in await found_by(server, principal, "of the graph") if key != "of bob"] == mine
        found = await server.items.search(principal, ItemQuery(namespace=("mem",)))
        assert sorted(one.key for one in found) == mine


# -- whatever the namespace -----------------------------------------------------------------------------------------

_ROOTS = [*owner_namespace("alice"), *owner_namespace("bob"), "*", "longline_owner", "u", "alice", "bob", "a", "b", "x"]
LABELS = st.sampled_from(_ROOTS) | st.text(max_size=3)
NAMESPACES = st.lists(LABELS, max_size=4).map(tuple)


@asynccontextmanager
async def _stored() -> AsyncIterator[tuple[ItemService, BaseStore]]:
    """The service over a file of its own."""
    with TemporaryDirectory() as folder:
        async with sqlite_backend(SqliteSettings()).connect(f"sqlite:///{folder}/items.db") as storage:
            yield ItemService(faces=ItemFaces(storage, are_placed=False), access=Access(())), await storage.items()


@contextmanager
def _refusable() -> Iterator[None]:
    try:
        yield
    except LonglineError:
        return


@settings(max_examples=50, deadline=None)
@given(st.lists(NAMESPACES, max_size=5), st.lists(NAMESPACES, min_size=1, max_size=6), st.integers(1, 5))
def test_no_namespace_leads_to_anothers_items(
    of_alice: list[tuple[str, ...]], tried: list[tuple[str, ...]], depth: int
) -> None:
    asyncio.run(_try_everything(of_alice, tried, depth))


async def _try_everything(of_alice: list[tuple[str, ...]], tried: list[tuple[str, ...]], depth: int) -> None:
    async with _stored() as (items, store):
        await _try_all(items, store, of_alice, tried, depth)


async def _try_all(
    items: ItemService, store: BaseStore, of_alice: list[tuple[str, ...]], tried: list[tuple[str, ...]], depth: int
) -> None:
    for namespace in [("mem",), *of_alice]:
        with _refusable():
            await items.put(ALICE, NewItem(namespace=namespace, key="k", value={"of": "alice"}))
    before = sorted(found.namespace for found in await store.asearch((), limit=1000))
    for namespace in tried:
        with _refusable():
            assert await items.get(BOB, namespace, "k") is None
        with _refusable():
            assert await items.search(BOB, ItemQuery(namespace=namespace, limit=100)) == []
        for query in (
            NamespaceQuery(prefix=namespace), NamespaceQuery(suffix=namespace),
            NamespaceQuery(prefix=namespace, suffix=namespace, max_depth=depth), NamespaceQuery(max_depth=depth),
        ):  # fmt: skip
            with _refusable():
                assert await items.namespaces(BOB, query) == []
        with _refusable():
            await items.delete(BOB, namespace, "k")
    assert sorted(found.namespace for found in await store.asearch((), limit=1000)) == before
    for namespace in tried:
        with _refusable():
            await items.put(BOB, NewItem(namespace=namespace, key="k", value={"of": "bob"}))
    for namespace in [("mem",), *of_alice]:
        with _refusable():
            found = await items.get(ALICE, namespace, "k")
            assert found is None or found.value == {"of": "alice"}


PLAIN = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4).map(tuple)
PATTERN = st.lists(st.sampled_from(["a", "b", "*"]), max_size=3).map(tuple)


@settings(max_examples=50, deadline=None)
@given(st.lists(PLAIN, max_size=8, unique=True), PATTERN, PATTERN, st.none() | st.integers(1, 5))
def test_an_owner_lists_namespaces_as_if_the_store_were_theirs(
    namespaces: list[tuple[str, ...]], prefix: tuple[str, ...], suffix: tuple[str, ...], depth: int | None
) -> None:
    asyncio.run(_compare_lists(namespaces, NamespaceQuery(prefix=prefix, suffix=suffix, max_depth=depth)))


async def _compare_lists(namespaces: list[tuple[str, ...]], query: NamespaceQuery) -> None:
    async with _stored() as (items, _):
        for namespace in namespaces:
            await items.put(ALICE, item(*namespace))
            await items.put(BOB, item("z", *namespace))
        found = await items.namespaces(ALICE, query)
    expected = {
        namespace[: query.max_depth]
        for namespace in namespaces
        if _fits(namespace[: len(query.prefix)], query.prefix)
        and _fits(namespace[len(namespace) - len(query.suffix) :] if query.suffix else (), query.suffix)
        and len(namespace) >= len(query.suffix)
    }
    assert set(found) == expected


def _fits(labels: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    return len(labels) == len(pattern) and all(
        part in ("*", label) for label, part in zip(labels, pattern, strict=True)
    )
