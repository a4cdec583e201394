"""The built-in agent of one server calls the assistants of another, as its own caller."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.plugins.protocol_langgraph.served import Served
from tests.plugins.protocol_mcp.assistant_clients import serve_tools
from tests.plugins.protocol_mcp.assistant_graphs import failing, parrot

from longline.auth.principal import Principal
from longline.models.threads import ThreadQuery
from longline.runtime import Runtime
from longline.services.run_requests import RunRequest
from longline.services.server import Server

pytestmark = pytest.mark.anyio
TOKEN = "anna-token-0123456789"
ANNA = Principal(identity="anna", token=TOKEN)


@asynccontextmanager
async def opened_agent(folder: Path) -> AsyncIterator[Server]:
    """The server with the agent."""
    values = {
        "server": {"database": f"sqlite:///{folder}/agent.db"},
        "agent_tools": {"mcp_loopback": True, "mcp_auth": "pass-through", "demo_word_seconds": 0},
    }
    async with Runtime(["agent_tools", "storage_sqlite"], values).open() as opened:
        yield opened.server


@asynccontextmanager
async def both(folder: Path) -> AsyncIterator[tuple[Server, Served]]:
    """The server with the agent, and one with tools that lets in who shows Anna's token."""
    settings = {"static_tokens": {"tokens": {"anna": TOKEN, "bert": "another-token-0123456789"}}}
    async with (
        serve_tools(folder, {"parrot": parrot(), "fail": failing()}, settings) as tools,
        opened_agent(folder) as agent,
    ):
        yield agent, tools


async def messages_of(server: Server, principal: Principal, said: str, tools: Served) -> list[dict[str, Any]]:
    """What a run of the agent with the other server's tools leaves behind."""
    servers: Any = {"servers": [{"url": f"{tools.url}/mcp", "auth_required": True}]}
    given: Any = {"messages": [{"role": "user", "content": said}]}
    request = RunRequest(assistant="agent", input=given, config={"configurable": {"mcp_config": servers}})
    _, reader = await server.runs.watch(principal, request)
    with reader:
        end = await reader.wait_for_end(60)
    assert end is not None
    assert end.failure is None, end.failure
    found: list[dict[str, Any]] = orjson.loads(end.result or b"{}")["messages"]
    return found


async def test_the_agent_calls_an_assistant_elsewhere_and_the_run_there_is_its_callers(tmp_path: Path) -> None:
    async with both(tmp_path) as (agent, tools):
        messages = await messages_of(agent, ANNA, 'call parrot {"messages": "hello there"}', tools)
        (answer,) = [message for message in messages if message["type"] == "tool"]
        assert "1: hello there" in str(answer["content"])
        assert messages[-1]["type"] == "ai"
        threads = (await tools.server.threads.search(ANNA, ThreadQuery())).items
        assert len(threads) == 1
        assert (await tools.server.threads.search(Principal(identity="bert"), ThreadQuery())).items == []


async def test_an_error_elsewhere_is_told_to_the_model_and_leaks_nothing(tmp_path: Path) -> None:
    async with both(tmp_path) as (agent, tools):
        messages = await messages_of(agent, ANNA, 'call fail {"x": 1}', tools)
        (answer,) = [message for message in messages if message["type"] == "tool"]
        assert "ValueError" in str(answer["content"])
        assert answer["status"] == "error"
        assert "hunter2" not in str(messages)


async def test_who_has_no_token_has_no_tools_elsewhere(tmp_path: Path) -> None:
    async with both(tmp_path) as (agent, tools):
        stranger = Principal(identity="carl", token="not-a-token-0123456789")
        messages = await messages_of(agent, stranger, 'call parrot {"messages": "hello"}', tools)
        assert [message for message in messages if message["type"] == "tool"] == []
