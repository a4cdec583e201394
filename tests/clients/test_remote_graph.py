"""A served graph as a node of another: langgraph's RemoteGraph."""

import operator
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.pregel.remote import RemoteException, RemoteGraph
from langgraph.types import Command, interrupt
from langgraph_sdk import get_client, get_sync_client
from typing_extensions import TypedDict

from tests.clients.served import Served

pytestmark = pytest.mark.anyio

Remote = Callable[[str], RemoteGraph]


class Text(TypedDict, total=False):
    value: str


class Steps(TypedDict, total=False):
    topic: str
    answer: Any
    log: Annotated[list[str], operator.add]


@pytest.fixture
async def remote(served: Served) -> Any:
    """Makes a RemoteGraph of one of the served graphs."""
    async with get_client(url=served.url) as client:
        with get_sync_client(url=served.url) as sync_client:
            yield lambda name: RemoteGraph(name, client=client, sync_client=sync_client)


def around(node: RemoteGraph, schema: type, **options: Any) -> Any:
    builder = StateGraph(schema)
    builder.add_node("remote", node)
    builder.add_edge(START, "remote")
    return builder.compile(**options)


async def _wrap(answer: Any) -> Any:
    return answer


async def new_thread(remote: RemoteGraph) -> Any:
    thread = await remote.client.threads.create()
    return {"configurable": {"thread_id": thread["thread_id"]}}


async def test_it_is_invoked_and_streamed(remote: Remote) -> None:
    graph = remote("nested")
    assert graph.invoke({"value": "v"}) == {"value": "v>first>inner"}
    assert await graph.ainvoke({"value": "v"}) == {"value": "v>first>inner"}
    updates = [{"first": {"value": "v>first"}}, {"child": {"value": "v>first>inner"}}]
    assert list(graph.stream({"value": "v"}, stream_mode="updates")) == updates
    assert [part async for part in graph.astream({"value": "v"}, stream_mode="updates")] == updates
    both = [(part.event, part.data) for part in graph.stream({"value": "v"}, stream_mode=["updates", "custom"])]
    assert both == [("custom", {"progress": "first"}), *(("updates", update) for update in updates)]


async def test_it_is_a_node_of_another_graph(remote: Remote) -> None:
    parent = around(remote("nested"), Text)
    assert parent.invoke({"value": "v"}) == {"value": "v>first>inner"}
    assert await parent.ainvoke({"value": "v"}) == {"value": "v>first>inner"}
    names = []
    async for namespace, update in parent.astream({"value": "v"}, stream_mode="updates", subgraphs=True):
        names.append((len(namespace), *update))
    assert names == [(1, "first"), (2, "inner"), (1, "child"), (0, "remote")]
    assert [
        (len(namespace), *update)
        for namespace, update in parent.stream({"value": "v"}, stream_mode="updates", subgraphs=True)
    ] == names


async def test_its_messages_are_heard_through_the_parent(remote: Remote) -> None:
    graph = remote("chat")
    said = {"messages": [{"role": "human", "content": "one two"}]}
    heard = [part async for part in graph.astream(said, stream_mode="messages")]
    assert "".join(chunk["content"] for chunk, _ in heard) == "one two "


async def test_its_state_is_read_changed_and_looked_up(remote: Remote) -> None:
    graph = remote("count")
    config = await new_thread(graph)
    assert graph.invoke({"x": 1}, config) == {"x": 2}
    for state in (graph.get_state(config), await graph.aget_state(config)):
        assert (state.values, state.next) == ({"x": 2}, ())
        assert state.metadata["graph_id"] == "count"
    changed = graph.update_state(config, {"x": 40}, as_node="add")
    assert graph.get_state(changed).values == {"x": 40}
    again = await graph.aupdate_state(config, {"x": 50}, as_node="add")
    assert (await graph.aget_state(again)).values == {"x": 50}
    history = [state.values.get("x") for state in graph.get_state_history(config)]
    assert history == [50, 40, 2, 1, None]
    assert [state.values.get("x") async for state in graph.aget_state_history(config, limit=2)] == [50, 40]


