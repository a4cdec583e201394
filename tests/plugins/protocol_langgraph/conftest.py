"""A served server for every test that asks for one, and clients for it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import httpx
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from tests.plugins.protocol_langgraph.graphs import asking, chat, counting, failing, nested, seeing
from tests.plugins.protocol_langgraph.served import Served, serve_graphs
from tests.races.graphs import Gate, gated

Serve = Callable[..., AbstractAsyncContextManager[Served]]


@pytest.fixture
def gate() -> Gate:
    """The step in the middle of the graph `gated` that waits until the test says go."""
    return Gate()


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """`serve(graphs, settings)`: a server on this test's database."""
    return partial(serve_graphs, tmp_path)


@pytest.fixture
async def served(anyio_backend: str, serve: Serve, gate: Gate) -> AsyncIterator[Served]:
    """A server with all graphs of these tests."""
    graphs = {
        "count": counting(), "chat": chat(), "ask": asking(), "fail": failing(), "nested": nested(), "see": seeing(),
        "gated": gated(gate),
    }  # fmt: skip
    async with serve(graphs) as server:
        yield server


@pytest.fixture
async def sdk(served: Served) -> AsyncIterator[LangGraphClient]:
    """LangGraph's own client."""
    async with get_client(url=served.url, api_key=None) as client:
        yield client


@pytest.fixture
async def http(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    """A plain client, for what the SDK does not show."""
    async with httpx.AsyncClient(base_url=served.url, timeout=20) as client:
        yield client


@pytest.fixture
async def thread_id(sdk: LangGraphClient) -> str:
    """A new thread."""
    return str((await sdk.threads.create())["thread_id"])
