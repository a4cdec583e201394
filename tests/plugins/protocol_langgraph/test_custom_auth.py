"""A server whose callers are known by an Auth object: two users with LangGraph's own client, and who shows nothing."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import APIStatusError, ConflictError, NotFoundError, PermissionDeniedError
from starlette.routing import Route
from tests.plugins.protocol_langgraph.conftest import Serve
from tests.plugins.protocol_langgraph.graphs import Seen, counting
from tests.plugins.protocol_langgraph.served import Served

from longline.testing.protocol_client import open_socket
from longline_protocol_langgraph.app import PUBLIC_PATHS, all_routes
from longline_protocol_langgraph.settings import LangGraphApiSettings

pytestmark = pytest.mark.anyio

AUTH = """
from langgraph_sdk import Auth

auth = Auth()
USERS = {
    "ann-token": {"identity": "ann", "permissions": ["write"], "display_name": "Ann", "org": "o1",
                  "api_token": "ann-key"},
    "bob-token": {"identity": "bob"},
}

@auth.authenticate
async def authenticate(authorization: str | None):
    user = USERS.get((authorization or "").removeprefix("Bearer "))
    if user is None:
        raise Auth.exceptions.HTTPException(401, "who are you?", {"x-hint": "show a token"})
    return user
"""
OWNED = """
@auth.on
async def own(ctx, value):
    value.setdefault("metadata", {})["owner"] = ctx.user.identity
    return {"owner": ctx.user.identity}
"""
GUARDED = """
@auth.on.threads.delete
async def keep(ctx, value):
    return False

@auth.on.assistants
async def closed(ctx, value):
    raise Auth.exceptions.HTTPException(status_code=418, detail={"why": "no assistants for you"})

@auth.on.store
async def place(ctx, value):
    value["namespace"] = (ctx.user.identity, *(value["namespace"] or ()))
