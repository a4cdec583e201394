"""A served server with metrics for every test that asks for one."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import httpx
import pytest
from tests.plugins.protocol_langgraph.graphs import counting, failing
from tests.plugins.protocol_langgraph.served import PLUGINS, Served, serve_graphs
from tests.races.graphs import Gate, gated

Serve = Callable[..., AbstractAsyncContextManager[Served]]


@pytest.fixture
def gate() -> Gate:
    """The step in the middle of the graph `gated` that waits until the test says go."""
    return Gate()


@pytest.fixture
def serve(tmp_path: Path, gate: Gate) -> Serve:
    """`serve(settings)`: a server with metrics on this test's database."""
    graphs = {"count": counting(), "fail": failing(), "gated": gated(gate)}
    return partial(serve_graphs, tmp_path, graphs, plugins=(*PLUGINS, "metrics_prometheus"))


@pytest.fixture
async def served(anyio_backend: str, serve: Serve) -> AsyncIterator[Served]:
    """A server with the default settings."""
    async with serve() as server:
        yield server


@pytest.fixture
async def http(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    """A client of it."""
    async with httpx.AsyncClient(base_url=served.url, timeout=20) as client:
        yield client
