"""A server with assistants and with the tools of the conformance suite, and clients that send what they like."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import httpx
import pytest
from tests.plugins.protocol_langgraph.graphs import counting
from tests.plugins.protocol_langgraph.served import Served, serve_graphs
from tests.plugins.protocol_mcp.fixture_plugin import NAME, ODD, install
from tests.plugins.protocol_mcp.raw import Raw
from tests.races.graphs import Gate, gated

Serve = Callable[..., AbstractAsyncContextManager[Served]]
PLUGINS = ("storage_sqlite", "protocol_langgraph", "protocol_mcp", NAME, ODD)


@pytest.fixture
def gate() -> Gate:
    """The step of the assistant `gated` that waits until the test says go."""
    return Gate()


@pytest.fixture
def serve(tmp_path: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """`serve(settings=…)`: a server with the assistants `count` and `gated`."""
    for place in install(tmp_path / "site", NAME, ODD):
        monkeypatch.syspath_prepend(str(place))
    return partial(serve_graphs, tmp_path, {"count": counting(), "gated": gated(gate)}, plugins=PLUGINS)


@pytest.fixture
async def served(anyio_backend: str, serve: Serve) -> AsyncIterator[Served]:
    """The server as it is without settings."""
    async with serve() as served:
        yield served


@pytest.fixture
async def http(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    """A plain client."""
    async with httpx.AsyncClient(base_url=served.url, timeout=30) as client:
        yield client


@pytest.fixture
def raw(http: httpx.AsyncClient) -> Raw:
    """A client of the protocol without an SDK."""
    return Raw(http)


@pytest.fixture
async def session(raw: Raw) -> str:
    """The id of an open session."""
    return await raw.open()
