"""A project's agents as MCP tools: members call them as themselves, and nobody else knows of them."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import McpError

from tests.supabase.model import ANSWERS, DEADLINE, GREETING, LAW
from tests.supabase.project import User
from tests.supabase.seed import RECHT
from tests.supabase.stack import Server, Stack, serving

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def server(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with all agents."""
    with serving(stack, tmp_path_factory.mktemp("server")) as server:
        server.sync_counts()
        yield server


@asynccontextmanager
async def client_of(stack: Stack, server: Server, user: User) -> AsyncIterator[ClientSession]:
    """The SDK's client with a token of the user's."""
    async with (
        httpx.AsyncClient(headers=stack.headers(user), timeout=60) as http,
        streamable_http_client(f"{server.url}/mcp", http_client=http) as (reading, writing, _),
        ClientSession(reading, writing, read_timeout_seconds=timedelta(seconds=60)) as client,
    ):
        await client.initialize()
        yield client


async def names_of(stack: Stack, server: Server, user: User) -> set[str]:
    """What the user's tools are called."""
    async with client_of(stack, server, user) as client:
        return {tool.name for tool in (await client.list_tools()).tools}


async def test_members_have_the_agents_of_their_organisations_as_tools(stack: Stack, server: Server) -> None:
    seed = stack.seed
    names = {who: await names_of(stack, server, getattr(seed, who)) for who in ("anna", "bjoern", "carla", "dieter")}
    everybodys = names["dieter"]
    assert "agent" in everybodys
    assert {"Rechts-Assistent", "Fristen-Pruefer", "Rechner", "Unbekanntes_Modell"} <= names["anna"] - everybodys
    assert names["bjoern"] - everybodys == {"Rechts-Assistent", "Zaehler-Assistent"}
    both = {name for name in names["carla"] if name.startswith(RECHT)}
    ids = {seed.recht[-8:], seed.recht_stadtwerke[-8:]}
    assert len(both) == 2
    assert RECHT in both
    assert {name.removeprefix(f"{RECHT}_") for name in both} - {RECHT} < ids


async def test_a_member_calls_an_agent_and_its_tools_get_the_members_token(stack: Stack, server: Server) -> None:
    stack.deadlines.seen.clear()
    async with client_of(stack, server, stack.seed.anna) as client:
        law = await client.call_tool("Rechts-Assistent", {"messages": LAW})
        assert law.content[0].model_dump()["text"] == ANSWERS[LAW]
        deadline = await client.call_tool("Fristen-Pruefer", {"messages": DEADLINE})
        assert deadline.content[0].model_dump()["text"] == ANSWERS[DEADLINE]
    assert stack.deadlines.called("fristen_berechnen")


async def test_strangers_find_no_such_tool_and_no_such_thread(stack: Stack, server: Server) -> None:
    async with client_of(stack, server, stack.seed.anna) as client:
        theirs: Any = (await client.call_tool("Rechner", {"messages": GREETING})).structuredContent
    for who in (stack.seed.bjoern, stack.seed.dieter):
        async with client_of(stack, server, who) as client:
            for name in (
                "Rechner",
                f"Rechner_{stack.seed.rechner[-8:]}",
                f"Rechner_{stack.seed.rechner.replace('-', '')}",
            ):
                with pytest.raises(McpError, match=f"Unknown tool: {name}"):
                    await client.call_tool(name, {"messages": GREETING})
            result = await client.call_tool("agent", {"messages": GREETING, "thread_id": theirs["thread_id"]})
            assert result.isError
            assert result.content[0].model_dump()["text"] == f"no thread with id '{theirs['thread_id']}'"
            assert result.structuredContent is None
