"""Callers' tokens at MCP servers: exchanged, kept, renewed, and nowhere else."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.responses import JSONResponse, Response
from tests.plugins.agent_tools.mcp_agents import fields, open_agents, servers, user
from tests.plugins.agent_tools.odd_servers import serve_odd, text, tool
from tests.supabase.exchange import ACCESS_TOKEN, GRANT
from tests.supabase.identity import Identity, serve_identity
from tests.supabase.mcp_servers import McpServer, serve_deadlines, serve_legal
from tests.supabase.project import User

from longline_agent_tools.token_exchange import exchange_url

DEADLINE = ("fristen_berechnen", '{"beginn": "2026-01-01", "tage": 10}')
ANSWER = "Die Frist endet am 11.01.2026."
TOKEN = "caller-token-0123456789"


@pytest.fixture(scope="module")
def identity() -> Iterator[Identity]:
    with serve_identity() as server:
        yield server


@pytest.fixture
def deadlines(identity: Identity) -> Iterator[McpServer]:
    with serve_deadlines(identity) as server:
        yield server


def caller(identity: Identity, name: str = "anna") -> dict[str, Any]:
    return user(name, identity.issue(User(id=name, email=f"{name}@example.com")))


def with_token(server: McpServer) -> dict[str, Any]:
    return servers({"name": "Fristen", "url": server.endpoint, "auth_required": True})


@pytest.mark.anyio
async def test_the_token_is_exchanged_once_for_the_server(identity: Identity, deadlines: McpServer) -> None:
    assert deadlines.exchange is not None
    who = caller(identity)
    async with open_agents() as agents:
        for _ in range(3):
            message = await agents.call(*DEADLINE, mcp_config=with_token(deadlines), **who)
    assert (message.content, message.status) == (ANSWER, "success")
    token = who["__caller_token__"].get_secret_value()
    wanted = {"grant_type": GRANT, "subject_token": token, "subject_token_type": ACCESS_TOKEN}
    assert deadlines.exchange.asked == [{**wanted, "resource": deadlines.endpoint}]
    assert {seen.subject for seen in deadlines.seen} == {"anna"}
    assert all(token not in str(seen.headers) for seen in deadlines.seen)


@pytest.mark.anyio
async def test_each_user_has_a_token_and_a_session_of_their_own(identity: Identity, deadlines: McpServer) -> None:
    async with open_agents() as agents:
        for name in ("anna", "bjoern", "anna"):
            await agents.call(*DEADLINE, mcp_config=with_token(deadlines), **caller(identity, name))
    owners: dict[str | None, set[str | None]] = {}
    for seen in deadlines.seen:
        if seen.session is not None:
            owners.setdefault(seen.session, set()).add(seen.subject)
    assert sorted(map(sorted, owners.values())) in ([["anna"], ["bjoern"]], [["anna"], ["anna"], ["bjoern"]])


@pytest.mark.anyio
async def test_only_servers_that_want_it_get_a_token(identity: Identity, deadlines: McpServer) -> None:
    with serve_legal() as legal:
        config = {"servers": [{"name": "Recht", "url": legal.endpoint}, *with_token(deadlines)["servers"]]}
        async with open_agents() as agents:
            await agents.call("gesetz_suchen", '{"suchbegriff": "x"}', mcp_config=config, **caller(identity))
            await agents.call(*DEADLINE, mcp_config=config, **caller(identity))
        assert all(seen.authorization is None for seen in legal.seen)
    assert all(seen.authorization for seen in deadlines.seen)


@pytest.mark.anyio
async def test_a_token_that_the_server_refuses_is_exchanged_once_more(identity: Identity, deadlines: McpServer) -> None:
    assert deadlines.exchange is not None
    who = caller(identity)
    async with open_agents() as agents:
        await agents.call(*DEADLINE, mcp_config=with_token(deadlines), **who)
        deadlines.exchange.forget()
        assert (await agents.call(*DEADLINE, mcp_config=with_token(deadlines), **who)).content == ANSWER
        assert len(deadlines.exchange.asked) == 2
        deadlines.exchange.forget()
        deadlines.exchange.expires_in = -1  # what it gives now is refused at once
        message = await agents.call(*DEADLINE, mcp_config=with_token(deadlines), **who)
    assert message.content == "the MCP server 'Fristen' failed: it refuses the caller (HTTP 401)"
    assert message.status == "error"
    assert len(deadlines.exchange.asked) == 3


@pytest.mark.anyio
async def test_a_token_that_ends_soon_is_exchanged_again(identity: Identity, deadlines: McpServer) -> None:
    assert deadlines.exchange is not None
    who = caller(identity)
    now = [0.0]
    async with open_agents() as agents:
        agents.connections.exchange._clock = lambda: now[0]
        for moment in (0.0, 269.0, 271.0, 272.0):
            now[0] = moment
            await agents.call(*DEADLINE, mcp_config=with_token(deadlines), **who)
    assert len(deadlines.exchange.asked) == 2


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (None, "its token exchange refuses the caller (HTTP 400, invalid_request)"),
        (403, "its token exchange refuses the caller (HTTP 403)"),
        (500, "its token exchange refuses the caller (HTTP 500)"),
    ],
)
async def test_a_caller_whom_the_exchange_refuses_goes_on_without_its_tools(
    identity: Identity, deadlines: McpServer, status: int | None, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert deadlines.exchange is not None
    deadlines.exchange.fails_with = status
    async with open_agents() as agents:
        assert await agents.names(mcp_config=with_token(deadlines), **user("anna", TOKEN)) == []
    (line,) = fields(caplog.records, "mcp server not usable")
    assert (line["server"], line["reason"]) == ("Fristen", reason)
    assert TOKEN not in "".join(str(vars(record)) for record in caplog.records)


@pytest.mark.anyio
@pytest.mark.parametrize("token", [None, "", SecretStr("")])
async def test_a_run_without_a_token_goes_on_without_the_servers_tools(
    deadlines: McpServer, token: object, caplog: pytest.LogCaptureFixture
) -> None:
    with serve_legal() as legal, caplog.at_level(logging.INFO):
        config = {"servers": [*with_token(deadlines)["servers"], {"name": "Recht", "url": legal.endpoint}]}
        async with open_agents() as agents:
            names = await agents.names(mcp_config=config, __caller_token__=token)
    assert names == ["gesetz_suchen", "urteil_lesen", "akte_loeschen", "hilfe"]
    (line,) = fields(caplog.records, "mcp tools left out")
    assert (line["server"], line["reason"]) == (
        "Fristen",
        "it needs the caller's token, and this run has none that is good (any more)",
    )
    assert deadlines.seen == []


@pytest.mark.anyio
async def test_by_setting_the_token_is_passed_on_as_it_is() -> None:
    with serve_odd() as odd:
        config = servers({"url": odd.url, "auth_required": True, "headers": {"Authorization": "Basic x", "X-Key": "k"}})
        async with open_agents(mcp_auth="pass-through") as agents:
            await agents.call("probe", mcp_config=config, **user("anna", TOKEN))
    assert {headers["authorization"] for headers in odd.headers} == {f"Bearer {TOKEN}"}
    assert {headers["x-key"] for headers in odd.headers} == {"k"}


@pytest.mark.anyio
async def test_the_operator_may_say_which_hosts_get_tokens(caplog: pytest.LogCaptureFixture) -> None:
    with serve_odd() as odd:
        config = servers({"url": odd.url, "auth_required": True})
        for domains, names in ((["*.example.com"], []), (["127.0.0.1"], ["probe"])):
            async with open_agents(mcp_auth="pass-through", mcp_token_domains=domains) as agents:
                assert await agents.names(mcp_config=config, **user("anna", TOKEN)) == names
    (line,) = fields(caplog.records, "mcp server not usable")
    assert line["reason"] == "callers' tokens must not go there; see agent_tools.mcp_token_domains"


@pytest.mark.anyio
@pytest.mark.parametrize("token", ["line\nbreak", "ümlaut"])
async def test_what_no_header_can_carry_is_not_sent(token: str, caplog: pytest.LogCaptureFixture) -> None:
    with serve_odd() as odd:
        async with open_agents(mcp_auth="pass-through") as agents:
            wanted = servers({"url": odd.url, "auth_required": True})
            assert await agents.names(mcp_config=wanted, **user("anna", token)) == []
            for headers in ({"x-key": token}, {"bad name": "x"}, {"Host": "x"}):
                assert await agents.names(mcp_config=servers({"url": odd.url, "headers": headers})) == []
    assert odd.seen == []
    assert len(fields(caplog.records, "mcp server not usable")) == 4
    assert "line\nbreak" not in caplog.text


@pytest.mark.anyio
async def test_a_server_that_quotes_what_it_was_shown_does_not_get_it_into_the_conversation(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def quote(message: dict[str, Any]) -> Response:
        if message["params"]["arguments"].get("fail"):
            known = {"code": -32000, "message": f"bad token {TOKEN}"}
            return JSONResponse({"jsonrpc": "2.0", "id": message["id"], "error": known})
        return text(message, f"your token is {TOKEN}, your key is sk-123456")

    with serve_odd(answers={"tools/call": quote}) as odd:
        config = servers({"url": odd.url, "auth_required": True, "headers": {"x-key": "sk-123456"}})
        async with open_agents(mcp_auth="pass-through") as agents:
            message = await agents.call("probe", mcp_config=config, **user("anna", TOKEN))
            failed = await agents.call("probe", '{"fail": 1}', mcp_config=config, **user("anna", TOKEN))
    assert message.content == "your token is ***, your key is ***"
    assert failed.content.endswith("it answers an error: bad token ***; the tool may have run")
    assert TOKEN not in "".join(str(vars(record)) for record in caplog.records)


@pytest.mark.anyio
async def test_what_a_server_quotes_in_the_descriptions_of_its_tools_no_model_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    schema = {"type": "object", "properties": {"of": {"type": "string", "description": f"as {TOKEN}"}}}
    quoting = [
        tool("probe", description=f"For {TOKEN}.", inputSchema=schema),
        tool(f"broken {TOKEN}", inputSchema={"type": TOKEN}),
    ]
    with serve_odd(tools=quoting) as odd:
        config = servers({"url": odd.url, "auth_required": True, "headers": {"x-kind": "string"}})
        async with open_agents(mcp_auth="pass-through") as agents:
            agent = await agents.make(mcp_config=config, **user("anna", TOKEN))
    (made,) = agent.nodes["tools"].bound.tools_by_name.values()
    assert made.description == "For ***."
    assert made.args_schema["properties"] == {"of": {"type": "string", "description": "as ***"}}
    assert TOKEN not in "".join(str(vars(record)) for record in caplog.records)


@pytest.mark.parametrize(
    ("template", "url", "there"),
    [
        ("{origin}/oauth/token", "https://a.example:8443/x/mcp?k=1", "https://a.example:8443/oauth/token"),
        ("{url}/oauth/token", "https://a.example/x/mcp/?k=1", "https://a.example/x/mcp/oauth/token"),
        ("https://auth.example/token", "https://a.example/mcp", "https://auth.example/token"),
    ],
)
def test_where_tokens_are_exchanged(template: str, url: str, there: str) -> None:
    assert exchange_url(template, url) == there
