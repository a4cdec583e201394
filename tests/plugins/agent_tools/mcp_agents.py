"""Agents with MCP servers as a server runs them: sessions are kept as long as it is open."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import ToolMessage
from pydantic import SecretStr
from tests.plugins.agent_tools.conftest import MakeAgent, ask, settings_of

import longline_agent_tools as plugin
from longline.tools.tool import Tool, ToolRegistry
from longline_agent_tools.mcp_connections import McpConnections
from longline_agent_tools.mcp_servers import McpServers, mcp_servers_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Agents:
    """An open server's agents."""

    make: MakeAgent
    servers: McpServers

    @property
    def connections(self) -> McpConnections:
        return self.servers.connections()

    async def names(self, **configurable: object) -> list[str]:
        """What the tools of such an agent are called."""
        agent = await self.make(**configurable)
        node = agent.nodes.get("tools")
        return list(node.bound.tools_by_name) if node is not None else []

    async def call(self, tool: str, arguments: str = "{}", **configurable: object) -> ToolMessage:
        """What the agent is told by a tool that it called."""
        agent = await self.make(**configurable)
        result = await agent.ainvoke(ask(f"call {tool} {arguments}"), {"configurable": configurable})
        (message,) = [message for message in result["messages"] if isinstance(message, ToolMessage)]
        return message


@asynccontextmanager
async def open_agents(*tools: Tool, **values: object) -> AsyncIterator[Agents]:
    """Agents of a server with these tools and settings. It may call servers on this machine."""
    settings = settings_of(**{"mcp_loopback": True, **values})
    registry = ToolRegistry({tool.name: tool for tool in tools})
    (definition,) = plugin.register_graph_sources(settings, registry)
    factory: Any = definition.load()
    servers = mcp_servers_of(settings)

    async def make(**configurable: object) -> Any:
        return await factory({"configurable": configurable})

    keeper = asyncio.create_task(servers.keep())
    await asyncio.sleep(0)
    try:
        yield Agents(make=make, servers=servers)
    finally:
        keeper.cancel()
        await asyncio.wait({keeper})


def servers(*entries: dict[str, Any]) -> dict[str, Any]:
    """The configurable value for these servers."""
    return {"servers": list(entries)}


def user(name: str, token: str | None = None) -> dict[str, Any]:
    """Configurable values of a run of this user, with their token."""
    known: dict[str, Any] = {"langgraph_auth_user": {"identity": name, "display_name": name}}
    return known if token is None else {**known, "__caller_token__": SecretStr(token)}


def fields(records: list[Any], message: str) -> list[dict[str, Any]]:
    """The fields of each line of the log with this message."""
    return [vars(record) for record in records if record.getMessage() == message]


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something that another thread brings about is true."""
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.005)
