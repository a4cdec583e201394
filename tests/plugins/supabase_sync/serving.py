"""A server with a project's agents, in this process, and callers whose organisations it knows."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from longline.asgi.mount import PRINCIPAL
from longline.asgi.types import Receive, Scope, Send
from longline.auth.principal import LOCAL, Principal
from longline.runtime import OpenServer, Runtime
from longline.services.server import Server
from longline_supabase_sync.app import AgentsApp

PLUGINS = ("agent_tools", "protocol_langgraph", "storage_sqlite", "supabase_sync")


@asynccontextmanager
async def serving(folder: Path, **settings: object) -> AsyncIterator[OpenServer]:
    """An open server on a SQLite file in the folder; `settings` are of the plugin's section."""
    values = {"server": {"database": f"sqlite:///{folder}/x.db"}, "supabase_sync": settings}
    async with Runtime(PLUGINS, values).open() as opened:
        yield opened


@asynccontextmanager
async def asking(server: Server, principal: Principal = LOCAL) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the plugin's app, as this caller."""
    app = AgentsApp(server)

    async def known(scope: Scope, receive: Receive, send: Send) -> None:
        below = {**scope, "path": f"/agents{scope['path']}", "root_path": "/agents", PRINCIPAL: principal}
        await app(below, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(known), base_url="http://x") as client:
        yield client
