"""Pruning keeps what delta channels are rebuilt from."""

import operator
from typing import Annotated, TypedDict

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

from longline.storage.protocols import Storage
from longline.testing.storage_samples import sample_thread


def _append(state: list[str], writes: list[list[str]]) -> list[str]:
    return [*state, *(entry for write in writes for entry in write)]


class State(TypedDict):
    log: Annotated[list[str], DeltaChannel(_append, list, snapshot_frequency=50)]


async def count(saver: BaseCheckpointSaver[str], config: RunnableConfig) -> int:
    return len([found async for found in saver.alist(config)])


@pytest.mark.anyio
async def test_a_pruned_thread_with_a_delta_channel_still_has_its_state(storage: Storage) -> None:
    saver = await storage.checkpointer()
    builder = StateGraph(State)
    builder.add_node("step", lambda state: {"log": [f"after {len(state['log'])}"]})
    builder.add_edge(START, "step")
    builder.add_edge("step", END)
    graph = builder.compile(checkpointer=saver)
    config: RunnableConfig = {"configurable": {"thread_id": "t"}}
    for number in range(4):
        await graph.ainvoke({"log": [f"in {number}"]}, config)
    before = (await graph.aget_state(config)).values
    assert len(before["log"]) == 8
    whole = await count(saver, config)
    await saver.aprune(["t"])
    assert 1 < await count(saver, config) <= whole
    assert (await graph.aget_state(config)).values == before
    result = await graph.ainvoke({"log": ["more"]}, config)
    assert result["log"] == [*before["log"], "more", "after 9"]


@pytest.mark.anyio
async def test_a_pruned_thread_without_one_keeps_only_the_latest(storage: Storage) -> None:
    class Plain(TypedDict):
        n: int

    saver = await storage.checkpointer()
    builder = StateGraph(Plain)
    builder.add_node("step", lambda state: {"n": state["n"] + 1})
    builder.add_edge(START, "step")
    builder.add_edge("step", END)
    graph = builder.compile(checkpointer=saver)
    config: RunnableConfig = {"configurable": {"thread_id": "t"}}
    for _ in range(3):
        await graph.ainvoke({"n": 1}, config)
    assert await count(saver, config) > 3
    await saver.aprune(["t"])
    assert await count(saver, config) == 1
    assert (await graph.aget_state(config)).values == {"n": 2}


@pytest.mark.anyio
async def test_an_unknown_strategy_is_refused(storage: Storage) -> None:
    saver = await storage.checkpointer()
    with pytest.raises(ValueError, match="keep_some"):
        await saver.aprune(["t"], strategy="keep_some")


class Told(TypedDict):
    told: Annotated[list[str], operator.add]


def _asking(*, remembers: bool) -> StateGraph[Told]:
    """A graph that calls a subgraph in each turn; that asks at its second step."""
    inner = StateGraph(Told)
    inner.add_node("begin", lambda _: {"told": ["begun"]})
    inner.add_node("ask", lambda _: {"told": [interrupt("go on?")]})
    inner.add_edge(START, "begin")
    inner.add_edge("begin", "ask")
    outer = StateGraph(Told)
    outer.add_node("child", inner.compile(checkpointer=remembers or None))
    outer.add_node("end", lambda _: {"told": ["end"]})
    outer.add_edge(START, "child")
    outer.add_edge("child", "end")
    return outer


@pytest.mark.anyio
@pytest.mark.parametrize("remembers", [False, True])
async def test_a_pruned_thread_goes_on_in_the_subgraph_that_asked(storage: Storage, remembers: bool) -> None:
    saver = await storage.checkpointer()
    graph = _asking(remembers=remembers).compile(checkpointer=saver)
    await storage.threads.create(sample_thread("t"))
    config: RunnableConfig = {"configurable": {"thread_id": "t"}}
    for number in range(3):
        await graph.ainvoke({"told": [f"turn {number}"]}, config)
        await storage.retention.keep_latest("t")
        before = await graph.aget_state(config, subgraphs=True)
        assert before.tasks[0].state.values["told"][-1] == "begun"
        await graph.ainvoke(Command(resume=f"yes {number}"), config)
        told = (await graph.aget_state(config)).values["told"]
        assert told[-2:] == [f"yes {number}", "end"]
    await storage.retention.keep_latest("t")
    namespaces = {found.config["configurable"]["checkpoint_ns"] async for found in saver.alist(config)}
    assert namespaces == ({"", "child"} if remembers else {""})
