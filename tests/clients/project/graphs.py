"""The graphs that real clients call. Files in the folder `gates` let a test decide when a word is said."""

import asyncio
import operator
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import interrupt
from typing_extensions import TypedDict

GATES = Path(__file__).with_name("gates")


async def pass_gate(name: str) -> None:
    """Until somebody makes the file of that name."""
    while not (GATES / name).exists():  # another process makes the file
        await asyncio.sleep(0.01)


class Speaker(BaseChatModel):
    """Says the last message again, word for word; before a word `@name` it waits for the gate `name`."""

    @property
    def _llm_type(self) -> str:
        return "speaker"

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(str(messages[-1].content)))])

    async def _astream(self, messages: list[BaseMessage], *_: Any, **__: Any) -> AsyncIterator[ChatGenerationChunk]:
        for word in str(messages[-1].content).split():
            if word.startswith("@"):
                await pass_gate(word[1:])
            yield ChatGenerationChunk(message=AIMessageChunk(f"{word} "))


speaker = Speaker()


class Number(TypedDict, total=False):
    x: int


class Steps(TypedDict, total=False):
    topic: str
    answer: Any
    log: Annotated[list[str], operator.add]


class Text(TypedDict, total=False):
    value: str
    gate: str


class Told(TypedDict, total=False):
    told: dict[str, Any]
    language: str | None


class Language(TypedDict, total=False):
    language: str


class Note(TypedDict, total=False):
    text: str
    found: list[str]


async def speak(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await speaker.ainvoke(state["messages"])]}


def approve(state: MessagesState) -> dict[str, Any]:
    answer = interrupt({"question": "May I?"})
    return {"messages": [AIMessage(f"You said {answer}.")]}


async def first(state: Text) -> Text:
    get_stream_writer()({"progress": "first"})
    if gate := state.get("gate"):
        await pass_gate(gate)
    return {"value": state.get("value", "") + ">first"}


def inner(state: Text) -> Text:
    answer = interrupt("inner asks") if state["value"].startswith("ask") else "inner"
    return {"value": f"{state['value']}>{answer}"}


def look(state: Told, config: RunnableConfig, runtime: Runtime[Language]) -> Told:
    told = {key: value for key, value in config["configurable"].items() if isinstance(value, str)}
    return {"told": told, "language": (runtime.context or {}).get("language")}


def refuse(state: Number) -> Number:
    raise ValueError("boom")


async def remember(state: Note, runtime: Runtime) -> Note:
    assert runtime.store is not None
    await runtime.store.aput(("notes",), state["text"], {"text": state["text"]})
    return {"found": sorted(item.key for item in await runtime.store.asearch(("notes",)))}


def _count() -> StateGraph:
    builder = StateGraph(Number)
    builder.add_node("add", lambda state: {"x": state.get("x", 0) + 1})
    builder.add_edge(START, "add")
    return builder


def _chat() -> StateGraph:
    builder = StateGraph(MessagesState)
    builder.add_node("speak", speak)
    builder.add_edge(START, "speak")
    return builder


def _ask() -> StateGraph:
    builder = StateGraph(Steps)
    builder.add_node("prepare", lambda state: {"log": ["prepared"]})
    builder.add_node("ask", lambda state: {"answer": interrupt({"question": state.get("topic")}), "log": ["asked"]})
    builder.add_node("finish", lambda state: {"log": ["finished"]})
    builder.add_edge(START, "prepare")
    builder.add_edge("prepare", "ask")
    builder.add_edge("ask", "finish")
    return builder


def _nested() -> StateGraph:
    child = StateGraph(Text)
    child.add_node("inner", inner)
    child.add_edge(START, "inner")
    builder = StateGraph(Text)
    builder.add_node("first", first)
    builder.add_node("child", child.compile())
    builder.add_edge(START, "first")
    builder.add_edge("first", "child")
    return builder


def _tell() -> StateGraph:
    builder = StateGraph(Told, context_schema=Language)
    builder.add_node("look", look)
    builder.add_edge(START, "look")
    return builder


def _fail() -> StateGraph:
    builder = StateGraph(Number)
    builder.add_node("refuse", refuse)
    builder.add_edge(START, "refuse")
    return builder


def _notes() -> StateGraph:
    builder = StateGraph(Note)
    builder.add_node("remember", remember)
    builder.add_edge(START, "remember")
    return builder


def _desk() -> StateGraph:
    """speak → ask a person: what a page with tokens and an approval shows."""
    builder = StateGraph(MessagesState)
    builder.add_node("speak", speak)
    builder.add_node("approve", approve)
    builder.add_edge(START, "speak")
    builder.add_edge("speak", "approve")
    return builder


count = _count().compile()
chat = _chat().compile()
ask = _ask().compile()
nested = _nested().compile()
tell = _tell().compile()
fail = _fail().compile()
notes = _notes().compile()
desk = _desk().compile()
