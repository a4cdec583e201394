"""Tools of MCP servers, listed and called in runs of the agent."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import JSONResponse, Response
from tests.plugins.agent_tools.conftest import tool_of
from tests.plugins.agent_tools.mcp_agents import fields, open_agents, servers, user
from tests.plugins.agent_tools.odd_servers import OBJECT, result, serve_odd, tool
from tests.supabase.mcp_servers import LAWS, McpServer, serve_legal

from longline.models.json import JsonObject, JsonValue
from longline.tools.tool import ToolContext
from longline_agent_tools.tool_names import assign_names

LAWS_TOOLS = ["gesetz_suchen", "urteil_lesen", "akte_loeschen", "hilfe"]


@pytest.fixture(scope="module")
def legal() -> Iterator[McpServer]:
    with serve_legal() as server:
        yield server


@pytest.mark.anyio
async def test_a_tool_of_a_server_is_called_and_its_umlauts_survive(
    legal: McpServer, caplog: pytest.LogCaptureFixture
) -> None:
    config = servers({"name": "Recht", "url": legal.endpoint})
    with caplog.at_level(logging.INFO):
        async with open_agents() as agents:
            message = await agents.call("gesetz_suchen", '{"suchbegriff": "Kündigung"}', mcp_config=config)
    assert (message.content, message.status) == (LAWS["kündigung"], "success")
    assert message.artifact == {"structured_content": {"result": LAWS["kündigung"]}}
    assert legal.called("gesetz_suchen")[-1] == {"suchbegriff": "Kündigung"}
    assert "tools/list" in legal.methods()
    (line,) = fields(caplog.records, "mcp tools loaded")
    assert (line["count"], line["servers"]) == (4, "Recht")


@pytest.mark.anyio
async def test_each_server_gives_the_tools_of_its_own_list(legal: McpServer, caplog: pytest.LogCaptureFixture) -> None:
    with serve_odd(tools=[tool("one"), tool("two"), tool("hilfe")]) as odd:
        config = servers(
            {"name": "Recht", "url": legal.endpoint, "tools": ["urteil_lesen", "gesetz_suchen"], "auth_required": None},
            {"name": "Odd", "url": odd.url, "tools": ["two", " hilfe ", None, "three"]},
        )
        async with open_agents() as agents:
            names = await agents.names(mcp_config=config)
    assert names == ["gesetz_suchen", "urteil_lesen", "two", "hilfe"]
    (line,) = fields(caplog.records, "mcp tools not offered")
    assert (line["server"], line["tools"]) == ("Odd", "three")


@pytest.mark.anyio
async def test_tools_of_the_same_name_are_told_apart_and_each_reaches_its_own_server(legal: McpServer) -> None:
    async def run(arguments: JsonObject, context: ToolContext) -> JsonValue:
        return "ours"

    with serve_odd(tools=[tool("hilfe"), tool("probe")]) as odd:
        config = servers({"name": "Recht", "url": legal.endpoint}, {"name": "Fristen & Co.", "url": odd.url})
        async with open_agents(tool_of("probe", run)) as agents:
            names = await agents.names(mcp_config=config)
            first = await agents.call("hilfe", mcp_config=config)
            second = await agents.call("Fristen_Co_hilfe", mcp_config=config)
            ours = await agents.call("probe", mcp_config=config)
            theirs = await agents.call("Fristen_Co_probe", mcp_config=config)
    assert names == ["probe", *LAWS_TOOLS, "Fristen_Co_hilfe", "Fristen_Co_probe"]
    assert [message.content for message in (first, second, ours, theirs)] == [
        "Gesetze und Urteile.", "hilfe was called", "ours", "probe was called",
    ]  # fmt: skip
    assert [message["params"]["name"] for message in odd.seen if message["method"] == "tools/call"] == [
        "hilfe",
        "probe",
    ]


@pytest.mark.anyio
async def test_names_that_a_server_has_in_the_list_stay_its_own_while_it_is_away(legal: McpServer) -> None:
    gone = {"name": "Weg", "url": "http://127.0.0.1:1/mcp", "tools": ["hilfe"]}
    async with open_agents() as agents:
        names = await agents.names(mcp_config=servers(gone, {"name": "Recht", "url": legal.endpoint}))
    assert names == ["gesetz_suchen", "urteil_lesen", "akte_loeschen", "Recht_hilfe"]


@pytest.mark.anyio
async def test_arguments_may_be_called_as_langchain_calls_its_own() -> None:
    with serve_odd() as odd:
        async with open_agents() as agents:
            given = '{"config": 1, "runtime": "python", "run_manager": [], "callbacks": {}, "self": null}'
            await agents.call("probe", given, mcp_config=servers({"url": odd.url}))
    (call,) = [message["params"] for message in odd.seen if message["method"] == "tools/call"]
    assert call["arguments"] == {
        "config": 1, "runtime": "python", "run_manager": [], "callbacks": {}, "self": None,
    }  # fmt: skip


@pytest.mark.anyio
@pytest.mark.parametrize(("code", "doubt"), [(-32602, ""), (-32601, ""), (-32603, "; the tool may have run")])
async def test_an_error_of_the_protocol_is_an_answer_of_status_error(code: int, doubt: str) -> None:
    def refuse(message: dict[str, Any]) -> Response:
        error = {"code": code, "message": "Unbekanntes\nWerkzeug"}
        return JSONResponse({"jsonrpc": "2.0", "id": message["id"], "error": error})

    with serve_odd(answers={"tools/call": refuse}) as odd:
        async with open_agents() as agents:
            message = await agents.call("probe", mcp_config=servers({"name": "Odd", "url": odd.url}))
    wanted = f"the MCP server 'Odd' failed: it answers an error: Unbekanntes Werkzeug{doubt}"
    assert (message.content, message.status) == (wanted, "error")


@pytest.mark.anyio
async def test_arguments_that_cannot_be_sent_cost_this_call_only() -> None:
    with serve_odd() as odd:
        async with open_agents() as agents:
            config = servers({"name": "Odd", "url": odd.url})
            message = await agents.call("probe", '{"half of a sign": "\\ud83d"}', mcp_config=config)
            assert (await agents.call("probe", mcp_config=config)).status == "success"
    assert message.content == "the MCP server 'Odd' failed: the arguments hold characters that are no text"
    assert message.status == "error"
    assert (odd.sessions, odd.count("tools/call")) == (1, 1)


@pytest.mark.anyio
async def test_a_failure_that_the_tool_reports_is_an_answer_of_status_error() -> None:
    failed = {"content": [{"type": "text", "text": "Die Akte ist gesperrt."}], "isError": True}
    with serve_odd(answers={"tools/call": lambda message: result(message, failed)}) as odd:
        async with open_agents() as agents:
            message = await agents.call("probe", mcp_config=servers({"url": odd.url}))
    assert (message.content, message.status) == ("Die Akte ist gesperrt.", "error")


@pytest.mark.anyio
async def test_the_tools_of_a_server_depend_on_who_asks() -> None:
    with serve_odd() as odd:
        async with open_agents() as agents:
            config = servers({"url": odd.url})
            assert await agents.names(mcp_config=config, **user("anna")) == ["probe"]
            odd.tools = [tool("other")]
            assert await agents.names(mcp_config=config, **user("anna")) == ["probe"]
            assert await agents.names(mcp_config=config, **user("bjoern")) == ["other"]


@pytest.mark.anyio
async def test_agents_with_equal_tools_are_made_once_for_all_users(legal: McpServer) -> None:
    config = servers({"name": "Recht", "url": legal.endpoint})
    async with open_agents() as agents:
        agent = await agents.make(mcp_config=config, **user("anna"))
        assert await agents.make(mcp_config=config, **user("bjoern")) is agent
        assert (
            await agents.make(mcp_config=servers({"name": "Recht", "url": legal.endpoint, "tools": ["hilfe"]}))
            is not agent
        )
        keyed = servers({"name": "Recht", "url": legal.endpoint, "headers": {"x-api-key": "secret-1"}})
        assert await agents.make(mcp_config=keyed) is not await agents.make(mcp_config=keyed)


@pytest.mark.anyio
async def test_three_hundred_tools_work() -> None:
    schema = {**OBJECT, "properties": {"größe": {"type": "integer"}}, "required": ["größe"]}
    with serve_odd(tools=[tool(f"werkzeug_{n}", inputSchema=schema) for n in range(300)]) as odd:
        async with open_agents() as agents:
            config = servers({"name": "Viele", "url": odd.url})
            assert len(await agents.names(mcp_config=config)) == 300
            message = await agents.call("werkzeug_299", '{"größe": 3}', mcp_config=config)
    assert message.content == "werkzeug_299 was called"
    assert odd.seen[-1] == {"method": "DELETE", "session": "s1"}


@pytest.mark.anyio
async def test_looking_at_an_agent_connects_nowhere() -> None:
    with serve_odd() as odd:
        async with open_agents(tool_of("ours", lambda a, c: None)) as agents:  # type: ignore[arg-type,return-value]  # not called
            looked = await agents.make(__is_for_execution__=False, agent_tools=[], mcp_config=servers({"url": odd.url}))
    assert "tools" in looked.get_graph().nodes  # what its tools did can be read
    assert odd.seen == []


NAMES = st.lists(st.sampled_from(["a", "b", "_", "ü", ".", "-", "x" * 40]), max_size=4).map("".join)
SERVERS = st.lists(st.tuples(NAMES, st.lists(NAMES, max_size=6)), max_size=6)


@given(taken=st.sets(NAMES), before=SERVERS, after=SERVERS)
def test_names_are_unique_and_valid_and_servers_at_the_end_change_none(
    taken: set[str], before: list[tuple[str, list[str]]], after: list[tuple[str, list[str]]]
) -> None:
    names = assign_names(taken, [*before, *after])
    every = [name for group in names for name in group]
    assert [len(group) for group in names] == [len(tools) for _, tools in [*before, *after]]
    assert len(set(every)) == len(every)
    assert not taken & set(every)
    assert all(1 <= len(name) <= 64 and name.replace("-", "").replace("_", "").isascii() for name in every)
    assert all(char.isalnum() or char in "_-" for name in every for char in name)
    assert assign_names(taken, before) == names[: len(before)]
    assert assign_names(taken, [*before, *after]) == names


def test_the_first_keeps_the_plain_name() -> None:
    given_names = [("a", ["x", "y", "x y"]), ("b", ["x", "z", "x"]), ("b", ["x"]), ("a" * 80, ["y" * 70, "y" * 70])]
    assert assign_names({"z"}, given_names) == [
        ["x", "y", "x_y"],
        ["b_x", "b_z", "b_x_2"],
        ["b_x_3"],
        ["y" * 64, "a" * 32 + "_" + "y" * 31],
    ]
