"""Requests by route, streams while they are open."""

import asyncio
from pathlib import Path

import httpx
import pytest
from tests.plugins.metrics_prometheus.conftest import Serve
from tests.plugins.metrics_prometheus.scraping import scrape, scrape_until
from tests.races.graphs import Gate

from longline.asgi.routes import name_route
from longline.asgi.types import ASGIApp, Message, Receive, Scope, Send
from longline.asgi.websocket import refuse_websocket
from longline.testing.protocol_client import ask, open_socket
from longline_metrics_prometheus.instruments import Instruments
from longline_metrics_prometheus.requests import RequestMetrics

pytestmark = pytest.mark.anyio

REQUESTS = "longline_requests_total"
OWN = """
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
IMPORT

async def order(request):
    return PlainTextResponse("one")

app = App(routes=[Route("/orders/{number}", order), Mount("/files", StaticFiles(directory="/", check_dir=False))])
"""


def _closing(code: int, first: Message | None = None) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        if first is not None:
            await send(first)
        await send({"type": "websocket.close", "code": code})

    return app


async def test_a_request_counts_under_its_route_and_never_under_its_ids(http: httpx.AsyncClient) -> None:
    for _ in range(3):
        thread = (await http.post("/threads", json={})).json()["thread_id"]
        assert (await http.get(f"/threads/{thread}")).status_code == 200
    await http.get("/threads/00000000-0000-0000-0000-000000000000")
    found = await scrape(http)
    assert found.value(REQUESTS, method="POST", path="/threads", status="200") == 3
    assert found.value(REQUESTS, method="GET", path="/threads/{thread_id}", status="200") == 3
    assert found.value(REQUESTS, method="GET", path="/threads/{thread_id}", status="404") == 1
    assert found.value("longline_request_duration_seconds_count", method="GET", path="/threads/{thread_id}") == 4


async def test_the_metrics_count_themselves(http: httpx.AsyncClient) -> None:
    await scrape(http)
    await http.get("/metrics/json")
    found = await scrape(http)
    assert found.value(REQUESTS, method="GET", path="/metrics", status="200") == 1
    assert found.value(REQUESTS, method="GET", path="/metrics/json", status="200") == 1


async def test_thousands_of_odd_paths_and_methods_make_one_series(http: httpx.AsyncClient) -> None:
    for number in range(1000):
        await http.get(f"/odd-{number}/x")
        await http.request(f"ODD{number}", "/threads")
        await http.request(f"ODD{number}", f"/odd-{number}")
    found = await scrape(http)
    assert found.value(REQUESTS, method="GET", path="unknown", status="404") == 1000
    assert found.value(REQUESTS, method="other", path="/threads", status="405") == 1000
    assert found.value(REQUESTS, method="other", path="unknown", status="404") == 1000
    assert found.count(REQUESTS) == 3


