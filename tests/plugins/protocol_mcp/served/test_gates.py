"""What is turned away before the SDK sees it: other sites' pages, other names, other forms."""

import asyncio

import pytest
from tests.plugins.protocol_mcp.raw import request, result
from tests.plugins.protocol_mcp.served.conftest import TOKENS, Serve

PING = request("ping")


@pytest.mark.anyio
async def test_the_gates_stand_before_every_method_and_session(serve: Serve) -> None:
    async with serve() as client:
        session = await client.open()
        for headers, status, setting in (
            ({"origin": "http://evil.example"}, 403, "[protocol_mcp] allowed_origins"),
            ({"host": "evil.example"}, 421, "[protocol_mcp] allowed_hosts"),
        ):
            for method in ("GET", "POST", "DELETE"):
                given = {**client.headers(session), **headers}
                answer = await client.http.request(method, "/mcp", json=PING, headers=given)
                assert answer.status_code == status
                assert list(answer.json()) == ["error"]
                assert setting in answer.json()["error"]
        assert result(await client.post(PING, session)) == {}


@pytest.mark.anyio
async def test_settings_open_them(serve: Serve) -> None:
    settings = {"allowed_hosts": ["agents.example"], "allowed_origins": ["https://app.example"]}
    async with serve(mcp=settings, **TOKENS) as client:
        ann = client.as_user("ann")
        assert result(await ann.post(PING, host="agents.example", origin="https://app.example")) == {}
        assert (await ann.post(PING, host="agents.example", origin="https://other.example")).status_code == 403
        assert (await ann.post(PING)).status_code == 421


@pytest.mark.anyio
async def test_both_spellings_of_the_path_are_answered_without_a_redirect(serve: Serve) -> None:
    async with serve() as client:
        for path in ("/mcp", "/mcp/"):
            answer = await client.http.post(path, json=PING, headers=client.headers())
            assert (answer.status_code, answer.json()) == (200, {"jsonrpc": "2.0", "id": 1, "result": {}})
        for path in ("/mcp/sse", "/mcp//", "/mcpx"):
            assert (await client.http.post(path, json=PING, headers=client.headers())).status_code == 404
        for method in ("PUT", "PATCH", "HEAD"):
            answer = await client.http.request(method, "/mcp")
            assert (answer.status_code, answer.headers["allow"]) == (405, "POST, GET, DELETE")


@pytest.mark.anyio
async def test_only_json_is_read(serve: Serve) -> None:
    async with serve() as client:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonp", None):
            assert (await client.post(PING, content_type=kind)).status_code == 415
        assert result(await client.post(PING, content_type="application/json; charset=utf-8")) == {}


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/json, text/event-stream", 200),
        ("application/json", 200),
        ("text/event-stream", 200),
        ("*/*", 200),
        ("application/json;q=0.9, text/html", 200),
        ("", 200),
        ("text/html", 400),
        ("application/xml", 400),
    ],
)
@pytest.mark.anyio
async def test_an_answer_has_a_form_that_its_client_takes(serve: Serve, accept: str, status: int) -> None:
    async with serve() as client:
        answer = await client.post(PING, accept=accept)
        assert answer.status_code == status
        if status == 200:
            assert result(answer) == {}
            wanted = "text/event-stream" if accept == "text/event-stream" else "application/json"
            assert answer.headers["content-type"].partition(";")[0] == wanted


@pytest.mark.anyio
async def test_a_body_that_never_ends_is_given_up(serve: Serve) -> None:
    async with serve(mcp={"body_seconds": 0.2}) as client:
        host = client.served.url.removeprefix("http://")
        name, _, port = host.partition(":")
        reader, writer = await asyncio.open_connection(name, int(port))
        lines = [
            "POST /mcp HTTP/1.1", f"host: {host}", "content-type: application/json", "content-length: 99", "", "{",
        ]  # fmt: skip
        writer.write("\r\n".join(lines).encode())
        async with asyncio.timeout(10):
            assert b" 408" in await reader.readline()
        writer.close()
