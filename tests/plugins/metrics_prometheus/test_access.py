"""Who may read the metrics."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from tests.plugins.metrics_prometheus.conftest import Serve
from tests.plugins.protocol_langgraph.served import PLUGINS

import longline_metrics_prometheus as plugin
from longline.asgi.mount import ProtocolMount
from longline.runtime import Runtime
from longline.testing.protocol import ProtocolContract

pytestmark = pytest.mark.anyio

TOKENS = {"static_tokens": {"tokens": {"ann": "ann-token"}}}
PATHS = ("/metrics", "/metrics?format=json", "/metrics/json")


async def _statuses(url: str, token: str = "") -> set[int]:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    async with httpx.AsyncClient(base_url=url, headers=headers) as http:
        return {(await http.get(path)).status_code for path in PATHS}


async def test_without_authentication_they_are_open(serve: Serve) -> None:
    async with serve() as served:
        assert await _statuses(served.url) == {200}


async def test_with_authentication_they_are_open_as_well(serve: Serve) -> None:
    async with serve(TOKENS) as served:
        assert await _statuses(served.url) == {200}


async def test_closed_they_need_credentials(serve: Serve) -> None:
    async with serve({**TOKENS, "metrics_prometheus": {"public": False}}) as served:
        assert await _statuses(served.url) == {401}
        assert await _statuses(served.url, "ann-token") == {200}


async def test_they_may_be_public_whatever_their_token(serve: Serve) -> None:
    async with serve({**TOKENS, "metrics_prometheus": {"public": True, "token": "scrape-me"}}) as served:
        assert await _statuses(served.url) == {200}


async def test_a_token_of_their_own_opens_them_and_nothing_else(serve: Serve) -> None:
    async with serve({**TOKENS, "metrics_prometheus": {"token": "scrape-me"}}) as served:
        assert await _statuses(served.url) == {401}
        assert await _statuses(served.url, "ann-token") == {401}
        assert await _statuses(served.url, "scrape-me") == {200}
        async with httpx.AsyncClient(base_url=served.url, headers={"authorization": "Bearer scrape-me"}) as http:
            assert (await http.post("/threads", json={})).status_code == 401


async def test_they_may_be_somewhere_else(serve: Serve) -> None:
    settings = {"metrics_prometheus": {"path": "/internal/figures"}}
    async with serve(settings) as served, httpx.AsyncClient(base_url=served.url) as http:
        assert (await http.get("/internal/figures")).status_code == 200
        assert (await http.get("/internal/figures/json")).json()["storage"]["threads"] == 0
        assert (await http.get("/metrics")).status_code == 404


@pytest.fixture
async def mount(anyio_backend: str, tmp_path: Path) -> AsyncIterator[ProtocolMount]:
    values = {"server": {"database": f"sqlite:///{tmp_path}/contract.db"}}
    async with Runtime((*PLUGINS, "metrics_prometheus"), values).open() as opened:
        (mount,) = plugin.register_protocols(opened.server)
        yield mount


class TestMount(ProtocolContract):
    pass
