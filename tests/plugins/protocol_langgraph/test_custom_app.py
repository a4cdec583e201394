"""The project's own app in front of the server: routes, middleware, lifespan, callers."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_client
from tests.plugins.protocol_langgraph.conftest import Serve
from tests.plugins.protocol_langgraph.graphs import counting
from tests.plugins.protocol_langgraph.served import Served

from longline.testing.protocol_client import open_socket
from longline_protocol_langgraph.custom_http.lifespan import AppNotStartedError

pytestmark = pytest.mark.anyio

PARTS = """
from contextlib import asynccontextmanager
from pathlib import Path
from starlette.middleware import Middleware

HERE = Path(__file__).parent

@asynccontextmanager
async def lifespan(app):
    (HERE / "started").touch()
    yield {"colour": "blue"}
    (HERE / "stopped").touch()

class Mark:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        who = getattr(scope.get("user"), "identity", "-")

        async def marked(message):
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-mark", who.encode())]
            await send(message)

        await self.app(scope, receive, marked)
"""
STARLETTE = (
    PARTS
    + """
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute

async def hello(request):
    who = request.user.identity if "user" in request.scope else None
    return JSONResponse({"who": who, "colour": request.state.colour})

async def echo(request):
    return JSONResponse(await request.json())

async def socket(websocket):
    await websocket.accept()
    await websocket.close()

routes = [
    Route("/custom/hello", hello), Route("/info", hello), Route("/threads", echo, methods=["PUT"]),
    Route("/custom/echo", echo, methods=["POST"]), WebSocketRoute("/custom/socket", socket),
]
app = Starlette(routes=routes, lifespan=lifespan, middleware=[Middleware(Mark)])
"""
)
FASTAPI = (
    PARTS
    + """
from typing import Annotated
from fastapi import Body, FastAPI, Request

app = FastAPI(lifespan=lifespan, middleware=[Middleware(Mark)], openapi_url=None)

@app.get("/custom/hello")
@app.get("/info")
async def hello(request: Request):
    return {"who": request.user.identity if "user" in request.scope else None, "colour": request.state.colour}

@app.put("/threads")
@app.post("/custom/echo")
async def echo(body: Annotated[dict, Body()]):
    return body
"""
)
PLAIN = """
import json

async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1000})
        return
    assert scope["type"] == "http"
    body = (await receive()).get("body", b"")
    found = {"/custom/hello": {"who": None, "colour": "blue"}, "/info": {"who": None, "colour": "blue"}}
    if (scope["method"], scope["path"]) in (("POST", "/custom/echo"), ("PUT", "/threads")):
        found[scope["path"]] = json.loads(body)
    status = 200 if scope["path"] in found else 404
    answer = json.dumps(found.get(scope["path"], {"never": "shown"})).encode()
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": answer})
"""
BY_BODY = """
from langgraph_sdk import Auth

auth = Auth()

@auth.authenticate
async def by_body(body):
    return (body or {}).get("who")
