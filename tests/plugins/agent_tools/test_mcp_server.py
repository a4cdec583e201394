"""MCP servers behind an open server: whose runs call them, and what its end leaves there."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.plugins.agent_tools.mcp_agents import fields, servers
from tests.plugins.agent_tools.odd_servers import OddServer, serve_odd

from longline.auth.principal import LOCAL, Principal
from longline.runtime import Runtime
from longline.services.run_requests import RunRequest
from longline.services.server import Server

TOKEN = "caller-token-0123456789"
ANNA = Principal(identity="anna", token=TOKEN)


@asynccontextmanager
async def open_server(folder: Path, *, only_own_runs: bool = False) -> AsyncIterator[Server]:
    """A server on a file."""
    values = {
        "server": {"database": f"sqlite:///{folder}/server.db"},
        "agent_tools": {"mcp_loopback": True, "mcp_auth": "pass-through", "demo_word_seconds": 0},
    }
    async with Runtime(["agent_tools", "storage_sqlite"], values).open(only_own_runs=only_own_runs) as opened:
        yield opened.server


async def call(server: Server, principal: Principal, config: dict[str, Any]) -> str:
    """What the tool `probe` answers in a run."""
    given: Any = {"messages": [{"role": "user", "content": "call probe"}]}
    request = RunRequest(assistant="agent", input=given, config={"configurable": {"mcp_config": config}})
    _, reader = await server.runs.watch(principal, request)
    with reader:
        end = await reader.wait_for_end(30)
    assert end is not None
    assert end.failure is None, end.failure
    messages = orjson.loads(end.result or b"{}")["messages"]
    return str([message["content"] for message in messages if message["type"] == "tool"])


def said_goodbye(odd: OddServer) -> list[str]:
    return [message["session"] for message in odd.seen if message.get("method") == "DELETE"]


@pytest.mark.anyio
async def test_a_run_calls_as_its_caller_and_sessions_end_with_the_server(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serve_odd() as odd, caplog.at_level(logging.DEBUG):
        config = servers({"name": "Odd", "url": odd.url, "auth_required": True})
        async with open_server(tmp_path) as server:
            for _ in range(2):
                assert await call(server, ANNA, config) == "['probe was called']"
            assert said_goodbye(odd) == []
        assert said_goodbye(odd) == ["s1"]
    assert {headers["authorization"] for headers in odd.headers} == {f"Bearer {TOKEN}"}
    assert [line["count"] for line in fields(caplog.records, "mcp tools loaded")] == [1, 1]
    assert TOKEN not in "".join(str(vars(record)) for record in caplog.records)
    assert TOKEN.encode() not in b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


@pytest.mark.anyio
async def test_a_run_of_nobody_goes_on_without_tools_that_want_a_token(tmp_path: Path) -> None:
    with serve_odd() as odd:
        async with open_server(tmp_path) as server:
            assert await call(server, LOCAL, servers({"url": odd.url, "auth_required": True})) == "[]"
            assert await call(server, LOCAL, servers({"url": odd.url})) == "['probe was called']"
    assert all("authorization" not in headers for headers in odd.headers)


@pytest.mark.anyio
async def test_a_guest_leaves_no_session_behind(tmp_path: Path) -> None:
    with serve_odd() as odd:
        async with open_server(tmp_path, only_own_runs=True) as server:
            assert await call(server, LOCAL, servers({"url": odd.url})) == "['probe was called']"
        assert said_goodbye(odd) == ["s1", "s2"]
