"""The agents that these tests talk to."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt
from tests.races.graphs import Gate
from typing_extensions import TypedDict

ANSWER = "Hello from a model of the test"


class Count(TypedDict, total=False):
    """A number."""

    x: int


def chat() -> object:
    """One model that streams its answer."""
    model = FakeListChatModel(responses=[ANSWER])

    async def answer(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    return _graph(answer)


def counting() -> object:
    """x → x + 1."""
    builder = StateGraph(Count)
    builder.add_node("add", lambda state: {"x": state.get("x", 0) + 1})
    builder.add_edge(START, "add")
    return builder.compile()


def scripted() -> object:
    """Does what its last message says: `ask …`, `fail`, `reject`, `reply`, `echo` (its own parts back), `wait`."""

    async def act(state: MessagesState) -> dict[str, Any]:
        message = state["messages"][-1]
        word, _, rest = message.text.partition(" ")
        if word == "ask":
            answers = [interrupt(question) for question in rest.split("|")]
            return {"messages": [AIMessage(f"you said {answers}")]}
        if word == "choose":
            answer = interrupt({"choices": ["a", "b"]})
            return {"messages": [AIMessage(f"you chose {answer}")]}
        if word == "fail":
            raise ValueError(f"secret {rest}")
        if word == "wait":
            await asyncio.Event().wait()
        if word == "echo":
            return {"messages": [AIMessage(message.content, additional_kwargs=message.additional_kwargs)]}
        words = {"reject": {"state": "rejected"}, "reply": {"reply": "message"}}.get(word)
        metadata = {"a2a": words} if words is not None else {}
        return {"messages": [AIMessage(f"done: {message.text}", response_metadata=metadata)]}

    return _graph(act)


def talkative() -> object:
    """A model that is asked within, then one that answers; then one more word of a node."""
    inner, outer = FakeListChatModel(responses=["thinking aloud"]), FakeListChatModel(responses=["the answer"])

    async def think(state: MessagesState) -> dict[str, Any]:
        await inner.ainvoke(state["messages"])
        return {"messages": [await outer.ainvoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("think", think)
    builder.add_node("close", lambda _: {"messages": [AIMessage("goodbye")]})
    builder.add_edge(START, "think")
    builder.add_edge("think", "close")
    return builder.compile()


class Halting(BaseChatModel):
    """A model that says half of its answer, and the rest once the gate is open."""

    gate: Any

    @property
    def _llm_type(self) -> str:
        return "halting"

    async def _astream(self, *_: Any, **__: Any) -> AsyncIterator[ChatGenerationChunk]:
        yield ChatGenerationChunk(message=AIMessageChunk("half "))
        self.gate.reached.set()
        await self.gate.opened.wait()
        yield ChatGenerationChunk(message=AIMessageChunk("and half"))

    async def _agenerate(self, *args: Any, **more: Any) -> ChatResult:
        pieces = [chunk.message async for chunk in self._astream(*args, **more)]
        whole = AIMessage("".join(piece.text for piece in pieces))
        return ChatResult(generations=[ChatGeneration(message=whole)])

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        raise NotImplementedError


def halting(gate: Gate) -> object:
    """An agent with that model."""
    model = Halting(gate=gate)

    async def answer(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    return _graph(answer)


def _graph(node: Any) -> object:
    builder = StateGraph(MessagesState)
    builder.add_node("act", node)
    builder.add_edge(START, "act")
    return builder.compile()


GRAPHS = {"chat": chat, "counting": counting, "scripted": scripted, "talkative": talkative}
