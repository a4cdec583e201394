"""Prefix, switches, headers that reach graphs, and CORS, as `http` of a langgraph.json says."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_client
from tests.plugins.protocol_langgraph.conftest import Serve
from tests.plugins.protocol_langgraph.graphs import counting, seeing

from longline.ids import graph_assistant_id
from longline.settings import CORE_SECTIONS, parse_settings
from longline_protocol_langgraph.custom_http.headers import ConfigurableHeaders
from longline_protocol_langgraph.custom_http.settings import HeaderSettings

pytestmark = pytest.mark.anyio


def http_settings(**http: object) -> dict[str, dict[str, object]]:
    return {"protocol_langgraph": {"http": http}}


async def test_everything_is_below_the_prefix_for_the_sdk_too(serve: Serve) -> None:
    async with serve({"count": counting()}, http_settings(mount_prefix="/api/")) as served:
        async with get_client(url=f"{served.url}/api", api_key=None) as sdk:
            thread_id = (await sdk.threads.create())["thread_id"]
            assert await sdk.runs.wait(thread_id, "count", input={"x": 1}) == {"x": 2}
            created: list[Any] = []
            stream = sdk.runs.stream(thread_id, "count", input={"x": 1}, on_run_created=created.append)
            events = [part.event async for part in stream]
            assert events[0] == "metadata"
            assert created[0]["thread_id"] == thread_id
            joined = await sdk.runs.join(thread_id, created[0]["run_id"])
            assert joined == {"x": 2}
        async with httpx.AsyncClient(base_url=served.url) as http:
            assert (await http.get("/api/ok")).status_code == 200
            for path in ("/ok", "/threads", "/apiary/ok"):
                assert (await http.get(path)).json() == {"detail": "Not Found"}
            moved = await http.post("/api/threads/", json={})
            assert (moved.status_code, moved.headers["location"]) == (307, f"{served.url}/api/threads")
            ran = await http.post("/api/runs/wait", json={"assistant_id": "count", "input": {"x": 1}})
            # LangGraph's clients put a path behind the URL that they were given, prefix and all
            again = httpx.AsyncClient(base_url=f"{served.url}/api")
            async with again:
                assert (await again.get(ran.headers["location"])).status_code == 200


async def test_public_paths_and_credentials_are_below_the_prefix_as_well(serve: Serve) -> None:
    given = {**http_settings(mount_prefix="/api"), "static_tokens": {"tokens": {"ann": "t"}}}
    async with serve({"count": counting()}, given) as served, httpx.AsyncClient(base_url=served.url) as http:
        assert (await http.get("/api/ok")).status_code == 200
        assert (await http.post("/api/threads", json={})).status_code == 401
        assert (await http.post("/api/threads", json={}, headers={"authorization": "Bearer t"})).status_code == 200


async def test_handlers_are_told_the_path_below_the_prefix(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "auth.py").write_text(
        "from langgraph_sdk import Auth\nauth = Auth()\n"
        "@auth.authenticate\nasync def look(path: str):\n    return path\n"
    )
    given = {"mount_prefix": "/api", "app": ""}
    whole = {"protocol_langgraph": {"http": given, "auth": {"path": f"{tmp_path}/auth.py:auth"}}}
    async with serve({"count": counting()}, whole) as served, httpx.AsyncClient(base_url=served.url) as http:
        assert (await http.post("/api/threads", json={})).json()["metadata"] == {"owner": "/threads"}


SOME_ID = "6d9d9b0e-1f5c-4b53-9b3e-0a4f1d1f0a11"
PATHS = {
    "assistants": ["POST /assistants/search", f"GET /assistants/{graph_assistant_id('count')}"],
    "threads": ["POST /threads/search", f"GET /threads/{SOME_ID}", f"GET /threads/{SOME_ID}/state"],
    "runs": ["POST /runs/wait", f"GET /threads/{SOME_ID}/runs", "POST /runs/cancel", "POST /runs/crons/search"],
    "store": ["PUT /store/items", "POST /store/namespaces"],
    "meta": ["GET /info", "GET /docs", "GET /openapi.json", "GET /metrics", "GET /"],
    "mcp": ["POST /mcp", "POST /mcp/"],
    "a2a": [f"POST /a2a/{SOME_ID}", "GET /.well-known/agent-card.json"],
    "ui": ["GET /ui/agent"],
}


@pytest.mark.parametrize("group", PATHS)
async def test_what_is_switched_off_is_not_there(serve: Serve, group: str) -> None:
    async with (
        serve({"count": counting()}, http_settings(**{f"disable_{group}": True})) as served,
        httpx.AsyncClient(base_url=served.url) as http,
    ):
        for other, paths in PATHS.items():
            for method, path in (entry.split(" ") for entry in paths):
                answer = await http.request(method, path, json={})
                is_gone = answer.status_code == 404 and answer.text == '{"detail":"Not Found"}'
                if group == other:
                    assert is_gone, path
                elif other in ("assistants", "threads", "runs") and not path.startswith("/runs/crons"):
                    assert not is_gone, path
        assert (await http.get("/ok?check_db=1")).json()["ok"] is True


async def test_without_meta_a_sign_of_life_looks_at_nothing(serve: Serve) -> None:
    async with (
        serve({"count": counting()}, http_settings(disable_meta=True)) as served,
        httpx.AsyncClient(base_url=served.url) as http,
    ):
        assert (await http.get("/ok?check_db=maybe")).json()["ok"] is True


async def test_without_webhooks_runs_are_executed_and_tell_nobody(serve: Serve) -> None:
    body = {"assistant_id": "count", "input": {"x": 1}, "webhook": "http://127.0.0.1:1/hook"}
    async with (
        serve({"count": counting()}, http_settings(disable_webhooks=True)) as served,
        httpx.AsyncClient(base_url=served.url) as http,
    ):
        thread_id = (await http.post("/threads", json={})).json()["thread_id"]
        assert (await http.post(f"/threads/{thread_id}/runs/wait", json=body)).json() == {"x": 2}
        (run,) = (await http.get(f"/threads/{thread_id}/runs")).json()
        assert run["kwargs"]["webhook"] is None


# -- headers --------------------------------------------------------------------------------------------------------

GIVEN = {
    "x-foo": "1", "x-secret": "2", "x-api-key": "3", "authorization": "4", "cookie": "5", "user-agent": "6",
    "x-tenant-id": "7", "x-session-token": "8", "accept": "9",
}  # fmt: skip


@pytest.mark.parametrize(
    ("includes", "excludes", "expected"),
    [
        (None, None, []),
        (["x-*"], ["x-secret"], ["x-foo", "x-request-id"]),
        (["*"], None, ["accept", "user-agent", "x-foo", "x-request-id"]),
        (["X-Foo", "Authorization", "x-api-key"], None, ["authorization", "x-api-key", "x-foo"]),
        (["*-agent", "accept", "cookie"], ["*"], []),
        (["*foo*", "us*-ag*t"], None, ["user-agent", "x-foo"]),
        (["x.foo"], None, []),
    ],
)
async def test_headers_are_chosen_by_name_and_pattern_and_secrets_by_name_only(
    includes: list[str] | None, excludes: list[str] | None, expected: list[str]
) -> None:
    chosen = HeaderSettings.model_validate({"includes": includes, "excludes": excludes})
    headers = ConfigurableHeaders(chosen, parse_settings({}, CORE_SECTIONS))
    assert sorted(headers.chosen(GIVEN, "rq")) == expected
    assert ConfigurableHeaders(None, parse_settings({}, CORE_SECTIONS)).chosen(GIVEN, "rq") == {}


async def test_headers_reach_the_graph_and_override_what_a_caller_made_up(serve: Serve) -> None:
    given = http_settings(configurable_headers={"includes": ["x-*", "authorization"], "excludes": ["x-secret"]})
    body = {"assistant_id": "see", "input": {}, "config": {"configurable": {"x-foo": "made up"}}}
    sent = {"x-foo": "bar", "x-secret": "s", "x-request-id": "rq-1", "authorization": "Bearer very-private"}
    async with (
        serve({"see": seeing()}, given) as served,
        httpx.AsyncClient(base_url=served.url, headers=sent) as http,
    ):
        thread_id = (await http.post("/threads", json={})).json()["thread_id"]
        told = (await http.post(f"/threads/{thread_id}/runs/wait", json=body)).json()["told"]
        assert (told["x-foo"], told["x-request-id"], "x-secret" in told) == ("bar", "rq-1", False)
        assert "authorization" not in told  # it is there as a handle, not as a text
        assert "very-private" not in (await http.get(f"/threads/{thread_id}/runs")).text


# -- CORS -----------------------------------------------------------------------------------------------------------


async def test_cors_is_as_langgraph_json_says(serve: Serve) -> None:
    cors = {
        "allow_origins": ["http://page.test"], "allow_origin_regex": r"https://.*\.page\.test",
        "allow_methods": ["GET", "POST"], "allow_headers": ["x-mine"], "allow_credentials": True,
        "expose_headers": ["x-shown"], "max_age": 7,
    }  # fmt: skip
    async with (
        serve({"count": counting()}, http_settings(cors=cors)) as served,
        httpx.AsyncClient(base_url=served.url) as http,
    ):
        for origin in ("http://page.test", "https://a.page.test"):
            asked = await http.options("/threads", headers={"origin": origin, "access-control-request-method": "POST"})
            assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, origin)
            assert asked.headers["access-control-allow-methods"] == "GET, POST"
            assert "x-mine" in asked.headers["access-control-allow-headers"]
            assert asked.headers["access-control-max-age"] == "7"
        answered = await http.get("/ok", headers={"origin": "http://page.test"})
        assert answered.headers["access-control-expose-headers"] == "x-shown"
        assert answered.headers["access-control-allow-credentials"] == "true"
        other = await http.get("/ok", headers={"origin": "http://page.test.evil.test"})
        assert "access-control-allow-origin" not in other.headers
        refused = await http.options(
            "/threads", headers={"origin": "http://page.test", "access-control-request-method": "DELETE"}
        )
        assert refused.status_code == 400
