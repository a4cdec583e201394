"""Whatever a graph reference names becomes a graph: objects, builders and factories of every form."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from langgraph.store.memory import InMemoryStore
from langgraph_sdk.runtime import ServerRuntime
from tests.core import sample_graphs as graphs

from longline.graphs.factories import FactoryCall, as_graph, call_factory, is_factory

pytestmark = pytest.mark.anyio

GRAPH = graphs.steps("a")
CALL = FactoryCall(
    access="threads.create_run",
    config={"configurable": {"lang": "fr"}},
    context={"c": 1},
    store=InMemoryStore(),
    user={"identity": "ann"},
)
story: list[object] = []


@pytest.fixture(autouse=True)
def _forget() -> None:
    story.clear()


def plain() -> object:
    return GRAPH


def by_name(config: RunnableConfig) -> object:
    story.append(config["configurable"])
    return GRAPH


def by_position(anything) -> object:
    story.append(anything["configurable"])
    return GRAPH


def by_type(setup: RunnableConfig) -> object:
    story.append(setup["configurable"])
    return GRAPH


async def waited_for(config: dict[str, Any]) -> object:
    story.append(config["configurable"])
    return GRAPH


class WithCall:
    def __call__(self, config: RunnableConfig) -> object:
        story.append(config["configurable"])
        return GRAPH


@asynccontextmanager
async def opened(config: RunnableConfig) -> AsyncIterator[object]:
    story.append(config["configurable"])
    yield GRAPH
    story.append("closed")


@contextmanager
def opened_at_once(config: RunnableConfig) -> Iterator[object]:
    story.append(config["configurable"])
    yield GRAPH
    story.append("closed")


async def generated(config: RunnableConfig) -> AsyncIterator[object]:
    story.append(config["configurable"])
    yield GRAPH
    story.append("closed")


async def returning_one_that_opens(config: RunnableConfig) -> object:
    return opened(config)


@pytest.mark.parametrize(
    ("factory", "closes"),
    [
        (by_name, False),
        (by_position, False),
        (by_type, False),
        (waited_for, False),
        (WithCall(), False),
        (opened, True),
        (opened_at_once, True),
        (generated, True),
        (returning_one_that_opens, True),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
async def test_a_factory_gets_the_configuration_and_what_it_opened_is_closed(
    factory: Callable[..., object], closes: bool
) -> None:
    assert is_factory(factory)
    async with call_factory(factory, CALL) as made:
        assert made is GRAPH
        assert story == [{"lang": "fr"}]
    assert story[1:] == (["closed"] if closes else [])


async def test_a_factory_that_asks_for_nothing_gets_nothing() -> None:
    async with call_factory(plain, CALL) as made:
        assert made is GRAPH


async def test_a_factory_gets_the_runtime_by_name_or_type_beside_the_configuration() -> None:
    def both(config: RunnableConfig, runtime) -> object:
        story.extend([config["configurable"], runtime])
        return GRAPH

    def typed(setup: ServerRuntime) -> object:
        story.append(setup)
        return GRAPH

    def with_defaults(config: RunnableConfig, verbose: bool = False, **more: object) -> object:
        story.append((verbose, more))
        return GRAPH

    for factory in (both, typed, with_defaults):
        async with call_factory(factory, CALL) as made:
            assert made is GRAPH
    configurable, runtime, again, rest = story
    assert configurable == {"lang": "fr"}
    assert type(runtime) is type(again)
    assert (runtime.access_context, runtime.context, runtime.user) == ("threads.create_run", {"c": 1}, CALL.user)
    assert runtime.store is CALL.store
    assert rest == (False, {})


@pytest.mark.parametrize("access", ["threads.read", "threads.update", "assistants.read"])
async def test_a_factory_can_tell_that_nothing_will_be_executed(access) -> None:
    def look(runtime) -> object:
        story.append(runtime)
        return GRAPH

    call = FactoryCall(access=access, config={}, context=None, store=CALL.store, user=None)
    async with call_factory(look, call):
        pass
    assert story[0].access_context == access
    assert not hasattr(story[0], "context")


async def test_what_is_opened_is_closed_when_the_run_fails() -> None:
    @asynccontextmanager
    async def careful() -> AsyncIterator[object]:
        try:
            yield GRAPH
        finally:
            story.append("closed")

    with pytest.raises(ValueError, match="in the run"):
        async with call_factory(careful, CALL):
            raise ValueError("in the run")
    assert story == ["closed"]


def test_graphs_and_builders_are_no_factories_and_builders_are_compiled() -> None:
    builder = StateGraph(graphs.Notes)
    builder.add_node("a", lambda state: {})
    builder.add_edge(START, "a")
    assert not is_factory(GRAPH)
    assert not is_factory(builder)
    assert as_graph(GRAPH) is GRAPH
    assert set(as_graph(builder).get_graph().nodes) == {"__start__", "a", "__end__"}


@pytest.mark.parametrize("made", [None, 5, "graph", {}], ids=repr)
async def test_what_is_no_graph_is_named_by_its_type(made: object) -> None:
    with pytest.raises(TypeError, match=f"expected a LangGraph graph, got {type(made).__name__}"):
        as_graph(made)
    with pytest.raises(TypeError, match="expected a LangGraph graph"):
        async with call_factory(lambda: made, CALL):
            pass
