"""A server in this process with the protocol, graphs of these tests, and a client for its bytes."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from tests.plugins.protocol_langgraph.graphs import chat, counting
from tests.plugins.protocol_langgraph.served import PLUGINS, Served, serve_graphs

from longline.ids import graph_assistant_id

CARD = "/.well-known/agent-card.json"
OLD_CARD = "/.well-known/agent.json"
TOKENS = {"anna": "anna-token", "bert": "bert-token"}
GUARDED = {"static_tokens": {"tokens": TOKENS}}
CHAT_ID = graph_assistant_id("chat")
NEW = {"A2A-Version": "1.0"}


@tool
def look_up(word: str) -> str:
    """What a word means."""
    return word


def tooled() -> object:
    """A graph with a tool."""
    builder = StateGraph(MessagesState)
    builder.add_node("tools", ToolNode([look_up]))
    builder.add_edge(START, "tools")
    return builder.compile()


GRAPHS: Mapping[str, object] = {"chat": chat(), "count": counting()}


@asynccontextmanager
async def serve_agents(
    folder: Path,
    settings: Mapping[str, object] | None = None,
    *,
    graphs: Mapping[str, object] = GRAPHS,
    others: Mapping[str, Mapping[str, object]] | None = None,
) -> AsyncIterator[tuple[Served, httpx.AsyncClient]]:
    """Agents, with settings of the protocol and of other sections, and a client of the server."""
    sections = {**(others or {}), "protocol_a2a": dict(settings or {})}
    async with (
        serve_graphs(folder, graphs, sections, plugins=(*PLUGINS, "protocol_a2a")) as served,
        httpx.AsyncClient(base_url=served.url, timeout=30) as http,
    ):
        yield served, http


def bearing(name: str) -> dict[str, str]:
    """The headers of a user's request."""
    return {"Authorization": f"Bearer {TOKENS[name]}"}


def call(method: str, params: object = None, request_id: object = "1") -> dict[str, Any]:
    """A request of JSON-RPC."""
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": {} if params is None else params}


def message(text: str = "hi", **more: object) -> dict[str, Any]:
    """A message in the form of 0.3."""
    return {"role": "user", "parts": [{"kind": "text", "text": text}], "messageId": "m1", **more}
