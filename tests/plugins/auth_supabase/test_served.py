"""A server that asks for tokens of a project: what is public, what is refused and how, what a graph sees."""

from contextlib import suppress

import httpx
import pytest
from langgraph_sdk import get_client
from tests.plugins.auth_supabase.conftest import ANNA, Serve
from tests.supabase.identity import JWT_SECRET, Identity, new_key
from tests.supabase.project import User
from websockets.asyncio.client import connect

pytestmark = pytest.mark.anyio

BERND = User("11111111-2222-4333-8444-555555555555", "bernd@kanzlei.example")
PUBLIC = (
    "/", "/ok", "/health", "/ready", "/info", "/metrics", "/metrics/json", "/docs", "/openapi.json",
)  # fmt: skip
CLOSED = (
    ("POST", "/threads"), ("POST", "/assistants/search"), ("POST", "/runs/wait"), ("GET", "/threads/x"),
    ("PUT", "/store/items"), ("GET", "/nothing/here"),
)  # fmt: skip


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def test_public_paths_need_no_token(serve: Serve) -> None:
    async with serve() as served, httpx.AsyncClient(base_url=served.url) as http:
        assert {path: (await http.get(path)).status_code for path in PUBLIC} == dict.fromkeys(PUBLIC, 200)
        bad = {path: (await http.get(path, headers=_bearer("sb_secret_x"))).status_code for path in PUBLIC}
        assert bad == dict.fromkeys(PUBLIC, 200)


async def test_metrics_may_be_closed(serve: Serve, identity: Identity) -> None:
    async with (
        serve({"metrics_prometheus": {"public": False}}) as served,
        httpx.AsyncClient(base_url=served.url) as http,
    ):
        for path in ("/metrics", "/metrics/json"):
            answer = await http.get(path)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
            assert (await http.get(path, headers=_bearer(identity.issue(ANNA)))).status_code == 200


async def test_everything_else_needs_one(serve: Serve, identity: Identity) -> None:
    async with serve() as served, httpx.AsyncClient(base_url=served.url) as http:
        for method, path in CLOSED:
            answer = await http.request(method, path, json={})
            assert answer.status_code == 401, path
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.json() == {"detail": "no valid credentials"}
            allowed = await http.request(method, path, json={}, headers=_bearer(identity.issue(ANNA)))
            assert allowed.status_code != 401, path


async def test_the_answer_says_what_is_wrong_with_a_token(serve: Serve, identity: Identity) -> None:
    shown = {
        identity.issue(ANNA, exp=1): "the token has expired",
        identity.issue(ANNA, is_anonymous=True): "anonymous users are not let in",
        identity.issue(ANNA, key=new_key()): "the token is signed with a key that is not known",
        "sb_secret_1234": "a service key is no token of a user",
    }
    async with serve() as served, httpx.AsyncClient(base_url=served.url) as http:
        for token, reason in shown.items():
            answer = await http.post("/threads", json={}, headers=_bearer(token))
            assert answer.status_code == 401
            assert answer.json() == {"detail": reason}
            challenge = f'Bearer error="invalid_token", error_description="{reason}"'
            assert answer.headers["www-authenticate"] == challenge
        foreign = await http.post("/threads", json={}, headers=_bearer(identity.issue(ANNA, iss="https://x.example")))
        assert (foreign.status_code, foreign.headers["www-authenticate"]) == (401, "Bearer")


async def test_what_a_user_may_not_do_is_403_and_what_they_may_not_see_is_404(serve: Serve, identity: Identity) -> None:
    async with serve() as served, httpx.AsyncClient(base_url=served.url) as http:
        anna, bernd = _bearer(identity.issue(ANNA)), _bearer(identity.issue(BERND))
        own = (await http.post("/assistants/search", json={}, headers=anna)).json()[0]["assistant_id"]
        refused = await http.delete(f"/assistants/{own}", headers=anna)
        assert refused.status_code == 403
        assert "detail" in refused.json()
        thread_id = (await http.post("/threads", json={}, headers=anna)).json()["thread_id"]
        assert (await http.get(f"/threads/{thread_id}", headers=anna)).status_code == 200
        assert (await http.get(f"/threads/{thread_id}", headers=bernd)).status_code == 404


async def test_a_graph_sees_its_user(serve: Serve, identity: Identity) -> None:
    async with (
        serve() as served,
        get_client(url=served.url, headers=_bearer(identity.issue(ANNA, organizations=["o1"])), api_key=None) as sdk,
    ):
        told = (await sdk.runs.wait(None, "see", input={}))["told"]
        assert told["langgraph_auth_user_id"] == ANNA.id
        assert not any("eyJ" in text for text in told.values())


