"""Sessions of others, sessions without end, and what is left of those that nobody uses."""

import asyncio
import gc
import logging
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
from tests.plugins.protocol_langgraph.test_custom_auth import AUTH
from tests.plugins.protocol_mcp.hostile.conftest import Serve
from tests.plugins.protocol_mcp.raw import INITIALIZE, SESSION, Raw, call, request, result
from tests.races.graphs import Gate

from longline.models.runs import RunStatus
from longline_protocol_mcp.sdk.sessions import Session
from longline_protocol_mcp.sdk.transport import Transport

pytestmark = pytest.mark.anyio

RENEWED = '\nUSERS["ann-renewed-token"] = {**USERS["ann-token"], "api_token": "renewed"}\n'
PING = request("ping")


def bearer(token: str) -> Mapping[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.fixture
def guarded(tmp_path: Path) -> dict[str, dict[str, object]]:
    """Settings of a server that knows ann, with two tokens, and bob."""
    (tmp_path / "auth.py").write_text(AUTH + RENEWED)
    return {"protocol_langgraph": {"auth": {"path": f"{tmp_path}/auth.py:auth"}}}


async def test_a_session_is_only_there_for_who_opened_it(serve: Serve, guarded: dict[str, dict[str, object]]) -> None:
    async with serve(guarded) as served, httpx.AsyncClient(base_url=served.url) as http:
        ann, bob = Raw(http, bearer("ann-token")), Raw(http, bearer("bob-token"))
        session = await ann.open()
        missing = await bob.post(PING, "0" * 32)
        assert missing.status_code == 404
        for answer in (
            await bob.post(PING, session),
            await bob.post(request("initialize", {}), session),
            await bob.delete(session),
            await http.get("/mcp", headers=bob.headers(session)),
            await http.get("/mcp", headers={**bob.headers(session), "last-event-id": "1"}),
        ):
            assert (answer.status_code, answer.content) == (404, missing.content)
            assert SESSION not in answer.headers
        assert (await http.post("/mcp", json=PING, headers={SESSION: session})).status_code == 401
        assert result(await ann.post(PING, session)) == {}


async def test_a_renewed_token_of_the_same_user_keeps_the_session(
    serve: Serve, guarded: dict[str, dict[str, object]]
) -> None:
    async with serve(guarded) as served, httpx.AsyncClient(base_url=served.url) as http:
        session = await Raw(http, bearer("ann-token")).open()
        later = Raw(http, bearer("ann-renewed-token"))
        assert result(await later.post(call("count", {"x": 1}), session))["structuredContent"]["x"] == 2


@pytest.mark.slow
async def test_a_thousand_sessions_that_are_left_are_ended_and_nothing_stays_of_them(serve: Serve) -> None:
    settings = {"protocol_mcp": {"session_idle_seconds": 1.5, "replay_seconds": 1}}
    async with serve(settings) as served, httpx.AsyncClient(base_url=served.url, timeout=60) as http:
        raw = Raw(http)
        await raw.open()
        opened = [await raw.open() for _ in range(1000)]
        assert len(set(opened)) == 1000
        async with asyncio.timeout(60):
            while left(Session) or left(Transport) or session_tasks():  # garbage has no event
                await asyncio.sleep(0.2)
        assert (await raw.post(PING, opened[-1])).status_code == 404
        assert result(await raw.post(PING, await raw.open())) == {}


async def test_more_sessions_than_there_may_be_end_the_one_that_is_idle_longest(serve: Serve) -> None:
    async with serve({"protocol_mcp": {"max_sessions": 5}}) as served, httpx.AsyncClient(base_url=served.url) as http:
        raw = Raw(http)
        first, *others = [await raw.open() for _ in range(5)]
        assert result(await raw.post(PING, first)) == {}
        newest = await raw.open()
        assert [(await raw.post(PING, one)).status_code for one in (first, *others, newest)] == [
            200, 404, 200, 200, 200, 200,
        ]  # fmt: skip


async def test_the_bound_holds_when_many_are_opened_at_once(serve: Serve) -> None:
    async with serve({"protocol_mcp": {"max_sessions": 5}}) as served, httpx.AsyncClient(base_url=served.url) as http:
        raw = Raw(http)
        answers = [await asyncio.gather(*(raw.post(INITIALIZE) for _ in range(12))) for _ in range(3)]
        opened = [answer.headers[SESSION] for burst in answers for answer in burst if answer.status_code == 200]
        assert len(opened) >= 5
        assert [(await raw.post(PING, one)).status_code for one in opened].count(200) <= 5


async def test_a_session_whose_client_listens_is_not_idle_and_a_new_one_is_refused(serve: Serve) -> None:
    async with serve({"protocol_mcp": {"max_sessions": 1}}) as served, httpx.AsyncClient(base_url=served.url) as http:
        raw = Raw(http)
        session = await raw.open()
        async with http.stream("GET", "/mcp", headers=raw.headers(session)) as stream:
            assert stream.status_code == 200
            assert (await raw.post(INITIALIZE)).status_code == 503
            assert result(await raw.post(PING, session)) == {}


async def test_a_session_that_is_ended_while_its_client_listens_leaves_no_error_in_the_log(
    http: httpx.AsyncClient, raw: Raw, session: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with http.stream("GET", "/mcp", headers=raw.headers(session)) as stream:
        assert (await raw.delete(session)).status_code == 200
        async with asyncio.timeout(10):
            assert [line async for line in stream.aiter_lines() if line.startswith("data")] == []
    assert (await raw.post(PING, session)).status_code == 404
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("how", ["cancelled", "deleted"])
async def test_a_call_that_is_given_up_leaves_no_run(
    how: str, serve: Serve, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve() as served, httpx.AsyncClient(base_url=served.url, timeout=30) as http:
        raw = Raw(http)
        session = await raw.open()
        calling = asyncio.create_task(raw.post(call("gated", request_id=5), session))
        await asyncio.wait_for(gate.reached.wait(), 10)
        if how == "cancelled":
            told = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 5}}
            assert (await raw.post(told, session)).status_code == 202
        else:
            assert (await raw.delete(session)).status_code == 200
        await asyncio.wait_for(calling, 10)
        assert await ended_run(http) == RunStatus.INTERRUPTED
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_client_that_leaves_without_a_session_leaves_no_run(serve: Serve, gate: Gate) -> None:
    async with serve({"protocol_mcp": {"sessions": "stateless"}}) as served:
        async with httpx.AsyncClient(base_url=served.url) as leaving:
            calling = asyncio.create_task(Raw(leaving).post(call("gated")))
            await asyncio.wait_for(gate.reached.wait(), 10)
            calling.cancel()
            await asyncio.wait({calling})
        async with httpx.AsyncClient(base_url=served.url) as http:
            assert await ended_run(http) == RunStatus.INTERRUPTED


async def ended_run(http: httpx.AsyncClient) -> str:
    """How the only run of the server ended."""
    async with asyncio.timeout(20):
        while True:
            [thread] = (await http.post("/threads/search", json={})).json()
            [run] = (await http.get(f"/threads/{thread['thread_id']}/runs")).json()
            if run["status"] not in ("pending", "running"):
                return str(run["status"])
            await asyncio.sleep(0.05)


def left(kind: type) -> int:
    gc.collect()
    return sum(1 for one in gc.get_objects() if isinstance(one, kind))


def session_tasks() -> int:
    return sum(task.get_name() == "mcp session" for task in asyncio.all_tasks())
