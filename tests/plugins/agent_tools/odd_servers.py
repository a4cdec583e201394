"""An MCP server over real HTTP that does whatever a test wants, right or wrong."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from tests.supabase.serving import ServedApp

Answer = Callable[[dict[str, Any]], Response | Awaitable[Response]]
OBJECT = {"type": "object", "properties": {}}


def tool(name: str, **more: object) -> dict[str, Any]:
    """A tool as `tools/list` shows it."""
    return {"name": name, "description": f"The tool {name}.", "inputSchema": OBJECT, **more}


def result(message: dict[str, Any], value: object) -> JSONResponse:
    """A JSON-RPC answer."""
    return JSONResponse({"jsonrpc": "2.0", "id": message["id"], "result": value})


def text(message: dict[str, Any], words: str) -> JSONResponse:
    """The answer of a tool."""
    return result(message, {"content": [{"type": "text", "text": words}]})


@dataclass(slots=True)
class OddServer:
    """A server with these tools. `answers` says what to do with a method; without, it does what is right."""

    tools: list[Any] = field(default_factory=lambda: [tool("probe")])
    answers: dict[str, Answer] = field(default_factory=dict)
    seen: list[dict[str, Any]] = field(default_factory=list)
    """The messages that came in."""
    headers: list[dict[str, str]] = field(default_factory=list)
    """The headers that each came with."""
    ports: list[int] = field(default_factory=list)
    """The ports from which each came: one for each connection."""
    released: asyncio.Event = field(default_factory=asyncio.Event)
    """Ends every `hang`."""
    sessions: int = 0
    served: Any = None

    @property
    def url(self) -> str:
        return f"{self.served.url}/mcp"

    def methods(self) -> list[str]:
        return [message["method"] for message in self.seen if "method" in message]

    def count(self, method: str) -> int:
        return self.methods().count(method)

    async def hang(self, message: dict[str, Any]) -> Response:
        """Say nothing until the test is over."""
        await self.released.wait()
        return Response(status_code=500)

    async def post(self, request: Request) -> Response:
        message = await request.json()
        self.seen.append(message)
        self.headers.append(dict(request.headers))
        self.ports.append(request.client.port if request.client is not None else 0)
        method = message.get("method", "")
        if method in self.answers:
            answer = self.answers[method](message)
            return answer if isinstance(answer, Response) else await answer
        if "id" not in message:
            return Response(status_code=202)
        return self._right(message)

    def _right(self, message: dict[str, Any]) -> Response:
        match message["method"]:
            case "initialize":
                self.sessions += 1
                return JSONResponse(self._hello(message), headers={"mcp-session-id": f"s{self.sessions}"})
            case "tools/list":
                return result(message, {"tools": self.tools})
            case "tools/call":
                return text(message, f"{message['params']['name']} was called")
        error = {"code": -32601, "message": "Method not found"}
        return JSONResponse({"jsonrpc": "2.0", "id": message["id"], "error": error})

    def _hello(self, message: dict[str, Any]) -> dict[str, Any]:
        known = {
            "protocolVersion": message["params"]["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "odd", "version": "1"},
        }
        return {"jsonrpc": "2.0", "id": message["id"], "result": known}

    async def _refuse(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.seen.append({"method": "DELETE", "session": request.headers.get("mcp-session-id")})
        return Response(status_code=405)

    def app(self) -> Starlette:
        routes = [
            Route("/mcp", self.post, methods=["POST"]),
            Route("/mcp", self._refuse, methods=["GET", "DELETE"]),
        ]
        return Starlette(routes=routes)


@contextmanager
def serve_odd(**values: Any) -> Iterator[OddServer]:
    """A running one."""
    server = OddServer(**values)
    server.served = ServedApp(server.app)
    server.served.start()
    try:
        yield server
    finally:
        server.served.call_soon(server.released.set)
        server.served.stop()


def events(*chunks: str) -> StreamingResponse:
    """A stream of events that says this and then ends."""

    async def stream() -> Any:
        for chunk in chunks:
            yield chunk

    return StreamingResponse(stream(), media_type="text/event-stream")


def event(document: dict[str, Any]) -> str:
    """An event with a JSON-RPC message."""
    return f"event: message\ndata: {json.dumps(document)}\n\n"


def broken(message: dict[str, Any]) -> StreamingResponse:
    """An answer that breaks off with its connection."""

    async def stream() -> Any:
        yield b'{"jsonrpc": "2.0", '
        raise ConnectionAbortedError

    return StreamingResponse(stream(), media_type="application/json")
