"""The plugin as a server assembles it, and its agents."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from pydantic import SecretStr
from tests.plugins.agent_tools.aimock import Aimock, Fixture, serve_aimock
from tests.plugins.agent_tools.rag_server import HANDBOOK, LAWS, RagServer, serving_documents

import longline_agent_tools as plugin
from longline.models.json import JsonObject
from longline.settings import Settings, parse_settings
from longline.tools.content import ToolAnswer
from longline.tools.tool import Tool, ToolContext, ToolRegistry

MakeAgent = Callable[..., Awaitable[Any]]
FORTY_TWO = {"name": "calculate", "arguments": {"expression": "20 + 22"}}
KEY = "sk-good-0123456789abcdef"


def settings_of(**values: object) -> Settings:
    """Settings with this section, demo answers without delay and no retries."""
    section = {"demo_word_seconds": 0, "max_retries": 0, **values}
    return parse_settings({"agent_tools": section}, plugin.register_settings())


def tool_of(name: str, run: Callable[[JsonObject, ToolContext], Awaitable[ToolAnswer]]) -> Tool:
    """A tool that takes any arguments."""
    return Tool(name=name, description=f"The tool {name}.", schema={"type": "object", "properties": {}}, run=run)


def load_agent(*tools: Tool, **values: object) -> MakeAgent:
    """The loaded factory, with the plugin's own tools and these. Call it with configurable values."""
    registry = ToolRegistry({tool.name: tool for tool in (*plugin.register_tools(), *tools)})
    (definition,) = plugin.register_graph_sources(settings_of(**values), registry)
    factory: Any = definition.load()

    async def make(**configurable: object) -> Any:
        return await factory({"configurable": configurable})

    return make


def ask(text: str) -> dict[str, Any]:
    """An input as chat clients send it."""
    return {"messages": [{"role": "user", "content": text}]}


def secret(text: str = KEY) -> SecretStr:
    """A key as the server hands it to graphs."""
    return SecretStr(text)


@pytest.fixture(scope="session")
def aimock() -> Iterator[Aimock]:
    """An endpoint that accepts one key."""
    fixtures: list[Fixture] = [
        {"match": {"userMessage": "add", "hasToolResult": False}, "response": {"toolCalls": [FORTY_TWO]}},
        {"match": {"userMessage": "add", "toolResultContains": "42"}, "response": {"content": "It is 42."}},
        {
            "match": {"userMessage": "too much"},
            "response": {
                "error": {"message": f"Limit reached for {KEY} in org", "type": "rate_limit_error"},
                "status": 429,
            },
        },
        {
            "match": {"userMessage": "broken"},
            "response": {"error": {"message": "The gears are stuck", "type": "server_error"}, "status": 500},
        },
        {"match": {"userMessage": "hello"}, "response": {"content": "Hello from a stand-in that streams its words."}},
    ]
    with serve_aimock(fixtures, api_key=KEY) as server:
        yield server


@pytest.fixture
def documents() -> Iterator[RagServer]:
    collections = {
        HANDBOOK: {"name": "Handbücher Große", "metadata": {"description": "Alles über Größen und Maße."}},
        LAWS: {"name": "Gesetze", "metadata": {}},
    }
    found = [
        {"id": "d1", "page_content": "Die Tür ist 2 m groß — „genau“.", "metadata": {"source": "Maße.pdf", "page": 3}},
        {"id": "d2", "page_content": "Übermaß", "metadata": None, "score": 0.2},
    ]
    with serving_documents(collections=collections, found=found) as server:
        yield server
