"""What clients send beside the body: the API key of the SDK, bearer tokens, headers of their own."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from langgraph_sdk import get_client, get_sync_client
from langgraph_sdk.errors import AuthenticationError, NotFoundError

from tests.clients.served import Served, serve_project
from tests.databases import Database

pytestmark = pytest.mark.anyio

AUTH = """
from langgraph_sdk import Auth

auth = Auth()
KEYS = {"key-of-ann": "ann", "key-of-bob": "bob"}

@auth.authenticate
async def authenticate(headers: dict, authorization: str | None) -> str:
    key = headers.get(b"x-api-key", b"").decode() or (authorization or "").removeprefix("Bearer ")
    if key not in KEYS:
        raise Auth.exceptions.HTTPException(status_code=401, detail="who are you?")
    return KEYS[key]

@auth.on
async def own(ctx: Auth.types.AuthContext, value: dict) -> dict:
    owner = {"owner": ctx.user.identity}
    value.setdefault("metadata", {}).update(owner)
    return owner
"""

CONFIG = {
    "dependencies": ["."],
    "graphs": {"tell": "./graphs.py:tell"},
    "auth": {"path": "./who.py:auth"},
    "http": {"configurable_headers": {"includes": ["x-team"], "excludes": ["authorization"]}},
}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, database: Database) -> Iterator[Served]:
    """A server that wants to know who calls."""
    folder: Path = tmp_path_factory.mktemp("guarded")
    (folder / "who.py").write_text(AUTH)
    (folder / "langgraph.auth.json").write_text(json.dumps(CONFIG))
    with serve_project(folder, "--config", "langgraph.auth.json", database=database) as served:
        yield served


async def test_the_api_key_of_the_client_says_who_calls(guarded: Served) -> None:
    async with get_client(url=guarded.url, api_key="key-of-ann") as ann:
        thread_id = (await ann.threads.create())["thread_id"]
        told = await ann.runs.wait(thread_id, "tell", input={})
        assert told["told"]["langgraph_auth_user_id"] == "ann"
    with get_sync_client(url=guarded.url, api_key="key-of-bob") as bob:
        with pytest.raises(NotFoundError):
            bob.threads.get(thread_id)
        assert bob.threads.search() == []


async def test_the_api_key_may_stand_in_the_environment(guarded: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGGRAPH_API_KEY", "key-of-ann")
    async with get_client(url=guarded.url) as ann:
        assert (await ann.runs.wait(None, "tell", input={}))["told"]["langgraph_auth_user_id"] == "ann"


async def test_a_bearer_token_does_as_well_and_nothing_is_refused(guarded: Served) -> None:
    async with get_client(url=guarded.url, api_key=None, headers={"Authorization": "Bearer key-of-bob"}) as bob:
        assert (await bob.runs.wait(None, "tell", input={}))["told"]["langgraph_auth_user_id"] == "bob"
    with get_sync_client(url=guarded.url, api_key=None) as nobody, pytest.raises(AuthenticationError):
        nobody.threads.create()
    async with get_client(url=guarded.url, api_key="key-of-nobody") as nobody:
        with pytest.raises(AuthenticationError):
            await nobody.threads.create()
        with pytest.raises(AuthenticationError, match="who are you"):
            [part async for part in nobody.runs.stream(None, "tell", input={})]


async def test_headers_that_are_let_through_reach_the_graph(guarded: Served) -> None:
    with get_sync_client(url=guarded.url, api_key="key-of-ann", headers={"x-team": "north", "x-other": "no"}) as ann:
        told = ann.runs.wait(None, "tell", input={})["told"]
        by_call = ann.runs.wait(None, "tell", input={}, headers={"x-team": "south"})["told"]
    assert told["x-team"] == "north"
    assert "x-other" not in told
    assert "authorization" not in told
    assert by_call["x-team"] == "south"
