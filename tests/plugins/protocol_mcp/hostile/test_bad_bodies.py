"""Bodies that are no request of MCP: each is refused by name, and the server goes on."""

from collections.abc import AsyncIterator

import httpx
import pytest
from tests.plugins.protocol_mcp.raw import INITIALIZE, Raw, request, result

pytestmark = pytest.mark.anyio

DEEP = 100_000
MIB = 1024 * 1024
NO_JSON = {
    "nothing": b"",
    "half": b'{"jsonrpc": "2.0", "id": 1, "method": "pi',
    "no UTF-8": b'{"jsonrpc": "2.0", "id": 1, "method": "ping\xff"}',
    "half a character": rb'{"jsonrpc": "2.0", "id": "\ud800", "method": "ping"}',
    "no number": b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"x": NaN}}',
    "lists in lists": b"[" * DEEP,
    "closed lists in lists": b"[" * DEEP + b"]" * DEEP,
    "objects in objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep arguments": b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "count", "arguments": '
    + b'{"x": %s%s}}}' % (b"[" * DEEP, b"]" * DEEP),
}
NO_REQUEST = {
    "batch": [request("ping")],
    "empty batch": [],
    "text": "ping",
    "null": None,
    "no version": {"id": 1, "method": "ping"},
    "old version": {"jsonrpc": "1.0", "id": 1, "method": "ping"},
    "no method": {"jsonrpc": "2.0", "id": 1},
    "method is a number": {"jsonrpc": "2.0", "id": 1, "method": 5},
    "id is null": {"jsonrpc": "2.0", "id": None, "method": "ping"},
    "id is a fraction": {"jsonrpc": "2.0", "id": 1.5, "method": "ping"},
    "id is true": {"jsonrpc": "2.0", "id": True, "method": "ping"},
    "id is a list": {"jsonrpc": "2.0", "id": [1], "method": "ping"},
    "params is a list": {"jsonrpc": "2.0", "id": 1, "method": "ping", "params": [1]},
}


@pytest.mark.parametrize("name", NO_JSON)
async def test_what_is_no_json_is_refused(raw: Raw, session: str, name: str) -> None:
    for within in (session, None):
        answer = await raw.post(NO_JSON[name], within)
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"]
    await still_there(raw, session)


@pytest.mark.parametrize("name", NO_REQUEST)
async def test_what_is_no_request_is_refused(raw: Raw, session: str, name: str) -> None:
    answer = await raw.post(NO_REQUEST[name], session)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]
    await still_there(raw, session)


@pytest.mark.parametrize("mib", [4.5, 12])
async def test_a_body_that_is_too_large_is_refused(raw: Raw, session: str, mib: float) -> None:
    large = b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"x": "' + b"x" * int(mib * MIB) + b'"}}'
    assert (await raw.post(large, session)).status_code == 413
    await still_there(raw, session)


async def test_a_body_that_grows_too_large_is_refused(http: httpx.AsyncClient, raw: Raw, session: str) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(12):
            yield b"x" * MIB

    answer = await http.post("/mcp", content=parts(), headers=raw.headers(session))
    assert answer.status_code == 413
    await still_there(raw, session)


async def test_a_large_body_within_the_bound_is_taken(raw: Raw, session: str) -> None:
    answer = await raw.post(request("ping", {"x": "x" * 3 * MIB}), session)
    assert result(answer) == {}


async def still_there(raw: Raw, session: str) -> None:
    """The session answers, and others can be opened."""
    assert result(await raw.post(request("ping", request_id="again"), session)) == {}
    assert result(await raw.post(INITIALIZE))["serverInfo"]["name"]