async def test_its_interrupt_stops_the_parent(remote: Remote) -> None:
    for run in (lambda graph, *args: _wrap(graph.invoke(*args)), lambda graph, *args: graph.ainvoke(*args)):
        parent = around(remote("ask"), Steps, checkpointer=InMemorySaver())
        config = await new_thread(remote("ask"))
        stopped = await run(parent, {"topic": "tea"}, config)
        assert [asked.value for asked in stopped["__interrupt__"]] == [{"question": "tea"}]
        assert parent.get_state(config).next == ("remote",)
        assert remote("ask").get_state(config).next == ("ask",)


async def test_a_node_hands_the_question_on_and_the_answer_back(remote: Remote) -> None:
    """RemoteGraph itself gives a resumed parent's answer to nobody: a node does it."""
    graph = remote("ask")
    far = await new_thread(graph)

    async def consult(state: Steps) -> Steps:
        if (await graph.client.threads.get(far["configurable"]["thread_id"]))["status"] != "interrupted":
            await graph.ainvoke({"topic": state["topic"]}, far)
        (asked,) = (await graph.aget_state(far)).interrupts
        answer = interrupt(asked.value)
        return await graph.ainvoke(Command(resume=answer), far)

    builder = StateGraph(Steps)
    builder.add_node("consult", consult)
    builder.add_edge(START, "consult")
    parent = builder.compile(checkpointer=InMemorySaver())
    here = {"configurable": {"thread_id": "here"}}
    stopped = await parent.ainvoke({"topic": "tea"}, here)
    assert [asked.value for asked in stopped["__interrupt__"]] == [{"question": "tea"}]
    done = await parent.ainvoke(Command(resume="green"), here)
    assert (done["answer"], done["log"]) == ("green", ["prepared", "asked", "finished"])
    assert len(await graph.client.runs.list(far["configurable"]["thread_id"])) == 2


async def test_its_interrupt_is_answered_directly(remote: Remote) -> None:
    graph = remote("ask")
    config = await new_thread(graph)
    stopped = await graph.ainvoke({"topic": "tea"}, config)
    assert [asked["value"] for asked in stopped["__interrupt__"]] == [{"question": "tea"}]
    assert (await graph.aget_state(config)).next == ("ask",)
    done = await graph.ainvoke(Command(resume="green"), config)
    assert (done["answer"], done["log"]) == ("green", ["prepared", "asked", "finished"])

    config = await new_thread(graph)
    graph.invoke({"topic": "tea"}, config)
    assert graph.invoke(Command(resume="black"), config)["answer"] == "black"


async def test_its_configuration_and_context_reach_it(remote: Remote) -> None:
    graph = remote("tell").with_config({"configurable": {"colour": "red"}, "tags": ["far"]})
    assert graph.invoke({})["told"]["colour"] == "red"
    assert (await graph.ainvoke({}, {"configurable": {"colour": "blue"}}))["told"]["colour"] == "blue"
    assert (await remote("tell").ainvoke({}, context={"language": "fr"}))["language"] == "fr"


async def test_its_errors_are_remote_errors(remote: Remote) -> None:
    with pytest.raises(RemoteException, match="boom"):
        remote("fail").invoke({"x": 1})
    with pytest.raises(RemoteException, match="boom"):
        await remote("fail").ainvoke({"x": 1})


async def test_it_draws_itself(remote: Remote) -> None:
    for drawn in (remote("nested").get_graph(xray=True), await remote("nested").aget_graph(xray=True)):
        assert "child:inner" in drawn.nodes
        assert ("first", "child:inner") in {(edge.source, edge.target) for edge in drawn.edges}
    assert set(remote("count").get_graph().nodes) == {"__start__", "add", "__end__"}
