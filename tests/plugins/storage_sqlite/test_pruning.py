"""Pruning keeps what delta channels are rebuilt from."""

from typing import Annotated, TypedDict

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph

from longline.storage.protocols import Storage


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
