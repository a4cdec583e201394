"""Who is let in, what they see of each other, and which pages may call."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from tests.plugins.protocol_langgraph.conftest import Serve
from tests.plugins.protocol_langgraph.graphs import counting, seeing
from tests.plugins.protocol_langgraph.served import Served

pytestmark = pytest.mark.anyio

ANN = {"authorization": "Bearer ann-token"}
BOB = {"authorization": "Bearer bob-token"}
RUN = {"assistant_id": "count", "input": {"x": 1}}


@pytest.fixture
async def guarded(anyio_backend: str, serve: Serve) -> AsyncIterator[Served]:
    settings = {"static_tokens": {"tokens": {"ann": "ann-token", "bob": "bob-token"}}}
    async with serve({"count": counting(), "see": seeing()}, settings) as served:
        yield served


@pytest.fixture
async def http(guarded: Served) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=guarded.url, timeout=20) as client:
        yield client


async def test_who_shows_no_credentials_gets_nothing_but_signs_of_life(http: httpx.AsyncClient) -> None:
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic YTpi"}):
        refused = await http.post("/threads", json={}, headers=headers)
        assert refused.status_code == 401
        assert set(refused.json()) == {"detail"}
        assert refused.headers["www-authenticate"] == "Bearer"
    assert (await http.get("/ok")).json() == {"ok": True, "services": {}}
    assert (await http.get("/info")).status_code == 200


async def test_anothers_things_look_like_missing_ones(http: httpx.AsyncClient) -> None:
    thread: Any = (await http.post("/threads", json={}, headers=ANN)).json()
    path = f"/threads/{thread['thread_id']}"
    ran = await http.post(f"{path}/runs/wait", json=RUN, headers=ANN)
    run_path = ran.headers["content-location"]
    for method, target, body in (
        ("GET", path, None),
        ("PATCH", path, {"metadata": {"a": 1}}),
        ("DELETE", path, None),
        ("POST", f"{path}/copy", None),
        ("GET", f"{path}/state", None),
        ("GET", f"{path}/history", None),
        ("GET", f"{path}/storage", None),
        ("GET", f"{path}/runs", None),
        ("POST", f"{path}/runs", RUN),
        ("GET", run_path, None),
        ("DELETE", run_path, None),
        ("POST", f"{run_path}/cancel", None),
        ("GET", f"/runs/{run_path.rpartition('/')[2]}", None),
    ):
        hidden = await http.request(method, target, json=body, headers=BOB)
        assert hidden.status_code == 404, (method, target, hidden.text)
    lost = await http.get(f"{run_path}/join", headers=BOB)
    assert "Run not found" in lost.text
    assert (await http.post("/threads/search", json={}, headers=BOB)).json() == []
    assert (await http.post("/threads/count", json={}, headers=ANN)).json() == 1
    assert (await http.get(path, headers=ANN)).json()["values"] == {"x": 2}


async def test_anothers_run_named_without_its_thread_cannot_be_told_from_a_missing_one(http: httpx.AsyncClient) -> None:
    thread: Any = (await http.post("/threads", json={}, headers=ANN)).json()
    run = (await http.post(f"/threads/{thread['thread_id']}/runs", json=RUN, headers=ANN)).json()["run_id"]
    for following in ("", "/join", "/stream"):
        hidden = await http.get(f"/runs/{run}{following}", headers=BOB)
        missing = await http.get(f"/runs/{thread['thread_id']}{following}", headers=BOB)
        assert (hidden.status_code, hidden.text) == (404, '{"detail":"Not Found"}')
        assert (missing.status_code, missing.text) == (hidden.status_code, hidden.text)
        assert hidden.headers.keys() == missing.headers.keys()
        assert thread["thread_id"] not in str(hidden.headers)
        assert (await http.get(f"/runs/{run}{following}", headers=ANN)).status_code == 200


async def test_the_caller_reaches_the_graph_and_cannot_be_made_up(http: httpx.AsyncClient) -> None:
    body = {"assistant_id": "see", "input": {}, "config": {"configurable": {"user_id": "bob", "run_id": "x"}}}
    told = (await http.post("/runs/wait", json=body, headers=ANN)).json()["told"]
    assert (told["user_id"], told["langgraph_auth_user_id"]) == ("ann", "ann")
    assert told["run_id"] != "x"


async def test_a_request_id_reaches_the_graph(http: httpx.AsyncClient) -> None:
    body = {"assistant_id": "see", "input": {}}
    told = (await http.post("/runs/wait", json=body, headers={**ANN, "x-request-id": "rq-1"})).json()["told"]
    assert told["langgraph_request_id"] == "rq-1"


ORIGIN = {"origin": "http://page.test"}
PREFLIGHT = {
    **ORIGIN,
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type,x-api-key",
}


async def test_pages_of_any_origin_may_call_unless_told_otherwise(http: httpx.AsyncClient) -> None:
    asked = await http.options("/threads", headers=PREFLIGHT)
    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == "*"
    assert asked.headers["access-control-allow-headers"] == "content-type,x-api-key"
    assert "PATCH" in asked.headers["access-control-allow-methods"]
    answered = await http.get("/ok", headers=ORIGIN)
    assert answered.headers["access-control-allow-origin"] == "*"
    exposed = answered.headers["access-control-expose-headers"]
    assert exposed == "x-pagination-total, x-pagination-next, content-location"


async def test_a_page_can_read_why_it_was_turned_away(http: httpx.AsyncClient) -> None:
    refused = await http.post("/threads", json={}, headers=ORIGIN)
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "*")


async def test_only_the_origins_that_are_named_may_call(serve: Serve) -> None:
    settings = {"protocol_langgraph": {"http": {"cors": {"allow_origins": ["http://page.test"]}}}}
    async with serve({"count": counting()}, settings) as served, httpx.AsyncClient(base_url=served.url) as http:
        known = await http.get("/ok", headers=ORIGIN)
        assert known.headers["access-control-allow-origin"] == "http://page.test"
        other = await http.get("/ok", headers={"origin": "http://other.test"})
        assert "access-control-allow-origin" not in other.headers


async def test_the_server_tells_what_it_is(http: httpx.AsyncClient) -> None:
    told = (await http.get("/info")).json()
    assert told["flags"]["assistants"] is True
    assert told["host"]["kind"] == "self-hosted"
    assert told["langgraph_py_version"]
    assert (await http.get("/ok?check_db=1")).json() == {"ok": True, "services": {}}
    assert (await http.head("/ok")).status_code == 200
