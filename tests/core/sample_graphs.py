"""Small graphs that do one thing each. Importing this imports LangGraph."""

import operator
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt
from typing_extensions import TypedDict


class Words(BaseChatModel):
    """A model that says these words, one by one."""

    words: tuple[str, ...] = ("one ", "two ", "three")

    @property
    def _llm_type(self) -> str:
        return "words"

    def _generate(self, messages: Sequence[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage("".join(self.words)))])

    def _stream(self, messages: Sequence[BaseMessage], *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        for number, word in enumerate(self.words, 1):
            position = "last" if number == len(self.words) else None
            yield ChatGenerationChunk(message=AIMessageChunk(word, chunk_position=position))


class Notes(TypedDict, total=False):
    """What most of these graphs keep."""

    notes: Annotated[list[str], operator.add]
    n: int


def chat() -> object:
    """Asks a model and then a tool."""

    async def model(state: MessagesState) -> dict[str, object]:
        return {"messages": [await Words().ainvoke(state["messages"])]}

    def tool(state: MessagesState) -> dict[str, object]:
        return {"messages": [ToolMessage("done", tool_call_id="c1", id="t1")]}

    builder = StateGraph(MessagesState)
    builder.add_node("model", model)
    builder.add_node("tool", tool)
    builder.add_edge(START, "model")
    builder.add_edge("model", "tool")
    return builder.compile()


def steps(*names: str, fails: str = "", asks: str = "") -> object:
    """Leaves a note in each step; may fail in one of them, or ask in one."""

    def step(name: str) -> Any:
        def run(state: Notes) -> Notes:
            if name == fails:
                raise ValueError(f"no {name}")
            answer = interrupt({"question": name}) if name == asks else ""
            return {"notes": [f"{name}{answer}"], "n": len(state.get("notes", []))}

        return run

    builder = StateGraph(Notes)
    for name in names:
        builder.add_node(name, step(name))
    for before, after in zip([START, *names], names, strict=False):
        builder.add_edge(before, after)
    return builder.compile()


def nested() -> object:
    """A graph in a graph, which writes something of its own."""

    def inside(state: Notes) -> Notes:
        get_stream_writer()({"half": "way"})
        return {"notes": ["inside"]}

    inner = StateGraph(Notes)
    inner.add_node("inside", inside)
    inner.add_edge(START, "inside")
    outer = StateGraph(Notes)
    outer.add_node("child", inner.compile())
    outer.add_edge(START, "child")
    return outer.compile()


def jumping() -> object:
    """`a` goes where the input says."""

    def first(state: Notes) -> Command:
        return Command(update={"notes": ["a"]}, goto="c" if state.get("n") else "b")

    def last(name: str) -> Any:
        return lambda state: {"notes": [name]}

    builder = StateGraph(Notes)
    builder.add_node("a", first, destinations=("b", "c"))
    builder.add_node("b", last("b"))
    builder.add_node("c", last("c"))
    builder.add_edge(START, "a")
    return builder.compile()


def looking() -> object:
    """Leaves in its state what it was configured with."""

    class Seen(TypedDict, total=False):
        seen: dict[str, Any]

    def look(state: Seen, config: RunnableConfig) -> Seen:
        return {"seen": {key: value for key, value in config["configurable"].items() if not key.startswith("__pregel")}}

    builder = StateGraph(Seen)
    builder.add_node("look", look)
    builder.add_edge(START, "look")
    return builder.compile()
