"""A graph that waits for a person before it ends."""

from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    """Of a run."""

    answer: str


def ask(state: State) -> State:
    """Wait."""
    return {"answer": interrupt("Weiter?")}


graph = StateGraph(State).add_node("ask", ask).add_edge(START, "ask").compile()
