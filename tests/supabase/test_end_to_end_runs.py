"""A member runs an agent: its own model, prompt and tools reach the graph, and the answer is made of what tools say."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.processes import wait_for
from tests.supabase.exchange import ACCESS_TOKEN, GRANT
from tests.supabase.model import ANSWERS, BOTH, DEADLINE, GREETING, LAW, SUM, tools_of
from tests.supabase.project import McpTool, User
from tests.supabase.seed import MODEL, PROMPT
from tests.supabase.stack import Server, Stack, said, serving

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def server(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with all agents."""
    with serving(stack, tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(autouse=True)
def _nothing_seen(stack: Stack) -> None:
    stack.legal.seen.clear()
    stack.deadlines.seen.clear()


async def ask(stack: Stack, server: Server, user: User, agent_id: str, question: str) -> list[dict[str, Any]]:
    """The messages of a conversation with this one question."""
    async with stack.client(server, user) as client:
        thread = await client.threads.create()
        values: Any = await client.runs.wait(thread["thread_id"], agent_id, input=said(question))
    messages: list[dict[str, Any]] = values["messages"]
    return messages


async def test_the_answer_is_made_of_what_the_tool_says(stack: Stack, server: Server) -> None:
    seed = stack.seed
    messages = await ask(stack, server, seed.anna, seed.recht, LAW)
    assert messages[-1]["content"] == ANSWERS[LAW]
    assert "tools/list" in stack.legal.methods()
    assert stack.legal.called("gesetz_suchen") == [{"suchbegriff": "Kaufvertrag"}]
    asked = [request for request in stack.model.requests() if request["messages"][-1]["role"] == "tool"][-1]
    assert asked["model"] == "gpt-4o-mini"
    assert asked["messages"][0] == {"role": "system", "content": PROMPT}
    assert (asked["temperature"], asked["max_tokens"]) == (0.2, 800)
    assert tools_of(asked) == ["gesetz_suchen"]
    bound = server.logged("graph bound", assistant_id=seed.recht) or server.logged("graph bound")
    names = {"model_name", "system_prompt", "mcp_config", "supabase_organization_id", "temperature", "max_tokens"}
    assert any(all(name in str(line) for name in names) for line in bound), server.output
    assert PROMPT not in server.output
    loaded = server.logged("mcp tools loaded")
    assert any(line["count"] == 1 and "gesetz_suchen" in str(line["servers"]) for line in loaded), server.output


async def test_the_graph_receives_the_agents_whole_configuration(stack: Stack, server: Server) -> None:
    seed = stack.seed
    mirror = stack.project.add_agent(
        seed.kanzlei, "Spiegel", graph_id="spiegel", system_prompt=PROMPT, engine_id=stack.project.add_engine(MODEL),
        sampling={"temperature": 0.5, "max_tokens": 12, "top_p": 0.9, "seed": None},
        tools=[McpTool("gesetz_suchen", stack.legal.endpoint), McpTool("calculate"),
               McpTool("fristen_berechnen", stack.deadlines.endpoint, auth_required=True)],
    )  # fmt: skip
    async with stack.client(server, seed.anna) as client:
        forged = {"configurable": {"supabase_organization_id": "mine"}}
        answer: Any = await client.runs.wait(None, mirror, input={}, config=forged)  # type: ignore[call-overload]  # a Config
    seen = answer["seen"]
    plain, kinds = seen["plain"], seen["kinds"]
    assert plain["model_name"] == MODEL
    assert plain["system_prompt"] == PROMPT
    assert plain["supabase_organization_id"] == seed.kanzlei
    assert (plain["temperature"], plain["max_tokens"], plain["top_p"]) == (0.5, 12, 0.9)
    assert "seed" not in plain
    assert plain["agent_tools"] == ["calculate"]
    servers = plain["mcp_config"]["servers"]
    assert servers == sorted(servers, key=lambda one: one["url"])
    assert {one["url"]: (one["name"], one["tools"], one["auth_required"]) for one in servers} == {
        stack.legal.endpoint: ("gesetz_suchen", ["gesetz_suchen"], False),
        stack.deadlines.endpoint: ("fristen_berechnen", ["fristen_berechnen"], True),
    }
    assert plain["langgraph_auth_user_id"] == seed.anna.id
    assert plain["assistant_id"] == mirror
    assert "langgraph_auth_user" in kinds
    assert kinds["x-supabase-access-token"] == kinds["__caller_token__"] == "SecretStr"
    assert plain["x-supabase-access-token"] == "**********"


async def test_two_servers_give_their_tools_each_by_its_own_list(stack: Stack, server: Server) -> None:
    seed, exchange = stack.seed, stack.deadlines.exchange
    assert exchange is not None
    messages = await ask(stack, server, seed.anna, seed.fristen, BOTH)
    assert messages[-1]["content"] == ANSWERS[BOTH]
    offered = tools_of(stack.model.requests()[-1])
    assert sorted(offered) == ["fristen_berechnen", "gesetz_suchen", "urteil_lesen"]
    assert stack.legal.called("gesetz_suchen") == [{"suchbegriff": "Kaufvertrag"}]
    assert stack.deadlines.called("fristen_berechnen") == [{"beginn": "2026-01-01", "tage": 30}]
    calls = [one for one in stack.deadlines.seen if one.method == "tools/call"]
    assert [one.subject for one in calls] == [seed.anna.id]
    assert {one.authorization for one in stack.legal.seen} == {None}, "an open server is shown no token"
    (form,) = [form for form in exchange.asked if stack.identity.verify(form["subject_token"])["sub"] == seed.anna.id]
    assert form["grant_type"] == GRANT
    assert form["subject_token_type"] == ACCESS_TOKEN
    assert form["resource"] == stack.deadlines.endpoint


async def test_each_user_acts_at_the_server_as_themselves(stack: Stack, server: Server) -> None:
    seed = stack.seed
    users = [seed.anna, seed.carla, seed.anna, seed.carla]
    answers = await asyncio.gather(*(ask(stack, server, user, seed.fristen, DEADLINE) for user in users))
    assert {messages[-1]["content"] for messages in answers} == {ANSWERS[DEADLINE]}
    subjects = [one.subject for one in stack.deadlines.seen if one.method == "tools/call"]
    assert sorted(filter(None, subjects)) == sorted(user.id for user in users)
    sessions = {(one.session, one.subject) for one in stack.deadlines.seen if one.method == "tools/call"}
    assert len({session for session, _ in sessions}) == len(sessions), "a session belongs to one user"


async def test_a_builtin_tool_needs_no_server(stack: Stack, server: Server) -> None:
    messages = await ask(stack, server, stack.seed.anna, stack.seed.rechner, SUM)
    assert messages[-1]["content"] == ANSWERS[SUM]
    assert tools_of(stack.model.requests()[-1]) == ["calculate"]
    assert not stack.legal.seen


async def test_an_agent_without_tools_has_none(stack: Stack, server: Server) -> None:
    messages = await ask(stack, server, stack.seed.bjoern, stack.seed.zaehler, GREETING)
    assert messages[-1]["content"] == ANSWERS[GREETING]
    request = stack.model.requests()[-1]
    assert tools_of(request) == []
    assert request["model"] == "gpt-4o"


async def test_an_agent_without_a_prompt_answers(stack: Stack, server: Server) -> None:
    messages = await ask(stack, server, stack.seed.anna, stack.seed.without_prompt, GREETING)
    assert messages[-1]["content"] == ANSWERS[GREETING]


async def test_tools_that_a_server_has_not_are_left_out_and_named(stack: Stack, server: Server) -> None:
    messages = await ask(stack, server, stack.seed.anna, stack.seed.many_tools, LAW)
    assert messages[-1]["content"] == ANSWERS[LAW]
    assert tools_of(stack.model.requests()[-1]) == ["gesetz_suchen"]
    wait_for(lambda: "werkzeug_000" in server.output, "a line that names a tool that is missing")


async def test_an_unknown_model_fails_the_run_with_its_name(stack: Stack, server: Server) -> None:
    async with stack.client(server, stack.seed.anna) as client:
        thread = await client.threads.create()
        answer: Any = await client.runs.wait(
            thread["thread_id"], stack.seed.unknown_model, input=said(GREETING), raise_error=False
        )
        assert "nirgendwo" in str(answer["__error__"])
        (run,) = await client.runs.list(thread["thread_id"])
        assert run["status"] == "error"


async def test_a_broken_endpoint_costs_its_tools_only(stack: Stack, server: Server) -> None:
    messages = await ask(stack, server, stack.seed.anna, stack.seed.broken_endpoint, LAW)
    assert messages[-1]["content"] == ANSWERS[LAW]


async def test_a_run_may_override_what_the_assistant_set_and_not_what_the_server_injects(
    stack: Stack, server: Server
) -> None:
    config: Any = {
        "configurable": {
            "system_prompt": "Sprich wie ein Kapitän.", "langgraph_auth_user_id": stack.seed.bjoern.id,
            "langgraph_auth_user": {"identity": stack.seed.bjoern.id}, "x-supabase-access-token": "gestohlen",
            "__caller_token__": "gestohlen",
        }
    }  # fmt: skip
    mirror = stack.project.add_agent(stack.seed.kanzlei, "Spiegel", graph_id="spiegel", system_prompt=PROMPT)
    async with stack.client(server, stack.seed.anna) as client:
        answer: Any = await client.runs.wait(None, mirror, input={}, config=config)
    plain = answer["seen"]["plain"]
    assert plain["system_prompt"] == "Sprich wie ein Kapitän."
    assert plain["langgraph_auth_user_id"] == stack.seed.anna.id
    assert answer["seen"]["kinds"]["x-supabase-access-token"] == "SecretStr"
    assert answer["seen"]["kinds"]["__caller_token__"] == "SecretStr"
    assert "gestohlen" not in str(answer)


async def test_a_server_that_forgot_its_sessions_and_tokens_is_asked_anew(stack: Stack, server: Server) -> None:
    seed, exchange = stack.seed, stack.deadlines.exchange
    assert exchange is not None
    assert (await ask(stack, server, seed.anna, seed.fristen, BOTH))[-1]["content"] == ANSWERS[BOTH]
    stack.legal.restart()
    stack.deadlines.restart()
    exchange.forget()
    assert (await ask(stack, server, seed.anna, seed.fristen, BOTH))[-1]["content"] == ANSWERS[BOTH]
    assert stack.deadlines.called("fristen_berechnen") == [{"beginn": "2026-01-01", "tage": 30}] * 2


async def test_a_server_that_is_away_costs_its_tools_only(stack: Stack, server: Server) -> None:
    seed = stack.seed
    emil = stack.project.add_user("emil@kanzlei.example", seed.kanzlei)
    assert (await ask(stack, server, seed.anna, seed.fristen, DEADLINE))[-1]["content"] == ANSWERS[DEADLINE]
    stack.deadlines.stop()
    try:
        messages = await ask(stack, server, emil, seed.fristen, LAW)
        assert messages[-1]["content"] == ANSWERS[LAW]
        assert sorted(tools_of(stack.model.requests()[-1])) == ["gesetz_suchen", "urteil_lesen"]
        assert any("fristen_berechnen" in str(line) for line in server.lines if line["level"] == "warning")
        messages = await ask(stack, server, seed.anna, seed.fristen, DEADLINE)
        assert [one["status"] for one in messages if one["type"] == "tool"] == ["error"], "its tools are still known"
    finally:
        stack.deadlines.start()
