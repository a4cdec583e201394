"""Sessions: whose they are, when they end, and how many there may be."""

import asyncio
from typing import Any

import pytest
from tests.plugins.protocol_mcp.raw import INITIALIZE, SESSION, Raw, error, request, result
from tests.plugins.protocol_mcp.served.conftest import TOKENS, Client, Serve

pytestmark = pytest.mark.anyio

PING = request("ping")


async def is_open(client: Raw, session: str) -> bool:
    status = (await client.post(PING, session)).status_code
    assert status in (200, 404)
    return status == 200


async def test_a_session_lasts_until_its_client_ends_it(serve: Serve) -> None:
    async with serve() as client:
        session = await client.open()
        assert await is_open(client, session)
        assert (await client.delete(session)).status_code == 200
        gone = await client.post(PING, session)
        assert (gone.status_code, gone.json()) == (404, {"error": "Session not found"})
        assert (await client.delete(session)).status_code == 404
        assert (await client.http.get("/mcp", headers=client.headers(session))).status_code == 404


async def test_nobody_elses_session_can_be_used(serve: Serve) -> None:
    async with serve(**TOKENS) as client:
        ann, bob = client.as_user("ann"), client.as_user("bob")
        session = await ann.open()
        for answer in (
            await bob.post(PING, session),
            await bob.delete(session),
            await client.http.get("/mcp", headers=bob.headers(session)),
        ):
            assert (answer.status_code, answer.json()) == (404, {"error": "Session not found"})
        assert (await client.post(PING, session)).status_code == 401
        assert await is_open(ann, session)


async def test_requests_without_a_session_are_answered_beside_sessions(serve: Serve) -> None:
    async with serve() as client:
        answer = await client.post(PING)
        assert result(answer) == {}
        assert SESSION not in answer.headers
        assert (await client.http.get("/mcp", headers=client.headers())).status_code == 405
        assert (await client.http.delete("/mcp")).status_code == 404


async def test_an_idle_session_ends_and_a_used_one_does_not(serve: Serve) -> None:
    async with serve(mcp={"session_idle_seconds": 0.4}) as client:
        idle, used, listening = [await client.open() for _ in range(3)]
        async with client.http.stream("GET", "/mcp", headers=client.headers(listening)) as stream:
            assert stream.status_code == 200
            async with asyncio.timeout(20):
                while await is_open(client, used):
                    # Whether the idle one is there is not asked: that would be a use of it.
                    if count(client)["idle_ended"]:
                        break
                    await asyncio.sleep(0.05)
            assert await is_open(client, used)
            assert await is_open(client, listening)
            assert not await is_open(client, idle)


async def test_a_client_that_opens_a_thousand_sessions_and_leaves_keeps_its_share_only(serve: Serve) -> None:
    async with serve(mcp={"max_sessions": 60, "max_sessions_per_caller": 40}, **TOKENS) as client:
        ann, bob = client.as_user("ann"), client.as_user("bob")
        kept = await bob.open()
        headers = ann.headers()
        for _ in range(100):
            answers = [client.http.post("/mcp", json=INITIALIZE, headers=headers) for _ in range(10)]
            assert {answer.status_code for answer in await asyncio.gather(*answers)} == {200}
        assert count(client) == {"open": 41, "opened": 1001, "idle_ended": 0, "displaced": 960}
        assert await is_open(bob, kept)
        newest = await ann.open()
        assert await is_open(ann, newest)


async def test_the_session_that_is_idle_longest_makes_room(serve: Serve) -> None:
    async with serve(mcp={"max_sessions": 2}) as client:
        first, second = await client.open(), await client.open()
        assert await is_open(client, first)
        third = await client.open()
        assert not await is_open(client, second)
        assert await is_open(client, first)
        assert await is_open(client, third)


async def test_where_every_session_is_in_use_a_new_one_waits(serve: Serve) -> None:
    async with serve(mcp={"max_sessions": 1}) as client:
        session = await client.open()
        async with client.http.stream("GET", "/mcp", headers=client.headers(session)) as stream:
            assert stream.status_code == 200
            refused = await client.post(INITIALIZE)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")


async def test_a_start_that_fails_leaves_no_session(serve: Serve) -> None:
    async with serve() as client:
        wrong = request("initialize", {"protocolVersion": 5})
        assert error(await client.post(wrong))["code"] == -32602
        assert count(client)["open"] == 0


async def test_without_sessions_every_request_stands_alone(serve: Serve) -> None:
    async with serve(mcp={"sessions": "stateless"}) as client:
        begun = await client.post(INITIALIZE)
        assert result(begun)["serverInfo"]["name"] == "Longline"
        assert SESSION not in begun.headers
        assert result(await client.post(PING, "of-another-server")) == {}
        headers = client.headers("of-another-server")
        assert (await client.http.get("/mcp", headers=headers)).status_code == 405
        assert (await client.http.delete("/mcp", headers=headers)).status_code == 404


async def test_sessions_end_with_the_server(serve: Serve) -> None:
    async with serve() as client:
        session = await client.open()
        async with client.http.stream("GET", "/mcp", headers=client.headers(session)) as stream:
            assert stream.status_code == 200
    async with serve() as client:
        assert not await is_open(client, session)


async def test_tokens_are_looked_at_with_every_request(serve: Serve) -> None:
    async with serve(**TOKENS) as client:
        session = await client.as_user("ann").open()
        for headers in ({}, {"authorization": "Bearer token-of-ann-which-is-old"}):
            assert (await Raw(client.http, headers).post(PING, session)).status_code == 401


def count(client: Client) -> dict[str, int]:
    """How many sessions there are and were, as operators see it."""
    told: Any = client.served.server.describe()["mcp"]["sessions"]
    return told
