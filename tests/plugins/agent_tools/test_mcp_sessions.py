"""Sessions with MCP servers: kept, never shared, renewed, closed."""

import asyncio
from collections import defaultdict
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response
from tests.plugins.agent_tools.mcp_agents import open_agents, servers, until, user
from tests.plugins.agent_tools.odd_servers import OddServer, broken, event, events, serve_odd, text, tool
from tests.supabase.mcp_servers import serve_legal


def closed(odd: OddServer) -> list[str]:
    """The sessions that were taken leave of."""
    return [message["session"] for message in odd.seen if message.get("method") == "DELETE"]


def calls(odd: OddServer) -> list[dict[str, Any]]:
    return [message for message in odd.seen if message.get("method") == "tools/call"]


@pytest.mark.anyio
async def test_a_session_is_kept_for_the_next_call_and_closed_at_the_end() -> None:
    with serve_odd() as odd:
        config = servers({"url": odd.url})
        async with open_agents() as agents:
            for _ in range(3):
                await agents.call("probe", mcp_config=config)
            assert closed(odd) == []
        assert (odd.sessions, len(calls(odd)), closed(odd)) == (1, 3, ["s1"])
    assert {headers.get("mcp-session-id") for headers in odd.headers[1:]} == {"s1"}


@pytest.mark.anyio
async def test_two_users_never_share_a_session() -> None:
    with serve_odd() as odd:
        config = servers({"url": odd.url})
        async with open_agents() as agents:
            names = ["anna", "bjoern", "anna", "carla", "bjoern", "anna"]
            await asyncio.gather(
                *(agents.call("probe", f'{{"who": "{name}"}}', mcp_config=config, **user(name)) for name in names)
            )
            users = defaultdict(set)
            for message, headers in zip(odd.seen, odd.headers, strict=True):
                if message["method"] == "tools/call":
                    users[headers["mcp-session-id"]].add(message["params"]["arguments"]["who"])
    assert sorted(map(sorted, users.values())) == [["anna"], ["bjoern"], ["carla"]]
    assert (odd.sessions, sorted(closed(odd))) == (3, ["s1", "s2", "s3"])


@pytest.mark.anyio
async def test_a_new_token_is_a_new_session_only_where_the_server_sees_it() -> None:
    with serve_odd() as odd:
        async with open_agents(mcp_auth="pass-through") as agents:
            for token in ("one", "two", "one"):
                await agents.call("probe", mcp_config=servers({"url": odd.url}), **user("anna", token))
            assert odd.sessions == 1
            for token in ("one", "two", "one"):
                config = servers({"url": odd.url, "auth_required": True})
                await agents.call("probe", mcp_config=config, **user("anna", token))
            assert odd.sessions == 3


@pytest.mark.anyio
async def test_a_server_that_forgot_the_session_gets_a_new_one_and_the_call_once() -> None:
    with serve_legal() as legal:
        async with open_agents() as agents:
            config = servers({"url": legal.endpoint})
            await agents.call("hilfe", mcp_config=config)
            legal.restart()
            message = await agents.call("hilfe", mcp_config=config)
    assert message.content == "Gesetze und Urteile."
    sessions = [seen.session for seen in legal.seen if seen.method == "tools/call"]
    assert len(sessions) == 3  # the second was answered 404
    assert sessions[0] == sessions[1] != sessions[2]


@pytest.mark.anyio
@pytest.mark.parametrize("status", [400, 404])
async def test_it_is_given_up_after_one_new_session(status: int) -> None:
    with serve_odd() as odd:
        async with open_agents() as agents:
            config = servers({"name": "Odd", "url": odd.url})
            await agents.call("probe", mcp_config=config)
            odd.answers["tools/call"] = lambda message: Response(status_code=status)
            message = await agents.call("probe", mcp_config=config)
            del odd.answers["tools/call"]
            assert (await agents.call("probe", mcp_config=config)).status == "success"
    assert message.status == "error"
    assert "the MCP server 'Odd' failed: it" in message.content
    assert f"(HTTP {status})" in message.content or message.content.endswith(f"HTTP {status}")
    assert (odd.sessions, len(calls(odd))) == (2, 4)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("notes", "times"), [({}, 1), ({"readOnlyHint": True}, 2), ({"idempotentHint": True}, 2), ({"title": "x"}, 1)]
)
async def test_a_call_whose_connection_breaks_is_made_again_only_if_that_does_no_harm(
    notes: dict[str, Any], times: int
) -> None:
    with serve_odd(tools=[tool("probe", annotations=notes)], answers={"tools/call": broken}) as odd:
        async with open_agents() as agents:
            message = await agents.call("probe", mcp_config=servers({"name": "Odd", "url": odd.url}))
    assert message.content == "the MCP server 'Odd' failed: the connection broke; the tool may have run"
    assert (message.status, len(calls(odd))) == ("error", times)