async def test_routes_that_an_app_invents_are_bounded() -> None:
    async def inventive(scope: Scope, receive: Receive, send: Send) -> None:
        name_route(scope, scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    instruments = Instruments()
    app = RequestMetrics(instruments).wrap(inventive)
    for number in range(3000):
        await ask(app, "GET", f"/{number}")
    (family,) = instruments.requests.collect()
    counted = [sample for sample in family.samples if sample.name == REQUESTS]
    assert sum(sample.value for sample in counted) == 3000
    assert len(counted) == 1001


async def test_a_stream_is_open_until_its_client_leaves(http: httpx.AsyncClient, gate: Gate) -> None:
    async with http.stream("POST", "/runs/stream", json={"assistant_id": "gated", "input": {}}) as stream:
        lines = stream.aiter_lines()  # kept: without its reader the client would hang up
        await anext(lines)
        await gate.reached.wait()
        found = await scrape(http)
        assert found.value("longline_active_streams", transport="sse") == 1
        assert (await http.get("/metrics/json")).json()["agent"]["active_streams"] == 1
    await scrape_until(http, lambda now: now.value("longline_active_streams", transport="sse") == 0)
    gate.opened.set()


async def test_a_stream_that_ends_is_closed_and_counted(http: httpx.AsyncClient) -> None:
    await http.post("/runs/stream", json={"assistant_id": "count", "input": {"x": 1}})
    labels = {"method": "POST", "path": "/runs/stream", "status": "200"}
    found = await scrape_until(http, lambda now: now.value(REQUESTS, **labels) == 1)
    assert found.value("longline_active_streams", transport="sse") == 0


async def test_a_websocket_is_open_until_its_app_is_done() -> None:
    instruments = Instruments()
    seen: list[float] = []

    async def chatty(scope: Scope, receive: Receive, send: Send) -> None:
        name_route(scope, "/talk")
        await send({"type": "websocket.accept"})
        seen.append(instruments.streams.labels("websocket")._value.get())
        await send({"type": "websocket.close"})

    await open_socket(RequestMetrics(instruments).wrap(chatty), "/talk")
    assert seen == [1]
    assert instruments.streams.labels("websocket")._value.get() == 0
    assert instruments.requests.labels("WEBSOCKET", "/talk", "101")._value.get() == 1


@pytest.mark.parametrize(
    ("app", "status"),
    [
        (refuse_websocket(401, "who?"), "401"),
        (refuse_websocket(503, "away"), "503"),
        (_closing(1000), "101"),
        (_closing(4401, first={"type": "websocket.send", "text": "hello"}), "101"),
        (_closing(4001), "101"),
    ],
)
async def test_a_websocket_that_is_turned_away_counts_with_the_status_that_it_is_told(
    app: ASGIApp, status: str
) -> None:
    instruments = Instruments()
    await open_socket(RequestMetrics(instruments).wrap(app), "/talk")
    assert instruments.requests.labels("WEBSOCKET", "unknown", status)._value.get() == 1
    assert instruments.streams.labels("websocket")._value.get() == 0


@pytest.mark.parametrize(
    "app",
    ["from starlette.applications import Starlette as App", "from fastapi import FastAPI as App"],
    ids=["starlette", "fastapi"],
)
async def test_the_routes_of_an_app_of_ones_own_count_by_their_names(serve: Serve, tmp_path: Path, app: str) -> None:
    (tmp_path / "own.py").write_text(OWN.replace("IMPORT", app))
    own = {"protocol_langgraph": {"http": {"app": f"{tmp_path}/own.py:app", "mount_prefix": "/below"}}}
    async with serve(own) as served, httpx.AsyncClient(base_url=served.url, timeout=20) as http:
        for number in range(3):
            assert (await http.get(f"/below/orders/{number}")).status_code == 200
            await http.get(f"/below/files/{number}")
        await http.put("/below/orders/1")
        await http.get("/below/threads/1")
        found = await scrape(http, "/below/metrics")
    assert found.value(REQUESTS, method="GET", path="/below/orders/{number}", status="200") == 3
    assert found.value(REQUESTS, method="GET", path="/below/files", status="404") == 3
    assert found.value(REQUESTS, method="PUT", path="/below/orders/{number}", status="405") == 1
    assert found.value(REQUESTS, method="GET", path="/below/threads/{thread_id}", status="422") == 1


@pytest.mark.parametrize(
    ("raised", "status"), [(asyncio.CancelledError(), "499"), (RuntimeError("broken"), "500")], ids=["left", "broken"]
)
async def test_an_app_that_does_not_answer_counts_too(raised: BaseException, status: str) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise raised

    async def send(message: Message) -> None:
        raise AssertionError(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    instruments = Instruments()
    app = RequestMetrics(instruments).wrap(broken)
    with pytest.raises(type(raised)):
        await app({"type": "http", "method": "GET", "path": "/", "headers": []}, receive, send)
    assert instruments.requests.labels("GET", "unknown", status)._value.get() == 1


async def test_two_servers_in_one_process_count_for_themselves() -> None:
    one, other = Instruments(), Instruments()
    one.runs_accepted.inc()
    assert (one.runs_accepted._value.get(), other.runs_accepted._value.get()) == (1, 0)
