"""The graphs that these tests serve."""

import operator
from typing import Annotated, Any

from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import interrupt
from typing_extensions import TypedDict

ANSWER = "Hello from a model of the test"


class Count(TypedDict, total=False):
    """A number."""

    x: int


class Notes(TypedDict, total=False):
    """What a person is asked, and says."""

    topic: str
    answer: Any
    log: Annotated[list[str], operator.add]


class Text(TypedDict, total=False):
    """A text that grows."""

    value: str


class Seen(TypedDict, total=False):
    """What a node sees of its run."""

    told: dict[str, Any]
    context: Any


class Language(TypedDict, total=False):
    """What the assistant is told."""

    language: str


def counting() -> object:
    """x → x + 1."""
    builder = StateGraph(Count)
    builder.add_node("add", lambda state: {"x": state.get("x", 0) + 1})
    builder.add_edge(START, "add")
    return builder.compile()


def chat() -> object:
    """One model that streams its answer."""
    model = FakeListChatModel(responses=[ANSWER])

    async def answer(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("model", answer)
    builder.add_edge(START, "model")
    return builder.compile()


def asking() -> object:
    """prepare → ask a person → finish."""
    builder = StateGraph(Notes)
    builder.add_node("prepare", lambda state: {"log": ["prepared"]})
    builder.add_node("ask", lambda state: {"answer": interrupt({"question": state.get("topic")}), "log": ["asked"]})
    builder.add_node("finish", lambda state: {"log": ["finished"]})
    builder.add_edge(START, "prepare")
    builder.add_edge("prepare", "ask")
    builder.add_edge("ask", "finish")
    return builder.compile()


def failing() -> object:
    """good → bad, which raises."""

    def bad(state: Count) -> Count:
        raise ValueError("boom")

    builder = StateGraph(Count)
    builder.add_node("good", lambda state: {"x": 1})
    builder.add_node("bad", bad)
    builder.add_edge(START, "good")
    builder.add_edge("good", "bad")
    return builder.compile()


def nested() -> object:
    """first → child, a graph of its own."""

    def first(state: Text) -> Text:
        get_stream_writer()({"progress": "first"})
        return {"value": state.get("value", "") + ">first"}

    child = StateGraph(Text)
    child.add_node("inner", lambda state: {"value": state["value"] + ">inner"})
    child.add_edge(START, "inner")
    builder = StateGraph(Text)
    builder.add_node("first", first)
    builder.add_node("child", child.compile())
    builder.add_edge(START, "first")
    builder.add_edge("first", "child")
    return builder.compile()


def seeing() -> object:
    """Tells what configuration and context reached it."""

    def look(state: Seen, config: RunnableConfig, runtime: Runtime[Language]) -> Seen:
        told = {key: value for key, value in config["configurable"].items() if isinstance(value, str)}
        return {"told": told, "context": runtime.context}

    builder = StateGraph(Seen, context_schema=Language)
    builder.add_node("look", look)
    builder.add_edge(START, "look")
    return builder.compile()