@pytest.mark.anyio
async def test_a_stream_that_ends_without_an_answer_ends_the_call() -> None:
    progress = {"method": "notifications/progress", "params": {"progressToken": 1, "progress": 1}}
    said = event({"jsonrpc": "2.0", **progress})
    with serve_odd(answers={"tools/call": lambda message: events(said, "data: {broken")}) as odd:
        async with open_agents() as agents:
            message = await agents.call("probe", mcp_config=servers({"name": "Odd", "url": odd.url}))
    assert message.content == "the MCP server 'Odd' failed: it ended its answer too early; the tool may have run"
    assert len(calls(odd)) == 1


@pytest.mark.anyio
async def test_an_answer_in_a_stream_is_an_answer() -> None:
    def answer(message: dict[str, Any]) -> Response:
        content = [{"type": "text", "text": "größer"}]
        return events(event({"jsonrpc": "2.0", "id": message["id"], "result": {"content": content}}))

    with serve_odd(answers={"tools/call": answer}) as odd:
        async with open_agents() as agents:
            assert (await agents.call("probe", mcp_config=servers({"url": odd.url}))).content == "größer"


@pytest.mark.anyio
@pytest.mark.parametrize("is_stream", [True, False])
async def test_calls_share_connections(is_stream: bool) -> None:
    def answer(message: dict[str, Any]) -> Response:
        said = {"jsonrpc": "2.0", "id": message["id"], "result": {"content": []}}
        return events(event(said)) if is_stream else JSONResponse(said)

    with serve_odd(answers={"tools/call": answer}) as odd:
        async with open_agents() as agents:
            for _ in range(10):
                await agents.call("probe", mcp_config=servers({"url": odd.url}))
        ports = {port for port, call in zip(odd.ports, odd.headers, strict=True) if "mcp-session-id" in call}
    assert len(ports) < 10


@pytest.mark.anyio
async def test_a_call_that_takes_too_long_is_called_off_and_the_session_goes_on() -> None:
    with serve_odd() as odd:
        odd.answers["tools/call"] = odd.hang
        async with open_agents(mcp_call_seconds=0.2) as agents:
            config = servers({"name": "Odd", "url": odd.url})
            message = await agents.call("probe", mcp_config=config)
            del odd.answers["tools/call"]
            await until(lambda: odd.count("notifications/cancelled") == 1)
            assert (await agents.call("probe", mcp_config=config)).status == "success"
        (call, _) = calls(odd)
        (off,) = [message for message in odd.seen if message["method"] == "notifications/cancelled"]
    assert message.content == "the MCP server 'Odd' failed: it was silent for too long; the tool may have run"
    assert (off["params"]["requestId"], odd.sessions) == (call["id"], 1)


@pytest.mark.anyio
async def test_a_cancelled_run_calls_its_call_off() -> None:
    with serve_odd() as odd:
        odd.answers["tools/call"] = odd.hang
        async with open_agents() as agents:
            run = asyncio.create_task(agents.call("probe", mcp_config=servers({"url": odd.url})))
            await until(lambda: odd.count("tools/call") == 1)
            run.cancel()
            with pytest.raises(asyncio.CancelledError):
                await run
            await until(lambda: odd.count("notifications/cancelled") == 1)


