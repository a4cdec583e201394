"""What is wrong with a server costs its tools only, and the log says what it was."""

import asyncio
import logging
import sys
from typing import Any

import pytest
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from tests.plugins.agent_tools.mcp_agents import fields, open_agents, servers, until, user
from tests.plugins.agent_tools.odd_servers import broken, result, serve_odd, tool
from tests.processes import free_port

from longline.errors import InvalidInputError

PASSWORD = "hunter2-hunter2"


def other_id(message: dict[str, Any]) -> Response:
    return result({"id": "another"}, {"tools": []})


def old_hello(message: dict[str, Any]) -> Response:
    info = {"protocolVersion": "1999-01-01", "capabilities": {}, "serverInfo": {"name": "x", "version": "1"}}
    return result(message, info)


def error(message: dict[str, Any]) -> Response:
    return JSONResponse({"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32603, "message": "Nicht\nheute"}})


def page_for_people(message: dict[str, Any]) -> Response:
    return HTMLResponse("<h1>Hello</h1>")


BROKEN = [
    ("initialize", lambda m: Response(status_code=500), "it answers HTTP 500"),
    ("initialize", lambda m: Response(status_code=404), "it answers HTTP 404"),
    ("initialize", lambda m: Response(status_code=401), "it refuses the caller (HTTP 401)"),
    ("initialize", lambda m: Response(status_code=202), "it answers what is no MCP"),
    ("initialize", page_for_people, "it answers what is no MCP"),
    ("initialize", lambda m: JSONResponse(["nonsense"]), "it answers what is no MCP"),
    ("initialize", lambda m: result(m, {"hello": 1}), "it answers what is no MCP"),
    ("initialize", other_id, "it answers what is no MCP"),
    ("initialize", old_hello, "it speaks a version of MCP that is not known here"),
    ("initialize", lambda m: RedirectResponse("http://example.com/mcp"), "it redirects to another place (HTTP 307)"),
    ("initialize", broken, "the connection broke"),
    ("tools/list", lambda m: Response(status_code=503), "it answers HTTP 503"),
    ("tools/list", lambda m: result(m, {"tools": "none"}), "it answers what is no MCP"),
    ("tools/list", error, "it answers an error: Nicht heute"),
    ("tools/list", lambda m: result(m, {"tools": [tool("x" * 3_000_000)]}), "its answer is too large; see agent_tools"),
    ("tools/list", broken, "the connection broke"),
]


@pytest.mark.anyio
@pytest.mark.parametrize(("method", "answer", "reason"), BROKEN)
async def test_a_broken_server_costs_its_own_tools(
    method: str, answer: Any, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with serve_odd(answers={method: answer}) as bad, serve_odd() as good, caplog.at_level(logging.INFO):
        config = servers({"name": "Bad", "url": bad.url}, {"name": "Good", "url": good.url})
        async with open_agents(mcp_answer_mib=1) as agents:
            assert await agents.names(mcp_config=config) == ["probe"]
    (line,) = fields(caplog.records, "mcp server not usable")
    assert (line["server"], line["url"]) == ("Bad", bad.served.url)
    assert line["reason"].startswith(reason)
    (loaded,) = fields(caplog.records, "mcp tools loaded")
    assert (loaded["count"], loaded["servers"]) == (1, "Good")


UNUSABLE = [
    ("http://[kaputt/mcp", "its URL is refused: not an absolute URL with a host"),
    ("", "its URL is refused: not an absolute URL with a host"),
    ("/mcp", "its URL is none that can be called"),
    ("file:///etc/passwd", "its URL is refused: scheme 'file' not allowed"),
    ("ftp://example.com/mcp", "its URL is refused: scheme 'ftp' not allowed"),
    (f"https://user:{PASSWORD}@example.com/mcp", "its URL is refused: not an absolute URL with a host and without a"),
    ("http://169.254.169.254/latest", "its URL is refused: link-local IP range"),
    ("http://10.0.0.1/mcp", "its URL is refused: private IP range"),
    ("http://nirgendwo.invalid/mcp", "its host has no address"),
    ("http://exa mple.com/mcp", "its URL is refused: not an absolute URL with a host"),
    ("http://xn--a.invalid:99999/mcp", "its URL is refused: not an absolute URL with a host"),
]


@pytest.mark.anyio
@pytest.mark.parametrize(("url", "reason"), UNUSABLE)
async def test_a_url_that_cannot_be_called_costs_its_servers_tools(
    url: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_agents() as agents:
        assert await agents.names(mcp_config=servers({"name": "Bad", "url": url})) == []
    (line,) = fields(caplog.records, "mcp server not usable")
    assert line["reason"].startswith(reason)
    assert PASSWORD not in "".join(str(vars(record)) for record in caplog.records)


@pytest.mark.anyio
async def test_this_machine_is_called_only_where_the_operator_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with serve_odd() as odd:
        async with open_agents(mcp_loopback=False) as agents:
            assert await agents.names(mcp_config=servers({"url": odd.url})) == []
        async with open_agents(mcp_loopback=False, mcp_networks=["127.0.0.0/8"], mcp_ports=[1]) as agents:
            assert await agents.names(mcp_config=servers({"url": odd.url})) == []
        assert odd.seen == []
        async with open_agents(mcp_loopback=False, mcp_networks=["127.0.0.0/8"]) as agents:
            assert await agents.names(mcp_config=servers({"url": odd.url})) == ["probe"]
    reasons = [line["reason"] for line in fields(caplog.records, "mcp server not usable")]
    assert reasons[0] == "its URL is refused: loopback IP range"
    assert reasons[1].startswith("its URL is refused: port")


@pytest.mark.anyio
async def test_a_server_that_is_down_is_asked_again_after_a_while() -> None:
    with serve_odd() as odd:
        config = servers({"url": odd.url})
        odd.answers["initialize"] = lambda message: Response(status_code=503)
        async with open_agents(mcp_failed_seconds=600) as agents:
            for _ in range(3):
                assert await agents.names(mcp_config=config) == []
            assert odd.count("initialize") == 1
            assert await agents.names(mcp_config=config, **user("another")) == []
            assert odd.count("initialize") == 2
        async with open_agents(mcp_failed_seconds=0) as agents:
            assert await agents.names(mcp_config=config) == []
            del odd.answers["initialize"]
            assert await agents.names(mcp_config=config) == ["probe"]


@pytest.mark.anyio
async def test_nobody_listens(caplog: pytest.LogCaptureFixture) -> None:
    async with open_agents() as agents:
        assert await agents.names(mcp_config=servers({"url": f"http://127.0.0.1:{free_port()}/mcp"})) == []
    (line,) = fields(caplog.records, "mcp server not usable")
    assert (line["server"], line["reason"]) == ("127.0.0.1", "it cannot be reached")


@pytest.mark.anyio
@pytest.mark.parametrize("method", ["initialize", "tools/list", "notifications/initialized"])
async def test_a_server_that_hangs_is_not_waited_for(method: str, caplog: pytest.LogCaptureFixture) -> None:
    with serve_odd() as odd:
        odd.answers[method] = odd.hang
        async with open_agents(mcp_list_seconds=0.3, mcp_connect_seconds=0.3) as agents:
            await agents.names(mcp_config=servers({"url": odd.url}))
    lines = fields(caplog.records, "mcp server not usable")
    assert [line["reason"] for line in lines] in ([], ["it was silent for too long"])
    assert lines or method == "notifications/initialized"


@pytest.mark.anyio
async def test_servers_are_asked_at_the_same_time() -> None:
    with serve_odd() as one, serve_odd(tools=[tool("other")]) as two:
        order: list[str] = []

        async def wait_for_the_other(message: dict[str, Any]) -> Response:
            order.append("waits")
            await two.released.wait()
            return result(message, {"tools": one.tools})

        def release(message: dict[str, Any]) -> Response:
            one.served.call_soon(two.released.set)
            return result(message, {"tools": two.tools})

        two.released = asyncio.Event()
        one.answers["tools/list"] = wait_for_the_other
        two.answers["tools/list"] = release
        async with open_agents() as agents:
            names = await agents.names(mcp_config=servers({"url": one.url}, {"url": two.url}))
    assert (names, order) == (["probe", "other"], ["waits"])


@pytest.mark.anyio
async def test_many_runs_at_once_list_a_servers_tools_once() -> None:
    with serve_odd() as odd:
        async with open_agents() as agents:
            config = servers({"url": odd.url})
            every = await asyncio.gather(*(agents.names(mcp_config=config) for _ in range(20)))
        assert every == [["probe"]] * 20
        assert (odd.count("initialize"), odd.count("tools/list")) == (1, 1)


@pytest.mark.anyio
async def test_a_run_that_is_cancelled_while_it_lists_leaves_nothing_behind() -> None:
    with serve_odd() as odd:
        odd.answers["tools/list"] = odd.hang
        async with open_agents() as agents:
            config = servers({"url": odd.url})
            first, second = (asyncio.create_task(agents.names(mcp_config=config)) for _ in range(2))
            await until(lambda: odd.count("tools/list") == 1)
            first.cancel()
            await asyncio.wait({first})
            assert not second.done()  # somebody still waits for it
            second.cancel()
            await asyncio.wait({second})
            await until(lambda: odd.count("notifications/cancelled") == 1)
            del odd.answers["tools/list"]
            assert await agents.names(mcp_config=config) == ["probe"]


@pytest.mark.anyio
async def test_without_the_packages_the_tools_are_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in [name for name in sys.modules if name.startswith("longline_agent_tools.mcp_")]:
        if name.rpartition(".")[2] in ("mcp_tools", "mcp_connections", "mcp_sessions", "mcp_http"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mcp", None)
    async with open_agents() as agents:
        assert await agents.names(mcp_config=servers({"name": "Recht", "url": "https://example.com/mcp"})) == []
    (line,) = fields(caplog.records, "mcp tools left out")
    assert line["server"] == "Recht"
    assert "pip install 'longline[agent-tools]'" in line["reason"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("config", "place"),
    [
        ("servers", "mcp_config"),
        ({"servers": "https://example.com"}, "mcp_config.servers"),
        ({"servers": [{"name": "x"}]}, "mcp_config.servers.0.url"),
        ({"servers": [{"url": 3}]}, "mcp_config.servers.0.url"),
        ({"servers": [{"url": "https://a.b/mcp", "tools": "all"}]}, "mcp_config.servers.0.tools"),
        ({"servers": [{"url": "https://a.b/mcp", "tools": [{"a": 1}]}]}, "mcp_config.servers.0.tools.0"),
        ({"servers": [{"url": "https://a.b/mcp", "headers": [1]}]}, "mcp_config.servers.0.headers"),
        ({"servers": [{"url": "https://a.b/mcp", "auth_required": "maybe"}]}, "mcp_config.servers.0.auth_required"),
        ({"servers": [{"url": f"https://a.b/?key={PASSWORD}", "name": {}}]}, "mcp_config.servers.0.name"),
        ({"servers": [{"url": "https://a.b/mcp"}] * 65}, "mcp_config.servers"),
    ],
)
async def test_a_broken_configuration_is_refused_with_its_place(config: object, place: str) -> None:
    async with open_agents() as agents:
        with pytest.raises(InvalidInputError) as caught:
            await agents.make(mcp_config=config)
        assert f"bad configuration of the agent: {place}:" in str(caught.value)
        assert PASSWORD not in str(caught.value)
        assert (await agents.make(__is_for_execution__=False, mcp_config=config)).name == "LangGraph"


@pytest.mark.anyio
@pytest.mark.parametrize("config", [None, {}, {"servers": None}, {"servers": []}])
async def test_no_servers_are_no_tools_and_no_line(config: object, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        async with open_agents() as agents:
            assert await agents.names(mcp_config=config) == []
    assert not [record for record in caplog.records if record.name.startswith("longline_agent_tools")]
