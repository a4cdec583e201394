"""Agents with collections of documents, and what their tools say."""

from typing import Any

from langchain_core.messages import ToolMessage
from tests.plugins.agent_tools.conftest import MakeAgent, ask, load_agent
from tests.plugins.agent_tools.rag_server import HANDBOOK, RagServer

from longline.tools.tool import Tool

SEARCH = 'call Handbucher_Grosse {"query": "Wie groß?"}'
HERE = {"rag_token_domains": ["127.0.0.1"]}


def rag(server: RagServer, *collections: str, suffix: str = "") -> dict[str, object]:
    return {"rag_url": server.url + suffix, "collections": list(collections or (HANDBOOK,))}


def load_rag(*tools: Tool, **settings: object) -> MakeAgent:
    """The factory with these settings of retrieval: servers on this machine may be called, unless they say no."""
    return load_agent(*tools, **{"rag_loopback": True, **settings})


async def called(agent: Any, text: str = SEARCH, **configurable: object) -> ToolMessage:
    """What the tool told the model."""
    result = await agent.ainvoke(ask(text), {"configurable": configurable})
    (message,) = [message for message in result["messages"] if isinstance(message, ToolMessage)]
    return message


async def names(agent: Any) -> list[str]:
    tools = agent.get_graph().nodes.get("tools")
    return [] if tools is None else list(tools.data.tools_by_name)