@pytest.mark.anyio
async def test_a_failing_call_ends_no_other_call_of_its_session() -> None:
    async def answer(message: dict[str, Any]) -> Response:
        if message["params"]["arguments"].get("fail"):
            return JSONResponse({"secret": "stack trace"}, 500)
        await odd.released.wait()
        return text(message, "at last")

    with serve_odd() as odd:
        odd.answers["tools/call"] = answer
        async with open_agents() as agents:
            config = servers({"name": "Odd", "url": odd.url})
            slow = asyncio.create_task(agents.call("probe", mcp_config=config))
            await until(lambda: odd.count("tools/call") == 1)
            failed = await agents.call("probe", '{"fail": true}', mcp_config=config)
            odd.served.call_soon(odd.released.set)
            message = await slow
    assert failed.content == "the MCP server 'Odd' failed: it answers HTTP 500; the tool may have run"
    assert (message.content, odd.sessions) == ("at last", 1)


@pytest.mark.anyio
async def test_idle_sessions_are_closed() -> None:
    with serve_odd() as odd:
        async with open_agents(mcp_idle_seconds=0.05) as agents:
            await agents.call("probe", mcp_config=servers({"url": odd.url}))
            await until(lambda: len(closed(odd)) == odd.sessions)
            assert agents.connections.pool.size == 0
            assert (await agents.call("probe", mcp_config=servers({"url": odd.url}))).status == "success"


@pytest.mark.anyio
async def test_only_so_many_sessions_are_kept_and_the_longest_unused_goes_first() -> None:
    with serve_odd() as odd:
        async with open_agents(mcp_sessions=2) as agents:
            for name in ("anna", "bjoern", "anna", "carla"):
                await agents.call("probe", mcp_config=servers({"url": odd.url}), **user(name))
            assert agents.connections.pool.size == 2
            await until(lambda: closed(odd) == ["s2"])
            await agents.call("probe", mcp_config=servers({"url": odd.url}), **user("anna"))
            assert odd.sessions == 3


@pytest.mark.anyio
async def test_sessions_in_use_may_be_more() -> None:
    async def answer(message: dict[str, Any]) -> Response:
        await odd.released.wait()
        return text(message, "at last")

    with serve_odd() as odd:
        odd.answers["tools/call"] = answer
        async with open_agents(mcp_sessions=1) as agents:
            config = servers({"url": odd.url})
            names = ("anna", "bjoern", "carla")
            runs = [asyncio.create_task(agents.call("probe", mcp_config=config, **user(name))) for name in names]
            await until(lambda: len(calls(odd)) == 3)
            odd.served.call_soon(odd.released.set)
            assert [(await run).content for run in runs] == ["at last"] * 3
            assert agents.connections.pool.size == 1
            await until(lambda: len(closed(odd)) == odd.sessions - 1)


@pytest.mark.anyio
async def test_a_call_that_is_under_way_at_the_end_is_answered() -> None:
    async def answer(message: dict[str, Any]) -> Response:
        await odd.released.wait()
        return text(message, "at last")

    with serve_odd() as odd:
        odd.answers["tools/call"] = answer
        async with open_agents() as agents:
            run = asyncio.create_task(agents.call("probe", mcp_config=servers({"url": odd.url})))
            await until(lambda: odd.count("tools/call") == 1)
        assert closed(odd) == []
        odd.served.call_soon(odd.released.set)
        assert (await run).content == "at last"
        assert closed(odd) == ["s1"]
        del odd.answers["tools/call"]
        assert (await agents.call("probe", mcp_config=servers({"url": odd.url}))).status == "success"
        assert closed(odd) == ["s1", "s2"]  # nothing is kept any more


def test_one_server_may_be_open_in_several_event_loops() -> None:
    async def once(config: dict[str, Any]) -> str:
        async with open_agents() as agents:
            first = await agents.call("probe", mcp_config=config)
            with pytest.raises(RuntimeError, match="no running event loop"):
                await asyncio.to_thread(agents.servers.connections)
            other = asyncio.to_thread(asyncio.run, agents.call("probe", mcp_config=config))
            return first.content + (await other).content

    with serve_odd() as odd:
        assert asyncio.run(once(servers({"url": odd.url}))) == "probe was called" * 2
        assert (odd.sessions, len(closed(odd))) == (3, 3)  # the other loop keeps none: to list, to call