"""
TOKENS = {"static_tokens": {"tokens": {"ann": "ann-token"}}}
ANN = {"authorization": "Bearer ann-token"}


def settings(folder: Path, text: str, *, is_guarded: bool = False, **http: object) -> dict[str, dict[str, object]]:
    (folder / "own.py").write_text(text)
    given: dict[str, dict[str, object]] = {"protocol_langgraph": {"http": {"app": f"{folder}/own.py:app", **http}}}
    return {**given, **TOKENS} if is_guarded else given


def calling(served: Served, **more: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=served.url, timeout=20, **more)


async def in_parts() -> AsyncIterator[bytes]:
    """A body whose length nobody knows before its end."""
    for _ in range(3):
        yield b"x" * 1000


@pytest.mark.parametrize("text", [STARLETTE, FASTAPI, PLAIN], ids=["starlette", "fastapi", "any"])
async def test_its_routes_come_first_and_the_server_answers_the_rest(serve: Serve, tmp_path: Path, text: str) -> None:
    async with serve({"count": counting()}, settings(tmp_path, text)) as served, calling(served) as http:
        assert (await http.get("/custom/hello")).json() == {"who": None, "colour": "blue"}
        assert (await http.get("/info")).json() == {"who": None, "colour": "blue"}
        assert (await http.post("/custom/echo", json={"a": 1})).json() == {"a": 1}
        assert (await http.put("/threads", json={"mine": 1})).json() == {"mine": 1}
        made = await http.post("/threads", json={"metadata": {"a": 1}})  # the method that it does not serve
        assert made.json()["metadata"] == {"a": 1}
        assert (await http.get("/nothing")).json() == {"detail": "Not Found"}
        assert (await http.get("/ok")).json()["ok"] is True
        async with get_client(url=served.url, api_key=None) as sdk:
            assert await sdk.runs.wait(None, "count", input={"x": 1}) == {"x": 2}
            events = [part.event async for part in sdk.runs.stream(None, "count", input={"x": 1})]
            assert events[0] == "metadata"


@pytest.mark.parametrize("text", [STARLETTE, FASTAPI], ids=["starlette", "fastapi"])
async def test_its_middleware_is_round_everything_and_its_lifespan_runs(
    serve: Serve, tmp_path: Path, text: str
) -> None:
    async with serve({"count": counting()}, settings(tmp_path, text)) as served, calling(served) as http:
        assert (tmp_path / "started").exists()
        for path in ("/custom/hello", "/ok", "/nothing"):
            assert (await http.get(path)).headers["x-mark"] == "-"
        preflight = {"origin": "http://page.test", "access-control-request-method": "POST"}
        asked = await http.options("/threads", headers=preflight)
        assert (asked.status_code, asked.headers["x-mark"]) == (200, "-")
        page = await http.get("/custom/hello", headers={"origin": "http://page.test"})
        assert page.headers["access-control-allow-origin"] == "*"
        assert (await http.get("/custom/hello/")).status_code == 307
        assert (await http.put("/custom/hello")).status_code == 405
        assert not (tmp_path / "stopped").exists()
    assert (tmp_path / "stopped").exists()


async def test_its_routes_are_open_unless_it_asks_for_callers(serve: Serve, tmp_path: Path) -> None:
    given = settings(tmp_path, STARLETTE, is_guarded=True)
    async with serve({"count": counting()}, given) as served, calling(served) as http:
        for headers in ({}, ANN):
            assert (await http.get("/custom/hello", headers=headers)).json()["who"] is None
        assert (await http.post("/threads", json={})).status_code == 401
        assert (await http.post("/threads", json={}, headers=ANN)).status_code == 200
        opened = await open_socket(served.app, "/custom/socket")
        assert opened[0]["type"] == "websocket.accept"


async def test_with_callers_its_routes_know_them(serve: Serve, tmp_path: Path) -> None:
    given = settings(tmp_path, STARLETTE, is_guarded=True, enable_custom_route_auth=True)
    async with serve({"count": counting()}, given) as served, calling(served) as http:
        for path in ("/custom/hello", "/info"):
            refused = await http.get(path)
            assert (refused.status_code, set(refused.json())) == (401, {"detail"})
            known = await http.get(path, headers=ANN)
            assert known.json()["who"] == "ann"
            assert known.headers["x-mark"] == "-"  # middleware comes first
        assert (await http.post("/custom/echo", json={"a": 1}, headers=ANN)).json() == {"a": 1}
        assert (await http.get("/ok")).status_code == 200
        refused_socket = await open_socket(served.app, "/custom/socket")
        assert [message.get("code") for message in refused_socket] == [None, 4401]
        opened = await open_socket(served.app, "/custom/socket", headers=ANN)
        assert opened[0]["type"] == "websocket.accept"


@pytest.mark.parametrize("is_own_guarded", [True, False])
async def test_callers_may_be_known_before_its_middleware(serve: Serve, tmp_path: Path, is_own_guarded: bool) -> None:
    given = settings(
        tmp_path, STARLETTE, is_guarded=True, enable_custom_route_auth=is_own_guarded, middleware_order="auth_first"
    )
    async with serve({"count": counting()}, given) as served, calling(served) as http:
        refused = await http.post("/threads", json={})
        assert (refused.status_code, "x-mark" in refused.headers) == (401, False)
        made = await http.post("/threads", json={}, headers=ANN)
        assert (made.status_code, made.headers["x-mark"]) == (200, "ann")
        assert made.json()["metadata"]["owner"] == "ann"
        assert (await http.get("/ok")).status_code == 200
        own = await http.get("/custom/hello", headers=ANN)
        assert own.headers["x-mark"] == ("ann" if is_own_guarded else "-")
        assert (await http.get("/custom/hello")).status_code == (401 if is_own_guarded else 200)


async def test_an_app_of_unknown_routes_asks_everybody_if_it_asks_at_all(serve: Serve, tmp_path: Path) -> None:
    given = settings(tmp_path, PLAIN, is_guarded=True, enable_custom_route_auth=True)
    async with serve({"count": counting()}, given) as served, calling(served) as http:
        assert (await http.get("/custom/hello")).status_code == 401
        assert (await http.get("/custom/hello", headers=ANN)).status_code == 200
        assert (await http.get("/ok")).status_code == 200
        assert (await http.options("/custom/hello")).status_code == 401
        preflight = {"origin": "http://page.test", "access-control-request-method": "POST"}
        assert (await http.options("/custom/hello", headers=preflight)).status_code == 200
        assert "who" not in (await http.get("/info")).json()  # its own /info is for callers, the server's for all
        assert "who" in (await http.get("/info", headers=ANN)).json()


@pytest.mark.parametrize("text", [STARLETTE, PLAIN], ids=["starlette", "any"])
@pytest.mark.parametrize("order", ["auth_first", "middleware_first"])
async def test_a_body_is_bounded_for_who_reads_it_to_know_the_caller(
    serve: Serve, tmp_path: Path, text: str, order: str
) -> None:
    given = settings(tmp_path, text, enable_custom_route_auth=True, middleware_order=order)
    (tmp_path / "auth.py").write_text(BY_BODY)
    whole = {
        "protocol_langgraph": {**given["protocol_langgraph"], "auth": {"path": f"{tmp_path}/auth.py:auth"}},
        "server": {"max_body_mib": 0.002},
    }
    async with serve({"count": counting()}, whole) as served, calling(served) as http:
        assert (await http.post("/custom/echo", json={"who": "ann"})).json() == {"who": "ann"}
        for path in ("/custom/echo", "/threads"):
            assert (await http.post(path, content=in_parts())).status_code == 413


async def test_what_it_reads_of_a_foreign_body_is_bounded(serve: Serve, tmp_path: Path) -> None:
    reading = PLAIN.replace(
        'body = (await receive()).get("body", b"")',
        'body, more = b"", True\n    while more:\n        part = await receive()\n'
        '        body, more = body + part.get("body", b""), part.get("more_body", False)',
    )
    given = {**settings(tmp_path, reading), "server": {"max_body_mib": 0.002}}
    async with serve({"count": counting()}, given) as served, calling(served) as http:
        assert (await http.post("/threads", json={"metadata": {"a": "x" * 1000}})).status_code == 200
        large = await http.post("/threads", content=in_parts())
        assert large.status_code == 413


async def test_an_app_that_cannot_start_stops_the_start(serve: Serve, tmp_path: Path) -> None:
    broken = STARLETTE.replace('(HERE / "started").touch()', 'raise RuntimeError("no database")')
    with pytest.raises(AppNotStartedError, match=r"own.py:app' did not start: RuntimeError: no database"):
        async with serve({"count": counting()}, settings(tmp_path, broken)):
            pass
