"""A served server whose assistants real clients call, and the SDK's client for it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent
from tests.plugins.protocol_langgraph.served import Served, serve_graphs

PLUGINS = ("storage_sqlite", "protocol_langgraph", "protocol_mcp")


@asynccontextmanager
async def serve_tools(
    folder: Path, graphs: Mapping[str, object], settings: Mapping[str, Mapping[str, object]] | None = None
) -> AsyncIterator[Served]:
    """A server with these graphs, on a socket. Twice in turn with one folder is a restart."""
    async with serve_graphs(folder, graphs, settings, plugins=PLUGINS) as served:
        yield served


@asynccontextmanager
async def connected(served: Served, *, says_goodbye: bool = True, **callbacks: Any) -> AsyncIterator[ClientSession]:
    """A client of the SDK in a session, which it ends unless it just goes."""
    async with (
        streamable_http_client(f"{served.url}/mcp", terminate_on_close=says_goodbye) as (reading, writing, _),
        ClientSession(reading, writing, read_timeout_seconds=timedelta(seconds=30), **callbacks) as client,
    ):
        await client.initialize()
        yield client


def text_of(result: CallToolResult) -> str:
    """All that the answer says in text."""
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent))


def told(result: CallToolResult) -> dict[str, Any]:
    """The structured content."""
    assert result.structuredContent is not None
    return result.structuredContent
