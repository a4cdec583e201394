"""A server in this process with graphs of the test's own, on a socket and a SQLite file."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from hypercorn.asyncio import serve
from hypercorn.config import Config

from longline.asgi.types import ASGIApp, Receive, Scope, Send
from longline.graphs.definition import GraphDefinition
from longline.graphs.registry import GraphRegistry
from longline.runtime import Runtime
from longline.services.server import Server

PLUGINS = ("storage_sqlite", "protocol_langgraph")


@dataclass(frozen=True)
class Served:
    """A server that answers at `url`. `server` is the same one from inside."""

    url: str
    server: Server
    app: ASGIApp


@asynccontextmanager
async def serve_graphs(
    folder: Path,
    graphs: Mapping[str, object],
    settings: Mapping[str, Mapping[str, object]] | None = None,
    *,
    plugins: Sequence[str] = PLUGINS,
) -> AsyncIterator[Served]:
    """Serve graphs (or what loads them, for a GraphDefinition) from a database in the folder. Twice in turn with one
    folder is a restart."""
    given = dict(settings or {})
    server = {"database": f"sqlite:///{folder}/served.db", "drain_seconds": 0, **given.pop("server", {})}
    runtime = Runtime(plugins, {**given, "server": server})
    runtime.graphs = GraphRegistry({graph_id: _definition(graph_id, graph) for graph_id, graph in graphs.items()})
    async with runtime.open() as opened, _listening(opened.app) as url:
        yield Served(url=url, server=opened.server, app=opened.app)


def _definition(graph_id: str, graph: object) -> GraphDefinition:
    if isinstance(graph, GraphDefinition):
        return graph
    return GraphDefinition(graph_id=graph_id, origin="the test", load=lambda: graph)


@asynccontextmanager
async def _listening(app: ASGIApp) -> AsyncIterator[str]:
    config, stopped = Config(), asyncio.Event()
    config.graceful_timeout, config.errorlog = 1, None
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        port = listener.getsockname()[1]
        config.bind = [f"fd://{listener.detach()}"]
        serving = asyncio.create_task(serve(_with_lifespan(app), config, shutdown_trigger=stopped.wait))
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            stopped.set()
            await serving


def _with_lifespan(app: ASGIApp) -> ASGIApp:
    """The app for a host that sends lifespan events: the Runtime has opened everything before."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return

    return call
