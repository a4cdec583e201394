"""Every path of the API that takes an assistant, as the server itself lists them, with an agent that is not there for
its caller: each says of it what it says of one that does not exist."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest
from websockets.sync.client import connect

from tests.supabase.project import User
from tests.supabase.seed import KANZLEI, PROMPT, RECHT
from tests.supabase.stack import Server, Stack, serving

PUBLIC: Final = {
    "/", "/ok", "/health", "/ready", "/info", "/metrics", "/metrics/json", "/docs", "/openapi.json",
    "/feedback/tokens/{token}",
}  # fmt: skip
UNKNOWN: Final = "0190a0a0-0000-7000-8000-00000000dead"
VERBS: Final = ("get", "post", "put", "patch", "delete")
HANDLERS: Final = '''
"""Handlers that let everybody do everything: what organisations may see stays theirs."""

from langgraph_sdk import Auth

auth = Auth()


@auth.authenticate
async def nobody(authorization: str | None) -> None:
    """Users are the project's."""
    return None


@auth.on
async def anything(ctx: Auth.types.AuthContext, value: dict) -> None:
    """Of everybody."""
    return None
'''


@pytest.fixture(scope="module", params=["alone", "beside handlers"])
def server(request: pytest.FixtureRequest, stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with all agents, with the rules of the house, and with those of a project that has none."""
    folder = tmp_path_factory.mktemp("server")
    more = {}
    if request.param != "alone":
        (folder / "auth.py").write_text(HANDLERS, encoding="utf-8")
        more = {"LONGLINE_PROTOCOL_LANGGRAPH__AUTH": json.dumps({"path": f"{folder}/auth.py:auth"})}
    with serving(stack, folder, **more) as server:
        server.sync_counts()
        yield server


def operations(description: dict[str, Any]) -> Iterator[tuple[str, str, frozenset[str]]]:
    """Method, path and the fields of the body, of all that take an assistant."""
    for path, item in description["paths"].items():
        for verb in VERBS:
            if verb not in item:
                continue
            fields = frozenset(fields_of(description, item[verb].get("requestBody", {})))
            if "{assistant_id}" in path or "assistant_id" in fields:
                yield verb.upper(), path, fields


def fields_of(description: dict[str, Any], part: Any) -> Iterator[str]:
    """All that can stand in a body, at its top or in the entries of its list."""
    if not isinstance(part, dict):
        return
    if "$ref" in part:
        found: Any = description
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        part = found
    yield from part.get("properties", {})
    for below in (*part.get("content", {}).values(), *part.get("anyOf", ()), *part.get("allOf", ())):
        yield from fields_of(description, below)
    for name in ("schema", "items"):
        yield from fields_of(description, part.get(name))


def asked(client: httpx.Client, thread: str, operation: tuple[str, str, frozenset[str]], agent: str) -> tuple[int, str]:
    """What is answered about the agent."""
    method, path, fields = operation
    given: dict[str, Any] = {"assistant_id": agent, "schedule": "0 5 * * *", "version": 1, "input": {}, "name": "X"}
    body: Any = {name: value for name, value in given.items() if name in fields}
    if path == "/assistants":
        body = {"graph_id": "agent", "metadata": {"supabase_agent_id": agent}}
    place = path.replace("{assistant_id}", agent).replace("{thread_id}", thread).replace("{namespace}", "x")
    answer = client.request(method, place, json=[body] if path.endswith("/batch") else body)
    return answer.status_code, answer.text.replace(agent, "<id>")


def missing_everywhere(server: Server, headers: dict[str, str], agent: str) -> None:
    """Whatever is asked about the agent, no more is said than about one that does not exist."""
    with httpx.Client(base_url=server.url, headers=headers, timeout=60) as client:
        thread: str = client.post("/threads", json={}).json()["thread_id"]
        known = list(operations(client.get("/openapi.json").json()))
        assert {("POST", "/runs/batch"), ("GET", "/assistants/{assistant_id}/graph"), ("POST", "/runs/crons")} <= {
            (method, path) for method, path, _ in known
        }
        for operation in known:
            theirs = asked(client, thread, operation, agent)
            assert theirs == asked(client, thread, operation, UNKNOWN), operation[:2]
            for secret in (RECHT, KANZLEI, PROMPT, "gesetz_suchen", "withdrawn"):
                assert secret not in theirs[1], operation[:2]
        said = [command(client, thread, one).replace(one, "<id>") for one in (agent, UNKNOWN)]
        assert said[0] == said[1]
        assert '"error"' in said[0]
        assert client.get(f"/threads/{thread}/runs").json() == []
    said = [spoken(server, headers, thread, one).replace(one, "<id>") for one in (agent, UNKNOWN)]
    assert said[0] == said[1]


def command(client: httpx.Client, thread: str, agent: str) -> str:
    """The answer to a command of the event protocol."""
    return client.post(f"/threads/{thread}/commands", json=start_of(agent)).text


def start_of(agent: str) -> dict[str, Any]:
    """The command that starts a run."""
    return {"id": 1, "method": "run.start", "params": {"assistant_id": agent, "input": {}}}


def spoken(server: Server, headers: dict[str, str], thread: str, agent: str) -> str:
    """The answer to the same over a WebSocket."""
    url = f"{server.url.replace('http', 'ws', 1)}/threads/{thread}/stream/events"
    with connect(url, additional_headers=headers) as socket:
        socket.send(json.dumps(start_of(agent)))
        while True:
            told = json.loads(socket.recv(timeout=30))
            if told.get("id") == 1:
                return json.dumps(told)


@pytest.mark.parametrize("who", ["bjoern", "dieter"])
def test_another_organisations_agent_is_missing_on_every_path(stack: Stack, server: Server, who: str) -> None:
    user: User = getattr(stack.seed, who)
    missing_everywhere(server, stack.headers(user), stack.seed.recht)


def test_an_agent_that_nobody_asked_for_yet_is_missing_too(stack: Stack, server: Server) -> None:
    agent = stack.project.add_agent(stack.seed.kanzlei, RECHT, system_prompt=PROMPT)
    missing_everywhere(server, stack.headers(stack.seed.bjoern), agent)


def test_a_broken_agent_of_another_organisation_is_missing_too(stack: Stack, server: Server) -> None:
    agent = stack.project.add_agent(stack.seed.kanzlei, RECHT, graph_id="gibt-es-nicht")
    missing_everywhere(server, stack.headers(stack.seed.bjoern), agent)


def test_an_agent_that_was_withdrawn_is_missing_for_its_members(stack: Stack, server: Server) -> None:
    agent = stack.project.add_agent(stack.seed.kanzlei, RECHT, system_prompt=PROMPT)
    headers = stack.headers(stack.seed.anna)
    assert httpx.post(f"{server.url}/agents/{agent}/sync", headers=headers).status_code == 200
    stack.project.rows("UPDATE public.agents SET status = 'inactive' WHERE id = %s", agent)
    assert httpx.post(f"{server.url}/agents/{agent}/sync", headers=headers).status_code == 404
    missing_everywhere(server, headers, agent)


def test_who_is_nobody_gets_in_nowhere(stack: Stack, server: Server) -> None:
    anonymous = stack.headers(stack.seed.anna, is_anonymous=True)
    with httpx.Client(base_url=server.url, timeout=60) as client:
        paths = client.get("/openapi.json").json()["paths"]
        closed = [(verb, path) for path, item in paths.items() if path not in PUBLIC for verb in VERBS if verb in item]
        for verb, path in [*closed, ("post", "/agents/{agent_id}/sync")]:
            place = re.sub(r"{[^}]*}", stack.seed.recht, path)
            for headers in ({}, anonymous):
                answer = client.request(verb, place, headers=headers, json=None if verb == "get" else {})
                assert answer.status_code == 401, (verb, path, answer.text)
                assert answer.headers["www-authenticate"].lower().startswith("bearer")
