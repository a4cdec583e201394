"""Graphs are loaded once, on a worker thread, and each use gets a copy; one that fails to load hurts no other."""

import asyncio
import logging
import threading

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore
from tests.core import sample_graphs as graphs

from longline.errors import GraphLoadError, InvalidInputError, UnknownGraphError
from longline.graphs.definition import GraphDefinition
from longline.graphs.factories import FactoryCall
from longline.graphs.registry import GraphRegistry

pytestmark = pytest.mark.anyio

CALL = FactoryCall(access="threads.read", config={}, context=None, store=InMemoryStore(), user=None)


def registry(**loads) -> GraphRegistry:
    return GraphRegistry(
        {name: GraphDefinition(graph_id=name, origin=f"{name}.py", load=load) for name, load in loads.items()}
    )


async def test_a_graph_is_loaded_once_off_the_event_loop_however_many_ask() -> None:
    threads: list[int] = []

    def load() -> object:
        threads.append(threading.get_ident())
        return graphs.steps("a")

    known = registry(g=load)

    async def use() -> object:
        async with known.open("g", CALL, checkpointer=None) as graph:
            return graph

    await asyncio.gather(*(use() for _ in range(8)))
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()


async def test_each_use_has_its_own_copy_with_its_own_saver_and_store() -> None:
    loaded = graphs.steps("a")
    known = registry(g=lambda: loaded)
    one, two = InMemorySaver(), InMemorySaver()
    async with known.open("g", CALL, checkpointer=one) as first, known.open("g", CALL, checkpointer=two) as second:
        assert first is not second
        assert (first.checkpointer, second.checkpointer) == (one, two)
        assert first.store is CALL.store
        assert (first.name, second.name) == ("g", "g")
    assert loaded.checkpointer is None


async def test_a_factory_is_called_for_each_use() -> None:
    made: list[object] = []

    def load() -> object:
        def factory() -> object:
            made.append(graphs.steps("a"))
            return made[-1]

        return factory

    known = registry(g=load)
    for _ in range(2):
        async with known.open("g", CALL, checkpointer=None) as graph:
            assert graph.name == "g"
    assert len(made) == 2


async def test_a_graph_nobody_offers_is_named_with_those_there_are() -> None:
    known = registry(a=graphs.chat, b=graphs.chat)
    assert known.graph_ids == ("a", "b")
    with pytest.raises(UnknownGraphError, match="no graph 'c'; this server has: a, b"):
        known.definition("c")
    with pytest.raises(UnknownGraphError):
        async with known.open("c", CALL, checkpointer=None):
            pass


def exits() -> object:
    raise SystemExit("not today")


def fails() -> object:
    return {}["key"]


def says() -> object:
    raise InvalidInputError("the file says so")


def knows() -> object:
    raise GraphLoadError("g", "./there.py, line 5", "its own words")


@pytest.mark.parametrize(
    ("load", "message"),
    [
        (exits, r"graph 'g' cannot be loaded: SystemExit: not today \(.*test_registry\.py, line \d+\)"),
        (fails, r"KeyError: 'key' \(.*test_registry\.py, line \d+\)"),
        (says, r"the file says so \(g\.py\)"),
        (knows, r"its own words \(\./there\.py, line 5\)"),
        (lambda: None, r"expected a LangGraph graph, got NoneType"),
    ],
)
async def test_a_graph_that_does_not_load_is_logged_once_and_refused_from_then_on(
    load, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    known = registry(g=load, good=graphs.chat)
    with caplog.at_level(logging.ERROR):
        await known.load_all()
        for _ in range(2):
            with pytest.raises(GraphLoadError, match=message):
                async with known.open("g", CALL, checkpointer=None):
                    pass
            with pytest.raises(GraphLoadError, match=message):
                known.require("g")
    assert [record.message for record in caplog.records] == ["graph not loaded"]
    assert caplog.records[0].graph_id == "g"
    async with known.open("good", CALL, checkpointer=None) as graph:
        assert graph.name == "good"
    assert known.require("good").origin == "good.py"


async def test_who_stops_waiting_for_a_graph_does_not_stop_its_loading() -> None:
    started, go = threading.Event(), threading.Event()

    def load() -> object:
        started.set()
        assert go.wait(10)
        return graphs.steps("a")

    known = registry(g=load)
    impatient = asyncio.create_task(known.load_all())
    assert await asyncio.to_thread(started.wait, 10)
    impatient.cancel()
    await asyncio.wait({impatient})
    go.set()
    async with asyncio.timeout(10), known.open("g", CALL, checkpointer=None) as graph:
        assert graph.name == "g"


@pytest.mark.parametrize(("access", "error"), [("threads.create_run", ValueError), ("threads.read", GraphLoadError)])
async def test_a_factory_that_raises_fails_a_run_as_it_is_and_a_look_with_its_place(
    access, error: type[Exception]
) -> None:
    def factory() -> object:
        raise ValueError("no key")

    known = registry(g=lambda: factory)
    call = FactoryCall(access=access, config={}, context=None, store=CALL.store, user=None)
    with pytest.raises(error, match="no key"):
        async with known.open("g", call, checkpointer=None):
            pass
    assert known.require("g").graph_id == "g"
