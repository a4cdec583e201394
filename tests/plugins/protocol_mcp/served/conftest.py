"""Served apps that offer what a test says, and clients of them."""

import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from tests.plugins.protocol_langgraph.served import Served, serve_graphs
from tests.plugins.protocol_mcp.raw import Raw

from longline import hookimpl
from longline.tools.prompts import Prompt
from longline.tools.resources import Resource
from longline.tools.tool import Tool

TOKENS = {"static_tokens": {"tokens": {"ann": "token-of-ann", "bob": "token-of-bob"}}}
OFFERS = "mcp_offers"

Serve = Callable[..., AbstractAsyncContextManager["Client"]]


class Client(Raw):
    """A plain client, and the server that it talks to."""

    def __init__(self, http: httpx.AsyncClient, served: Served) -> None:
        super().__init__(http)
        self.http = http
        self.served = served
        self.url = f"{served.url}/mcp"

    def as_user(self, name: str) -> Raw:
        """The same server, called by somebody who shows a token."""
        return Raw(self.http, bearer(name))


def bearer(name: str) -> dict[str, str]:
    """The header that shows somebody's token."""
    return {"authorization": f"Bearer token-of-{name}"}


@asynccontextmanager
async def connected(client: Client, **options: Any) -> AsyncIterator[ClientSession]:
    """The SDK's own client of the same server, in a session."""
    async with (
        streamable_http_client(client.url) as (incoming, outgoing, _),
        ClientSession(incoming, outgoing, **options) as session,
    ):
        await session.initialize()
        yield session


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """`serve(tools=…, prompts=…, resources=…, mcp={…}, **sections)`: a server with these, and a client of it."""

    @asynccontextmanager
    async def serving(
        *,
        tools: Sequence[Tool] = (),
        prompts: Sequence[Prompt] = (),
        resources: Sequence[Resource] = (),
        mcp: Mapping[str, object] | None = None,
        graphs: Mapping[str, object] | None = None,
        plugins: Sequence[str] = (),
        **sections: Any,
    ) -> AsyncIterator[Client]:
        _offer(monkeypatch, tmp_path, tools, prompts, resources)
        settings = {"protocol_mcp": mcp or {}, **sections}
        plugins = ("storage_sqlite", "protocol_langgraph", "protocol_mcp", OFFERS, *plugins)
        async with (
            serve_graphs(tmp_path, graphs or {}, settings, plugins=plugins) as served,
            httpx.AsyncClient(base_url=served.url, timeout=30) as http,
        ):
            yield Client(http, served)

    return serving


def _offer(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    tools: Sequence[Tool],
    prompts: Sequence[Prompt],
    resources: Sequence[Resource],
) -> None:
    """Install a plugin with these."""
    info = folder / "site" / "mcp_offers-1.0.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mcp-offers\nVersion: 1.0.0\n")
    (info / "entry_points.txt").write_text(f"[longline]\n{OFFERS} = longline_mcp_offers\n")
    monkeypatch.syspath_prepend(str(folder / "site"))
    module: Any = ModuleType("longline_mcp_offers")
    module.register_tools = hookimpl(lambda: list(tools))
    module.register_prompts = hookimpl(lambda: list(prompts))
    module.register_resources = hookimpl(lambda: list(resources))
    monkeypatch.setitem(sys.modules, "longline_mcp_offers", module)