async def test_an_auth_server_that_is_away_is_503_for_those_who_show_a_token(serve: Serve, identity: Identity) -> None:
    token = identity.issue(ANNA)
    identity.fails_with = 500
    async with serve() as served, httpx.AsyncClient(base_url=served.url) as http:
        answer = await http.post("/threads", json={}, headers=_bearer(token))
        assert answer.status_code == 503
        assert answer.json() == {"detail": "Credentials cannot be checked now"}
        assert answer.headers["retry-after"]
        assert "www-authenticate" not in answer.headers
        assert (await http.get("/ok", headers=_bearer(token))).status_code == 200
        assert (await http.post("/threads", json={})).status_code == 401


async def test_a_megabyte_of_claims_stops_at_the_door(serve: Serve, identity: Identity) -> None:
    token = identity.issue(ANNA, app_metadata={"note": "x" * 1_000_000})
    async with serve() as served, httpx.AsyncClient(base_url=served.url) as http:
        with suppress(httpx.TransportError):  # the server may hang up on whoever sends so much
            assert 400 <= (await http.post("/threads", json={}, headers=_bearer(token))).status_code < 500
        assert (await http.post("/threads", json={}, headers=_bearer(identity.issue(ANNA)))).status_code == 200
    assert identity.counts["jwks"] == 1


async def test_a_websocket_is_closed_with_what_is_wrong(serve: Serve, identity: Identity) -> None:
    async with serve() as served:
        url = f"ws{served.url.removeprefix('http')}/threads/{ANNA.id}/stream/events"
        async with connect(url, additional_headers=_bearer(identity.issue(ANNA, exp=1))) as socket:
            await socket.wait_closed()
            assert (socket.close_code, socket.close_reason) == (4401, "the token has expired")


async def test_other_authenticators_know_other_callers(serve: Serve, identity: Identity) -> None:
    foreign = identity.issue(ANNA, iss="https://x.example")
    tokens = {"static_tokens": {"tokens": {"monitor": "of the monitor", "partner": foreign}}}
    async with serve(tokens) as served, httpx.AsyncClient(base_url=served.url) as http:
        for token in ("of the monitor", foreign, identity.issue(ANNA)):
            assert (await http.post("/threads", json={}, headers=_bearer(token))).status_code == 200
        for token in ("of nobody", identity.issue(ANNA, exp=1)):
            assert (await http.post("/threads", json={}, headers=_bearer(token))).status_code == 401


# -- service keys ---------------------------------------------------------------------------------------------------

SECRET_KEY = "sb_secret_of-this-project"


@pytest.mark.parametrize("allowed", [[], ["threads", "assistants.search"], ["*"]])
async def test_a_service_key_may_do_what_the_settings_name(serve: Serve, allowed: list[str]) -> None:
    async with (
        serve(key=SECRET_KEY, service_role=allowed) as served,
        httpx.AsyncClient(base_url=served.url, headers=_bearer(SECRET_KEY)) as http,
    ):
        calls = {
            "threads": await http.post("/threads", json={}),
            "assistants.search": await http.post("/assistants/search", json={}),
            "assistants.create": await http.post("/assistants", json={"graph_id": "see"}),
            "store": await http.put("/store/items", json={"namespace": ["a"], "key": "k", "value": {}}),
        }
    found = {name: answer.status_code for name, answer in calls.items()}
    if not allowed:
        assert set(found.values()) == {401}
        assert calls["store"].json() == {"detail": "a service key is no token of a user"}
    elif allowed == ["*"]:
        assert set(found.values()) <= {200, 204}
    else:
        assert found == {"threads": 200, "assistants.search": 200, "assistants.create": 403, "store": 403}
        assert calls["store"].json() == {"detail": "Forbidden"}


async def test_it_sees_what_it_made_and_nothing_of_users(serve: Serve, identity: Identity) -> None:
    async with serve(key=SECRET_KEY, service_role=["*"]) as served, httpx.AsyncClient(base_url=served.url) as http:
        anna = _bearer(identity.issue(ANNA))
        thread_id = (await http.post("/threads", json={}, headers=anna)).json()["thread_id"]
        assert (await http.get(f"/threads/{thread_id}", headers=_bearer(SECRET_KEY))).status_code == 404
        assert (await http.get(f"/threads/{thread_id}", headers=anna)).status_code == 200


async def test_a_service_key_of_another_project_may_do_nothing(serve: Serve, identity: Identity) -> None:
    forged = (f"{SECRET_KEY}x", "sb_secret_", identity.issue(ANNA, role="service_role"))
    async with (
        serve(key=SECRET_KEY, jwt_secret=JWT_SECRET, service_role=["*"]) as served,
        httpx.AsyncClient(base_url=served.url) as http,
    ):
        for key in forged:
            assert (await http.post("/threads", json={}, headers=_bearer(key))).status_code == 401
