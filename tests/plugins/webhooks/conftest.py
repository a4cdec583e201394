"""A server with webhooks to this machine allowed, and who receives them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk import get_client
from tests.plugins.protocol_langgraph.served import serve_graphs
from tests.plugins.webhooks.receiver import Receiver, receiving

from longline.services.server import Server

PLUGINS = ("protocol_langgraph", "storage_sqlite", "webhooks")
QUICK = {"url": {"disable_loopback": False}, "first_retry_seconds": 0.02, "poll_seconds": 0.05}


@dataclass(frozen=True)
class Site:
    url: str
    server: Server
    client: Any
    """The SDK's."""


Serve = Callable[..., AbstractAsyncContextManager[Site]]


@pytest.fixture
async def receiver(anyio_backend: str) -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """`serve(graphs, settings of webhooks…)`. Twice in turn is a restart."""

    @asynccontextmanager
    async def served(
        graphs: dict[str, object], *, sections: dict[str, Any] | None = None, **webhooks: object
    ) -> AsyncIterator[Site]:
        settings = {"webhooks": {**QUICK, **webhooks}, **(sections or {})}
        async with (
            serve_graphs(tmp_path, graphs, settings, plugins=PLUGINS) as opened,
            get_client(url=opened.url) as client,
        ):
            yield Site(opened.url, opened.server, client)

    return served


async def states(served: Site) -> list[dict[str, Any]]:
    """What the outbox holds."""
    page = await served.server.collections.documents("webhooks.deliveries").search("", limit=99)
    return [dict(document.value) for document in page.items]


async def until_states(served: Site, wanted: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    """What the outbox holds, as soon as it is as wanted."""
    async with asyncio.timeout(20):
        while not wanted(found := await states(served)):
            await asyncio.sleep(0.01)
    return found
