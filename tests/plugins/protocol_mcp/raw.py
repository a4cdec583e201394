"""MCP over plain HTTP: for what no SDK would send, and for what an SDK does not show."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

VERSION = "2025-11-25"
SESSION = "mcp-session-id"
ACCEPT = "application/json, text/event-stream"
PATH = "/mcp"


def request(method: str, params: Mapping[str, object] | None = None, request_id: object = 1) -> dict[str, Any]:
    """A JSON-RPC request."""
    return {"jsonrpc": "2.0", "id": request_id, "method": method, **({"params": params} if params is not None else {})}


def call(name: str, arguments: Mapping[str, object] | None = None, request_id: object = 1) -> dict[str, Any]:
    """The request that calls a tool."""
    return request("tools/call", {"name": name, "arguments": arguments or {}}, request_id)


INITIALIZE = request(
    "initialize",
    {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": {"name": "tests", "version": "1"}},
    "first",
)


class Raw:
    """One client, with the headers that a good one sends unless a test says otherwise."""

    def __init__(self, http: httpx.AsyncClient, headers: Mapping[str, str] | None = None) -> None:
        self._http = http
        self._headers = {"accept": ACCEPT, "content-type": "application/json", **(headers or {})}

    async def open(self, *capabilities: str) -> str:
        """A new session's id, of a client that can do so much."""
        able = {"capabilities": {name: {} for name in capabilities}}
        answer = await self.post({**INITIALIZE, "params": {**INITIALIZE["params"], **able}})
        assert answer.status_code == 200, answer.text
        session = answer.headers[SESSION]
        told = await self.post({"jsonrpc": "2.0", "method": "notifications/initialized"}, session)
        assert told.status_code == 202, told.text
        return session

    async def post(self, body: object, session: str | None = None, **headers: str | None) -> httpx.Response:
        """Send JSON, or bytes as they are. A header that is None is left out."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self._http.post(PATH, content=content, headers=self.headers(session, headers))

    async def delete(self, session: str) -> httpx.Response:
        """End a session."""
        return await self._http.delete(PATH, headers=self.headers(session))

    def headers(self, session: str | None = None, more: Mapping[str, str | None] | None = None) -> dict[str, str]:
        """What is sent with a request of the session."""
        own = {**self._headers, **({SESSION: session, "mcp-protocol-version": VERSION} if session else {})}
        given = {name.replace("_", "-"): value for name, value in (more or {}).items()}
        return {name: value for name, value in {**own, **given}.items() if value is not None}


def messages(answer: httpx.Response) -> Sequence[dict[str, Any]]:
    """The messages of an answer, in whichever form it came."""
    if not answer.headers["content-type"].startswith("text/event-stream"):
        return [answer.json()]
    data = (line.removeprefix("data:").strip() for line in answer.text.splitlines() if line.startswith("data:"))
    return [json.loads(text) for text in data if text]


def result(answer: httpx.Response) -> dict[str, Any]:
    """The result of the request; an error fails."""
    found: dict[str, Any] = messages(answer)[-1]["result"]
    return found


def error(answer: httpx.Response) -> dict[str, Any]:
    """The error that the request was answered with; a result fails."""
    found: dict[str, Any] = messages(answer)[-1]["error"]
    return found
