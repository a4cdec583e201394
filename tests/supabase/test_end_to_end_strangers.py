"""Who is no member of an agent's organisation finds that there is no such agent, wherever they look."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.supabase.model import GREETING
from tests.supabase.seed import KANZLEI, RECHT
from tests.supabase.stack import Server, Stack, said, serving

pytestmark = pytest.mark.anyio

UNKNOWN = "0190a0a0-0000-7000-8000-00000000dead"


@pytest.fixture(scope="module")
def server(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with all agents."""
    with serving(stack, tmp_path_factory.mktemp("server")) as server:
        server.sync_counts()
        yield server


Call = Callable[[str, str], tuple[str, str, object]]
"""(agent's id, a thread of the caller's) → method, path, body"""
RUN: Any = {"input": said(GREETING)}
ANSWERED_AS_MISSING: dict[str, Call] = {
    "get": lambda agent, thread: ("GET", f"/assistants/{agent}", None),
    "graph": lambda agent, thread: ("GET", f"/assistants/{agent}/graph", None),
    "schemas": lambda agent, thread: ("GET", f"/assistants/{agent}/schemas", None),
    "subgraphs": lambda agent, thread: ("GET", f"/assistants/{agent}/subgraphs", None),
    "versions": lambda agent, thread: ("POST", f"/assistants/{agent}/versions", {}),
    "latest": lambda agent, thread: ("POST", f"/assistants/{agent}/latest", {"version": 1}),
    "update": lambda agent, thread: ("PATCH", f"/assistants/{agent}", {"name": "gekapert"}),
    "delete": lambda agent, thread: ("DELETE", f"/assistants/{agent}", None),
    "wait": lambda agent, thread: ("POST", "/runs/wait", {**RUN, "assistant_id": agent}),
    "stream": lambda agent, thread: ("POST", "/runs/stream", {**RUN, "assistant_id": agent}),
    "background": lambda agent, thread: ("POST", "/runs", {**RUN, "assistant_id": agent}),
    "on a thread": lambda agent, thread: ("POST", f"/threads/{thread}/runs", {**RUN, "assistant_id": agent}),
    "cron": lambda agent, thread: ("POST", "/runs/crons", {**RUN, "assistant_id": agent, "schedule": "0 5 * * *"}),
    "sync": lambda agent, thread: ("POST", f"/agents/{agent}/sync", None),
}


@pytest.mark.parametrize("name", ANSWERED_AS_MISSING)
@pytest.mark.parametrize("who", ["bjoern", "dieter"])
def test_another_organisations_agent_looks_like_a_missing_one(
    stack: Stack, server: Server, name: str, who: str
) -> None:
    headers = stack.headers(getattr(stack.seed, who))
    with httpx.Client(base_url=server.url, headers=headers, timeout=30) as client:
        thread: str = client.post("/threads", json={}).json()["thread_id"]

        def call(agent_id: str) -> tuple[int, str]:
            method, path, body = ANSWERED_AS_MISSING[name](agent_id, thread)
            answer = client.request(method, path, json=body)
            return answer.status_code, answer.text.replace(agent_id, "<id>")

        theirs = call(stack.seed.recht)
        assert theirs[0] == 404, theirs
        assert theirs == call(UNKNOWN)
        for secret in (RECHT, KANZLEI, stack.seed.kanzlei, "gesetz_suchen"):
            assert secret not in theirs[1]


async def test_search_and_count_leave_out_what_is_another_organisations(stack: Stack, server: Server) -> None:
    seed = stack.seed
    for user, agents in (
        (seed.anna, seed.of_kanzlei), (seed.bjoern, seed.of_stadtwerke),
        (seed.carla, seed.of_kanzlei | seed.of_stadtwerke), (seed.dieter, set[str]()),
    ):  # fmt: skip
        async with stack.client(server, user) as client:
            found = await client.assistants.search(limit=100)
            of_agents = {one["assistant_id"] for one in found if "supabase_agent_id" in (one["metadata"] or {})}
            assert of_agents - {seed.broken_endpoint} == agents - {seed.broken_endpoint}
            assert await client.assistants.count() == len(found)
            for filters in ({"supabase_organization_id": seed.kanzlei}, {"supabase_agent_id": seed.recht}):
                hits = await client.assistants.search(metadata=filters, limit=100)
                assert {one["assistant_id"] for one in hits} <= agents


@pytest.mark.parametrize("who", ["bjoern", "dieter"])
async def test_an_assistant_that_refers_to_another_organisations_agent_gets_nothing_of_it(
    stack: Stack, server: Server, who: str
) -> None:
    user = getattr(stack.seed, who)
    with httpx.Client(base_url=server.url, headers=stack.headers(user), timeout=30) as client:
        for agent_id in (stack.seed.recht, UNKNOWN):
            body = {"graph_id": "agent", "metadata": {"supabase_agent_id": agent_id}}
            answer = client.post("/assistants", json=body)
            assert answer.status_code == 404, answer.text
        made = client.post(
            "/assistants", json={"graph_id": "agent", "assistant_id": stack.seed.recht, "if_exists": "do_nothing"}
        )
        assert made.status_code in (404, 409), made.text
        assert RECHT not in made.text
    async with stack.client(server, stack.seed.anna) as client:
        assert (await client.assistants.get(stack.seed.recht))["name"] == RECHT


async def test_a_member_reads_and_does_not_change(stack: Stack, server: Server) -> None:
    with httpx.Client(base_url=server.url, headers=stack.headers(stack.seed.anna), timeout=30) as client:
        path = f"/assistants/{stack.seed.recht}"
        before = client.get(path).json()
        assert client.patch(path, json={"name": "gekapert"}).status_code == 403
        assert client.delete(path).status_code == 403
        assert client.post(f"{path}/latest", json={"version": 1}).status_code == 403
        assert client.get(path).json() == before


async def test_a_membership_that_ends_ends_what_was_seen(own_stack: Stack, tmp_path_factory: Any) -> None:
    """Where the token says nothing of organisations, the project's table does."""
    stack, seed = own_stack, own_stack.seed
    folder = tmp_path_factory.mktemp("query")
    with serving(stack, folder, LONGLINE_AUTH_SUPABASE__ORGANIZATIONS_SECONDS="0") as server:
        server.sync_counts()
        headers = stack.headers(seed.anna, organizations=None)
        with httpx.Client(base_url=server.url, headers=headers, timeout=30) as client:
            assert client.get(f"/assistants/{seed.recht}").status_code == 200
            assert client.get(f"/assistants/{seed.recht_stadtwerke}").status_code == 404
            stack.project.remove_member(seed.anna.id, seed.kanzlei)
            stack.project.add_member(seed.anna.id, seed.stadtwerke)
            assert client.get(f"/assistants/{seed.recht}").status_code == 404
            assert client.get(f"/assistants/{seed.recht_stadtwerke}").status_code == 200


async def test_what_users_write_about_themselves_makes_them_members_of_nothing(stack: Stack, server: Server) -> None:
    boast = {"organization_ids": [stack.seed.kanzlei], "app_metadata": {"organization_ids": [stack.seed.kanzlei]}}
    headers = stack.headers(stack.seed.dieter, user_metadata=boast, organization_ids=[stack.seed.kanzlei])
    assert httpx.get(f"{server.url}/assistants/{stack.seed.recht}", headers=headers).status_code == 404


@pytest.mark.parametrize("path", ["/assistants/search", "/threads", "/runs/wait", "/agents/x/sync"])
def test_nobody_without_a_token_gets_in(server: Server, path: str) -> None:
    answer = httpx.post(f"{server.url}{path}", json={})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].lower().startswith("bearer")
