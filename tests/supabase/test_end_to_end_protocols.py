"""A2A and MCP show and run an organisation's agents for its members; for everybody else there are none."""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from a2a.client import ClientConfig, create_client
from a2a.types import Message, Part, Role, SendMessageRequest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from tests.supabase.model import ANSWERS, GREETING, LAW
from tests.supabase.project import User
from tests.supabase.protocols import (
    ABOUT_AGENTS,
    ABOUT_TASKS,
    SECONDS,
    Call,
    message,
    of_tools,
    on_agent,
    tasks_of,
    use,
)
from tests.supabase.seed import KANZLEI, RECHT
from tests.supabase.stack import Server, Stack, serving

pytestmark = pytest.mark.anyio

UNKNOWN = "0190a0a0-0000-7000-8000-00000000dead"
NO_TASK = f"{UNKNOWN}:{UNKNOWN}"


@pytest.fixture(scope="module")
def server(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with all agents."""
    with serving(stack, tmp_path_factory.mktemp("server")) as server:
        server.sync_counts()
        yield server


def ask(stack: Stack, server: Server, user: User, call: Call) -> httpx.Response:
    """What a user is answered."""
    return call.send(server.url, stack.headers(user))


def names_for(stack: Stack, server: Server, user: User) -> set[str]:
    """The tools that a user is shown."""
    listed = ask(stack, server, user, of_tools("tools/list")).json()["result"]
    assert "nextCursor" not in listed
    return {tool["name"] for tool in listed["tools"]}


# -- members ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_a_member_finds_an_agent_by_its_card_and_talks_to_it(
    stack: Stack, server: Server, is_streamed: bool
) -> None:
    seed = stack.seed
    async with httpx.AsyncClient(headers=stack.headers(seed.anna), timeout=SECONDS) as http:
        card = (await http.get(f"{server.url}/a2a/{seed.recht}", headers={"a2a-version": "1.0"})).json()
        assert (card["name"], card["skills"][0]["name"]) == (RECHT, RECHT)
        assert "securitySchemes" in card
        client = await create_client(
            f"{server.url}/a2a/{seed.recht}", ClientConfig(streaming=is_streamed, httpx_client=http)
        )
        asked = Message(message_id="m1", role=Role.ROLE_USER, parts=[Part(text=LAW)])
        events = [event async for event in client.send_message(SendMessageRequest(message=asked))]
        last = events[-1].task if not is_streamed else None
        said = [event.artifact_update.artifact for event in events if event.artifact_update.last_chunk]
        artifacts = list(last.artifacts) if last is not None else said
        assert artifacts[-1].parts[0].text == ANSWERS[LAW]
    assert stack.legal.called("gesetz_suchen")[-1] == {"suchbegriff": "Kaufvertrag"}


async def test_a_member_is_shown_the_agents_as_tools_and_calls_one(stack: Stack, server: Server) -> None:
    seed = stack.seed
    async with (
        httpx.AsyncClient(headers=stack.headers(seed.anna), timeout=SECONDS) as http,
        streamable_http_client(f"{server.url}/mcp", http_client=http) as (reading, writing, _),
        ClientSession(reading, writing, read_timeout_seconds=timedelta(seconds=SECONDS)) as client,
    ):
        await client.initialize()
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert {"Rechts-Assistent", "Fristen-Pruefer", "Rechner"} <= tools.keys()
        assert not any(name.startswith("Zaehler") for name in tools)
        answer = await client.call_tool("Rechts-Assistent", {"message": LAW})
        assert answer.content[0].model_dump()["text"] == ANSWERS[LAW]
        thread = (answer.structuredContent or {})["thread_id"]
        again = await client.call_tool("Rechts-Assistent", {"message": GREETING, "thread_id": thread})
        assert again.content[0].model_dump()["text"] == ANSWERS[GREETING]
    async with stack.client(server, seed.anna) as sdk:
        (run, _) = await sdk.runs.list(thread)
        assert run["assistant_id"] == seed.recht


def test_each_user_is_shown_the_tools_of_their_organisations(stack: Stack, server: Server) -> None:
    seed = stack.seed
    everybodys = names_for(stack, server, seed.dieter)
    assert {"agent", "spiegel", "warten", "calculate"} <= everybodys
    anna, bjoern, carla = (names_for(stack, server, user) - everybodys for user in (seed.anna, seed.bjoern, seed.carla))
    assert bjoern == {"Rechts-Assistent", "Zaehler-Assistent"}
    assert {"Rechts-Assistent", "Fristen-Pruefer", "Rechner"} <= anna
    both = {name for name in carla if name.startswith("Rechts-Assistent")}
    assert len(both) == 2
    assert carla == anna | bjoern | both


# -- strangers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ABOUT_AGENTS)
@pytest.mark.parametrize("who", ["bjoern", "dieter"])
def test_another_organisations_agent_looks_like_a_missing_one(
    stack: Stack, server: Server, name: str, who: str
) -> None:
    user: User = getattr(stack.seed, who)

    def answered(agent_id: str) -> tuple[int, str]:
        answer = ask(stack, server, user, ABOUT_AGENTS[name](agent_id))
        return answer.status_code, answer.text.replace(agent_id, "<id>")

    theirs = answered(stack.seed.recht)
    if name.startswith("rpc"):
        assert json.loads(theirs[1])["error"]["code"] == -32602
    else:
        assert theirs[0] == 404, theirs
    assert theirs == answered(UNKNOWN)
    for secret in (RECHT, KANZLEI, stack.seed.kanzlei, "gesetz_suchen"):
        assert secret not in theirs[1]


@pytest.mark.parametrize("name", ABOUT_TASKS)
def test_somebody_elses_task_looks_like_a_missing_one(stack: Stack, server: Server, name: str) -> None:
    """For who sees the agent as well as for who does not, by its own agent and by one that everybody sees."""
    seed = stack.seed
    begun = ask(stack, server, seed.anna, on_agent(seed.recht, "SendMessage", {"message": message()}))
    task: str = begun.json()["result"]["task"]["id"]
    assert ask(stack, server, seed.anna, ABOUT_TASKS["get"](seed.recht, task)).json()["result"]["id"] == task
    for user, agent in ((seed.bjoern, seed.recht_stadtwerke), (seed.carla, seed.recht), (seed.dieter, "agent")):
        found, missing = (ask(stack, server, user, ABOUT_TASKS[name](agent, one)) for one in (task, NO_TASK))
        assert "error" in found.json()
        assert found.status_code == missing.status_code
        assert found.text.replace(task, "<task>") == missing.text.replace(NO_TASK, "<task>")
        assert ANSWERS[GREETING] not in found.text


def test_somebody_elses_context_and_thread_take_nothing_from_others(stack: Stack, server: Server) -> None:
    seed = stack.seed
    begun = ask(stack, server, seed.anna, on_agent(seed.recht, "SendMessage", {"message": message()}))
    context: str = begun.json()["result"]["task"]["contextId"]
    for user, agent, tool in (
        (seed.carla, seed.recht, "agent"), (seed.bjoern, seed.recht_stadtwerke, "Rechts-Assistent"),
        (seed.dieter, "agent", "agent"),
    ):  # fmt: skip
        assert tasks_of(ask(stack, server, user, on_agent(agent, "ListTasks", {"contextId": context}))) == []
        ask(stack, server, user, on_agent(agent, "SendMessage", {"message": message(contextId=context)}))
        told = ask(stack, server, user, use(tool, message=GREETING, thread_id=context)).json()["result"]
        assert told["isError"]
        assert context in told["content"][0]["text"]
    (kept,) = tasks_of(ask(stack, server, seed.anna, on_agent(seed.recht, "ListTasks", {"contextId": context})))
    assert kept["id"] == begun.json()["result"]["task"]["id"]
    runs = httpx.get(f"{server.url}/threads/{context}/runs", headers=stack.headers(seed.anna)).json()
    assert len(runs) == 1


@pytest.mark.parametrize("who", ["bjoern", "dieter"])
def test_another_organisations_tool_looks_like_a_missing_one(stack: Stack, server: Server, who: str) -> None:
    user: User = getattr(stack.seed, who)
    by_id = f"Rechts-Assistent_{stack.seed.recht[:8]}"
    for name in ("Fristen-Pruefer", "Rechner", by_id, stack.seed.recht):
        theirs, missing = (ask(stack, server, user, use(one, message=GREETING)) for one in (name, "Gibt-es-nicht"))
        assert theirs.json()["error"]["code"] == -32602
        assert theirs.text.replace(name, "") == missing.text.replace("Gibt-es-nicht", "")


def test_nobody_without_a_token_gets_in_and_clients_learn_where_tokens_come_from(stack: Stack, server: Server) -> None:
    for call in [about(stack.seed.recht) for about in ABOUT_AGENTS.values()] + [of_tools("tools/list")]:
        answer = call.send(server.url, {})
        assert answer.status_code == 401, call
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert RECHT not in answer.text
    where = f"{server.url}/.well-known/oauth-protected-resource/mcp"
    assert answer.headers["www-authenticate"] == f'Bearer resource_metadata="{where}"'
    document = httpx.get(where).json()
    assert document["resource"] == f"{server.url}/mcp"
    assert document["authorization_servers"] == [f"{stack.identity.url}/auth/v1"]


def test_an_agent_that_nobody_has_used_yet_is_there_for_its_members(stack: Stack, tmp_path: Path) -> None:
    """Without a scope agents are mirrored as they are asked for, by whomever: strangers are answered as before."""
    seed = stack.seed
    with serving(stack, tmp_path, scope="none") as server:
        assert "Rechner" not in names_for(stack, server, seed.anna)
        for user in (seed.bjoern, seed.dieter):
            assert ask(stack, server, user, ABOUT_AGENTS["card"](seed.recht)).status_code == 404
        sent = ask(stack, server, seed.anna, on_agent(seed.recht, "SendMessage", {"message": message()}))
        assert sent.json()["result"]["task"]["artifacts"][0]["parts"][0]["text"] == ANSWERS[GREETING]
        assert "Rechts-Assistent" in names_for(stack, server, seed.anna)
        for user in (seed.bjoern, seed.dieter):
            assert ask(stack, server, user, ABOUT_AGENTS["send"](seed.recht)).status_code == 404
            assert "Rechts-Assistent" not in names_for(stack, server, user)


async def test_a_membership_that_ends_ends_what_was_seen(own_stack: Stack, tmp_path: Path) -> None:
    """Also in a session that goes on, and for a task that was begun before."""
    stack, seed = own_stack, own_stack.seed
    with serving(stack, tmp_path, LONGLINE_AUTH_SUPABASE__ORGANIZATIONS_SECONDS="0") as server:
        server.sync_counts()
        headers = stack.headers(seed.anna, organizations=None)
        begun = on_agent(seed.recht, "SendMessage", {"message": message()}).send(server.url, headers)
        task = begun.json()["result"]["task"]["id"]
        async with (
            httpx.AsyncClient(headers=headers, timeout=SECONDS) as http,
            streamable_http_client(f"{server.url}/mcp", http_client=http) as (reading, writing, _),
            ClientSession(reading, writing, read_timeout_seconds=timedelta(seconds=SECONDS)) as client,
        ):
            await client.initialize()
            assert "Rechner" in {tool.name for tool in (await client.list_tools()).tools}
            stack.project.remove_member(seed.anna.id, seed.kanzlei)
            stack.project.add_member(seed.anna.id, seed.stadtwerke)
            names = {tool.name for tool in (await client.list_tools()).tools}
            assert "Rechner" not in names
            assert "Zaehler-Assistent" in names
        for name, about in ABOUT_AGENTS.items():
            answer = await asyncio.to_thread(about(seed.recht).send, server.url, headers)
            assert answer.status_code == (200 if name.startswith("rpc") else 404), name
            assert RECHT not in answer.text
        gone = ABOUT_TASKS["get"](seed.recht, task).send(server.url, headers)
        assert gone.json()["error"]["code"] == -32602
