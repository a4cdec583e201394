"""A server process that is stopped while clients listen, and one that is killed."""

import asyncio
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest
from tests.plugins.protocol_mcp.fixture_plugin import NAME, install
from tests.plugins.protocol_mcp.raw import Raw, call, request, result
from tests.processes import ServerProcess, running

pytestmark = pytest.mark.anyio

Start = Callable[[], AbstractContextManager[ServerProcess]]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """`start()`: a server process. Twice in turn is a restart."""
    env = {"PYTHONPATH": os.pathsep.join(map(str, install(tmp_path / "site", NAME)))}
    (tmp_path / "longline.toml").write_text(
        f'[plugins]\nenable = ["storage_sqlite", "protocol_langgraph", "protocol_mcp", "{NAME}"]\n'
    )
    return lambda: running(tmp_path, env=env)


async def test_a_server_with_open_streams_stops_when_it_is_told_to(start: Start) -> None:
    with start() as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=30) as http:
            raw = Raw(http)
            for _ in range(3):
                session = await raw.open("elicitation")
                listening = http.send(http.build_request("GET", "/mcp", headers=raw.headers(session)), stream=True)
                assert (await listening).status_code == 200
            asking = http.build_request(
                "POST", "/mcp", json=call("test_elicitation", {"message": "?"}), headers=raw.headers(session)
            )
            asked = await http.send(asking, stream=True)
            assert asked.headers["content-type"].startswith("text/event-stream")
            assert await asyncio.to_thread(server.stop) == 0
            assert "Traceback" not in server.output
            assert "error " not in server.output


async def test_a_client_of_a_killed_server_begins_anew(start: Start) -> None:
    with start() as server:
        async with httpx.AsyncClient(base_url=server.url) as http:
            session = await Raw(http).open()
        server.kill()
    with start() as server:
        async with httpx.AsyncClient(base_url=server.url) as http:
            raw = Raw(http)
            assert (await raw.post(request("ping"), session)).status_code == 404
            assert (await http.get("/mcp", headers=raw.headers(session))).status_code == 404
            assert result(await raw.post(call("test_simple_text"), await raw.open()))["content"]