"""


def users() -> object:
    """Tells what a node knows of its user."""

    def look(state: Seen, config: RunnableConfig) -> Seen:
        known = config["configurable"]
        user = known["langgraph_auth_user"]
        told = {key: user[key] for key in ("identity", "display_name", "permissions", "org", "is_authenticated")}
        told["attributes"] = [user.identity, user.display_name, user.permissions, user.is_authenticated]
        told["has_key"] = user["api_token"] == user.get("api_token") == "ann-key"
        for key in ("user_id", "langgraph_auth_user_id", "langgraph_auth_permissions"):
            told[key] = known[key]
        return {"told": told}

    builder = StateGraph(Seen)
    builder.add_node("look", look)
    builder.add_edge(START, "look")
    return builder.compile()


def settings(folder: Path, text: str = "", **auth: object) -> dict[str, dict[str, object]]:
    (folder / "auth.py").write_text(AUTH + text)
    return {"protocol_langgraph": {"auth": {"path": f"{folder}/auth.py:auth", **auth}}}


@pytest.fixture(params=["", OWNED, OWNED + GUARDED], ids=["authenticate only", "on", "on and more"])
async def guarded(anyio_backend: str, serve: Serve, tmp_path: Path, request: Any) -> AsyncIterator[Served]:
    async with serve({"count": counting(), "user": users()}, settings(tmp_path, request.param)) as served:
        yield served


def client(served: Served, who: str) -> AbstractAsyncContextManager[LangGraphClient]:
    return get_client(url=served.url, api_key=None, headers={"authorization": f"Bearer {who}-token"})


async def in_parts() -> AsyncIterator[bytes]:
    """A body whose length nobody knows before its end."""
    for _ in range(3):
        yield b"x" * 1000


async def test_two_users_see_nothing_of_each_other(guarded: Served) -> None:
    async with client(guarded, "ann") as ann, client(guarded, "bob") as bob:
        thread_id = (await ann.threads.create())["thread_id"]
        assert await ann.runs.wait(thread_id, "count", input={"x": 1}) == {"x": 2}
        missing = str(uuid4())
        for call in (bob.threads.get, bob.threads.get_state, bob.runs.list):
            texts = []
            for target in (thread_id, missing):
                with pytest.raises(NotFoundError) as caught:
                    await call(target)
                texts.append(str(caught.value).replace(target, "ID"))
            assert texts[0] == texts[1]
        with pytest.raises(httpx.HTTPStatusError, match="'404"):
            await bob.runs.wait(thread_id, "count", input={"x": 1})
        with pytest.raises(ConflictError):
            await bob.threads.create(thread_id=thread_id, if_exists="do_nothing")
        assert await bob.threads.search() == []
        assert [thread["thread_id"] for thread in await ann.threads.search()] == [thread_id]
        assert await ann.threads.count() == 1


async def test_a_run_on_no_thread_needs_nothing_but_the_right_to_run(guarded: Served) -> None:
    async with client(guarded, "bob") as bob:
        assert await bob.runs.wait(None, "count", input={"x": 1}) == {"x": 2}
        parts = [part.event async for part in bob.runs.stream(None, "count", input={"x": 1})]
        assert parts[0] == "metadata"
        assert "error" not in parts


async def test_the_user_reaches_the_graph_with_all_that_is_known_of_them(guarded: Served) -> None:
    async with client(guarded, "ann") as ann:
        found = await ann.runs.wait(None, "user", input={})
        assert found == {"told": {
            "identity": "ann", "display_name": "Ann", "permissions": ["write"], "org": "o1", "is_authenticated": True,
            "attributes": ["ann", "Ann", ["write"], True], "has_key": True, "user_id": "ann",
            "langgraph_auth_user_id": "ann", "langgraph_auth_permissions": ["write"],
        }}  # fmt: skip


async def test_a_secret_that_is_known_of_a_user_is_shown_nowhere(guarded: Served, tmp_path: Path) -> None:
    async with client(guarded, "ann") as ann:
        thread_id = (await ann.threads.create())["thread_id"]
        async for part in ann.runs.stream(thread_id, "user", input={}, stream_mode=["debug", "values", "checkpoints"]):
            assert "ann-key" not in str(part)
        assert "ann-key" not in str(await ann.runs.list(thread_id))
        assert "ann-key" not in str(await ann.threads.get_history(thread_id))
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.name.startswith("served.db"))
    assert b"ann-key" not in stored


async def test_nothing_but_signs_of_life_is_served_without_credentials(guarded: Served) -> None:
    section = guarded.server.settings.section(LangGraphApiSettings)
    routes = [route for route in all_routes(guarded.server, section) if isinstance(route, Route)]
    assert len(routes) > 30
    async with httpx.AsyncClient(base_url=guarded.url, timeout=20) as http:
        for route in routes:
            path = route.path.replace("{namespace:path}", "a").replace("{", "").replace("}", "")
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
                answer = await http.request(method, path, json={} if method != "GET" else None)
                if route.path in PUBLIC_PATHS:
                    unknown = [404] if "{" in route.path else []  # a token that nobody has made
                    assert answer.status_code in (200, 405, *unknown), (method, path)
                else:
                    assert (answer.status_code, answer.json()) == (401, {"detail": "who are you?"}), (method, path)
                    assert answer.headers["x-hint"] == "show a token"
        assert (await http.get("/nothing/here")).status_code == 401


async def test_a_socket_needs_credentials_too(guarded: Served) -> None:
    messages = await open_socket(guarded.app, f"/threads/{uuid4()}/stream/events")
    assert [message["type"] for message in messages] == ["websocket.accept", "websocket.close"]  # and nothing between
    assert (messages[1]["code"], messages[1]["reason"]) == (4401, "who are you?")


async def test_handlers_say_no_in_their_own_words(serve: Serve, tmp_path: Path) -> None:
    async with (
        serve({"count": counting()}, settings(tmp_path, OWNED + GUARDED)) as served,
        client(served, "ann") as ann,
        httpx.AsyncClient(base_url=served.url, headers={"authorization": "Bearer ann-token"}) as http,
    ):
        thread_id = (await ann.threads.create())["thread_id"]
        with pytest.raises(PermissionDeniedError) as caught:
            await ann.threads.delete(thread_id)
        assert caught.value.response.json() == {"detail": "Forbidden"}
        assert (await http.delete(f"/threads/{uuid4()}")).status_code == 403  # there or not
        with pytest.raises(APIStatusError) as other:
            await ann.assistants.search()
        assert other.value.status_code == 418
        assert other.value.response.json() == {"detail": {"why": "no assistants for you"}}
        assert await ann.runs.wait(thread_id, "count", input={"x": 1}) == {"x": 2}  # a graph's own assistant
        assert await ann.runs.wait(None, "count", input={"x": 1}) == {"x": 2}  # its thread goes, whoever may delete
        assert len(await ann.threads.search()) == 1


async def test_another_users_assistant_cannot_be_run(serve: Serve, tmp_path: Path) -> None:
    async with (
        serve({"count": counting()}, settings(tmp_path, OWNED)) as served,
        client(served, "ann") as ann,
        client(served, "bob") as bob,
    ):
        mine = (await ann.assistants.create("count"))["assistant_id"]
        assert await ann.runs.wait(None, mine, input={"x": 1}) == {"x": 2}
        with pytest.raises(httpx.HTTPStatusError, match="'404"):
            await bob.runs.wait(None, mine, input={"x": 1})
        assert [a["assistant_id"] for a in await ann.assistants.search()] == [mine]
        assert await bob.assistants.search() == []


async def test_items_are_where_handlers_put_them_or_with_their_owner(guarded: Served) -> None:
    async with client(guarded, "ann") as ann, client(guarded, "bob") as bob:
        await ann.store.put_item(["notes"], "k", {"v": 1})
        found = await ann.store.search_items(["notes"])
        assert [item["value"] for item in found["items"]] == [{"v": 1}]
        assert (await bob.store.search_items([]))["items"] == []
        assert (await bob.store.list_namespaces())["namespaces"] == []
        assert not await bob.store.get_item(["notes"], "k")


async def test_a_handler_that_breaks_is_a_fault_and_lets_nobody_in(serve: Serve, tmp_path: Path) -> None:
    broken = "\n@auth.on.threads\nasync def boom(ctx, value):\n    raise RuntimeError('inner secret')\n"
    async with (
        serve({"count": counting()}, settings(tmp_path, broken)) as served,
        httpx.AsyncClient(base_url=served.url, headers={"authorization": "Bearer ann-token"}) as http,
    ):
        answer = await http.post("/threads", json={})
        assert (answer.status_code, answer.text) == (500, "Internal Server Error")
        assert (await http.post("/assistants/search", json={})).status_code == 200


async def test_a_handler_may_read_the_body_and_the_call_still_gets_it(serve: Serve, tmp_path: Path) -> None:
    text = (
        "\n@auth.authenticate\nasync def by_body(body, path):\n"
        "    if path != '/ok' and (body or {}).get('metadata', {}).get('who') is None:\n"
        "        raise Auth.exceptions.HTTPException(401, 'say who in metadata')\n"
        "    return body['metadata']['who'] if body else 'nobody'\n"
    )
    given = settings(tmp_path)
    (tmp_path / "auth.py").write_text("from langgraph_sdk import Auth\nauth = Auth()\n" + text)
    limited = {**given, "server": {"max_body_mib": 0.002}}
    async with serve({"count": counting()}, limited) as served, httpx.AsyncClient(base_url=served.url) as http:
        made = await http.post("/threads", json={"metadata": {"who": "ann", "n": 1}})
        assert made.json()["metadata"] == {"who": "ann", "n": 1, "owner": "ann"}
        assert (await http.post("/threads", json={})).status_code == 401
        large = await http.post("/threads", content=in_parts())
        assert large.status_code == 413
        assert (await http.get("/ok")).status_code == 200


async def test_the_studio_key_lets_somebody_in_who_owns_their_own(serve: Serve, tmp_path: Path) -> None:
    shown = {"x-auth-scheme": "langsmith", "x-api-key": "a-studio-key"}
    async with (
        serve({"count": counting()}, settings(tmp_path, OWNED, studio_key="a-studio-key")) as served,
        httpx.AsyncClient(base_url=served.url) as http,
    ):
        made = await http.post("/threads", json={}, headers=shown)
        assert made.json()["metadata"]["owner"] == "langgraph-studio-user"
        assert (await http.post("/threads", json={}, headers={"x-auth-scheme": "langsmith"})).status_code == 401
