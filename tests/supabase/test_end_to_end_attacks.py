"""Users who write into their own things what only the server may say, to see or to show what is not theirs."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.supabase.model import GREETING
from tests.supabase.seed import PROMPT, RECHT
from tests.supabase.stack import Server, Stack, said, serving


@pytest.fixture(scope="module")
def server(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with all agents, each asked for again by every use."""
    with serving(stack, tmp_path_factory.mktemp("server"), LONGLINE_SUPABASE_SYNC__FRESH_SECONDS="0") as server:
        server.sync_counts()
        yield server


@pytest.fixture
def bjoern(stack: Stack, server: Server) -> Iterator[httpx.Client]:
    """Who attacks."""
    with httpx.Client(base_url=server.url, headers=stack.headers(stack.seed.bjoern), timeout=60) as client:
        yield client


@pytest.fixture
def anna(stack: Stack, server: Server) -> Iterator[httpx.Client]:
    """Whose agents it is about."""
    with httpx.Client(base_url=server.url, headers=stack.headers(stack.seed.anna), timeout=60) as client:
        yield client


def own_assistant(client: httpx.Client, **metadata: Any) -> httpx.Response:
    return client.post("/assistants", json={"graph_id": "spiegel", "name": "Falle", "metadata": metadata})


@pytest.mark.parametrize("mark", [{}, {"sync_error": "selbst gemacht"}, {"created_by": "system", "owner": "system"}])
def test_an_assistant_that_is_changed_to_refer_to_anothers_agent_runs_as_itself(
    stack: Stack, bjoern: httpx.Client, mark: dict[str, str]
) -> None:
    recht, organization = stack.seed.recht, stack.seed.kanzlei
    made = own_assistant(bjoern, **mark)
    assert made.status_code == 200, made.text
    place = f"/assistants/{made.json()['assistant_id']}"
    references = {"supabase_agent_id": recht, "supabase_organization_id": organization, **mark}
    changed = bjoern.patch(place, json={"metadata": references})
    run = bjoern.post("/runs/wait", json={"assistant_id": made.json()["assistant_id"], "input": {}})
    schemas = bjoern.get(f"{place}/schemas")
    for answer in (made, changed, run, schemas, bjoern.get(place)):
        for secret in (RECHT, PROMPT, stack.legal.endpoint):
            assert secret not in answer.text


@pytest.mark.parametrize("way", ["create", "update"])
def test_a_user_cannot_put_an_assistant_before_another_organisation(
    stack: Stack, anna: httpx.Client, bjoern: httpx.Client, way: str
) -> None:
    faked = {
        "created_by": "system", "owner": "system", "supabase_organization_id": stack.seed.kanzlei,
        "synced_at": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip
    if way == "create":
        made = own_assistant(bjoern, **faked)
    else:
        made = own_assistant(bjoern)
        bjoern.patch(f"/assistants/{made.json()['assistant_id']}", json={"metadata": faked})
    if made.status_code == 200:
        assistant_id = made.json()["assistant_id"]
        assert anna.get(f"/assistants/{assistant_id}").status_code == 404
        found = anna.post("/assistants/search", json={"limit": 100}).json()
        assert all(one["assistant_id"] != assistant_id for one in found)


def test_an_id_that_is_taken_beforehand_becomes_the_agents(
    stack: Stack, anna: httpx.Client, bjoern: httpx.Client
) -> None:
    agent_id = stack.project.add_agent(stack.seed.kanzlei, "Noch nie gefragt", system_prompt=PROMPT)
    body = {"graph_id": "spiegel", "assistant_id": agent_id, "name": "Falle", "config": {"tags": ["falle"]}}
    taken = bjoern.post("/assistants", json=body)
    assert anna.post(f"/agents/{agent_id}/sync").status_code == 200
    found = anna.get(f"/assistants/{agent_id}")
    assert found.json()["name"] == "Noch nie gefragt"
    assert found.json()["graph_id"] == "agent"
    assert "falle" not in found.text
    for method, path in (("GET", ""), ("POST", "/versions"), ("PATCH", ""), ("DELETE", "")):
        answer = bjoern.request(method, f"/assistants/{agent_id}{path}", json=None if method == "GET" else {})
        assert answer.status_code == 404, (method, path, answer.text)
    assert PROMPT not in taken.text


def test_a_run_cannot_say_whose_member_its_caller_is(stack: Stack, anna: httpx.Client) -> None:
    agent_id = stack.project.add_agent(stack.seed.kanzlei, "Spiegel", graph_id="spiegel")
    theirs = [stack.seed.stadtwerke]
    claimed = {"langgraph_auth_user": {"organizations": theirs}, "langgraph_auth_organizations": theirs}
    for given in ({"config": {"configurable": claimed}}, {"context": claimed}):
        seen = anna.post("/runs/wait", json={"assistant_id": agent_id, "input": {}, **given}).json()["seen"]
        assert seen["plain"]["langgraph_auth_user"]["organizations"] == [stack.seed.kanzlei]
        assert stack.seed.stadtwerke not in str(seen)


def test_a_thread_of_another_user_shows_nothing_of_an_agent(
    stack: Stack, anna: httpx.Client, bjoern: httpx.Client
) -> None:
    thread_id = anna.post("/threads", json={}).json()["thread_id"]
    run = {"assistant_id": stack.seed.without_prompt, "input": said(GREETING)}
    assert anna.post(f"/threads/{thread_id}/runs/wait", json=run).status_code == 200
    for path in ("", "/state", "/history", "/runs"):
        assert bjoern.get(f"/threads/{thread_id}{path}").status_code == 404


def test_a_colleague_of_the_same_organisation_does_not_see_my_threads(
    stack: Stack, server: Server, anna: httpx.Client
) -> None:
    thread_id = anna.post("/threads", json={}).json()["thread_id"]
    headers = stack.headers(stack.seed.carla)
    assert httpx.get(f"{server.url}/threads/{thread_id}", headers=headers).status_code == 404
