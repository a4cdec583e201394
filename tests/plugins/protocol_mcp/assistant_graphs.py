"""Graphs whose assistants are called as tools."""

import operator
from typing import Annotated, Any

from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langgraph.config import get_stream_writer
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict


class Number(TypedDict, total=False):
    """A number."""

    x: int


class Wish(TypedDict, total=False):
    """What somebody wants, and what they are told."""

    topic: str
    answers: Annotated[list[Any], operator.add]


def counting() -> object:
    """x → x + 1."""
    builder = StateGraph(Number)
    builder.add_node("add", lambda state: {"x": state.get("x", 0) + 1})
    builder.add_edge(START, "add")
    return builder.compile()


def failing() -> object:
    """It raises, with a secret in its message."""

    def bad(state: Number) -> Number:
        raise ValueError("password=hunter2")

    builder = StateGraph(Number)
    builder.add_node("bad", bad)
    builder.add_edge(START, "bad")
    return builder.compile()


def parrot() -> object:
    """It streams how many messages of people there were, and the last of them; it says that it works."""

    async def answer(state: MessagesState) -> dict[str, Any]:
        people = [message for message in state["messages"] if message.type == "human"]
        write = get_stream_writer()
        write({"heard": len(people)})
        write({"type": "tool_progress", "tool": "ear", "done": 1, "total": 2, "message": "half"})
        write({"type": "tool_log", "tool": "ear", "level": "notice", "data": "loud", "logger": None})
        model = GenericFakeChatModel(messages=iter([AIMessage(f"{len(people)}: {people[-1].text}")]))
        return {"messages": [await model.ainvoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("answer", answer)
    builder.add_edge(START, "answer")
    return builder.compile()


def asking(*questions: object, schema: Any = None) -> object:
    """It asks one thing after the other, and wants answers of this schema."""

    def ask(state: Wish) -> Wish:
        return {"answers": [interrupt(question, response_schema=schema) for question in questions]}

    builder = StateGraph(Wish)
    builder.add_node("ask", ask)
    builder.add_edge(START, "ask")
    return builder.compile()


def chatting_with_a_question() -> object:
    """A chat that asks back before it answers."""

    def answer(state: MessagesState) -> dict[str, Any]:
        size = interrupt("Which size?")
        return {"messages": [AIMessage(f"One {state['messages'][-1].text} of size {size}.")]}

    builder = StateGraph(MessagesState)
    builder.add_node("answer", answer)
    builder.add_edge(START, "answer")
    return builder.compile()


def showing(*content: object) -> object:
    """It answers with this content."""

    def answer(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage(content=list(content))]}  # type: ignore[arg-type]  # any blocks

    builder = StateGraph(MessagesState)
    builder.add_node("answer", answer)
    builder.add_edge(START, "answer")
    return builder.compile()
