"""Graphs that look for their caller's token. Importing this imports LangGraph."""

import hashlib
from typing import Any

from langchain_core.runnables import RunnableConfig, RunnableLambda
from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from pydantic import SecretStr
from tests.core.sample_graphs import Words
from tests.races.graphs import Gate
from typing_extensions import TypedDict

from longline.auth.kept_token import CALLER_TOKEN

TOKEN_NAME = "x-team-token"
NAMES = (CALLER_TOKEN, TOKEN_NAME)


class Found(TypedDict, total=False):
    """What the graphs leave in their state."""

    found: dict[str, str]


def digest(token: str) -> str:
    """What may be said of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def described(configurable: dict[str, Any]) -> dict[str, str]:
    """Where the token was found, and a digest of what was there."""
    values = {name: configurable[name] for name in NAMES if name in configurable}
    return {
        name: digest(value.get_secret_value()) if isinstance(value, SecretStr) else f"{value!r} in clear"
        for name, value in values.items()
    }


def finding(gate: Gate | None = None, *, in_context: bool = False) -> Any:
    """A graph in a graph. It says what it found to everybody who may listen: to its stream, to what it runs itself, to
    its state. With a gate it waits there before it looks."""

    async def wait(state: Found) -> Found:
        if gate is not None:
            await gate.step({})
        return {}

    async def look(state: Found, config: RunnableConfig, runtime: Runtime[dict[str, Any]]) -> Found:
        handles = [config["configurable"].get(name) for name in NAMES]
        get_stream_writer()({"handles": handles, "written": [f"{handle} {handle!r}" for handle in handles]})
        await (RunnableLambda(lambda given: given) | Words()).ainvoke("nested", config)
        where = runtime.context or {} if in_context else config["configurable"]
        return {"found": described(where)}

    inner = StateGraph(Found)
    inner.add_node("look", look)
    inner.add_edge(START, "look")
    outer = StateGraph(Found)
    outer.add_node("wait", wait)
    outer.add_node("inner", inner.compile())
    outer.add_edge(START, "wait")
    outer.add_edge("wait", "inner")
    return outer.compile()
