"""A graph that says what it was configured with: every key, secrets as they show themselves."""

from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    """Of a run."""

    seen: Any


def look(state: State, config: RunnableConfig) -> State:
    """Write down what arrived."""
    configurable = config["configurable"]
    hidden = {key: type(value).__name__ for key, value in configurable.items() if key.startswith("__")}
    plain = {key: _plain(value) for key, value in configurable.items() if key not in hidden}
    return {"seen": {"plain": plain, "kinds": {key: type(value).__name__ for key, value in configurable.items()}}}


def _plain(value: object) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


graph = StateGraph(State).add_node("look", look).add_edge(START, "look").compile()
