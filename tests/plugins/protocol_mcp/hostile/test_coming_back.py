"""Clients whose connection broke, or was let go, and who come back for the rest."""

import asyncio
import json
import logging
from typing import Any

import httpx
import pytest
from tests.plugins.protocol_mcp.hostile.conftest import Serve
from tests.plugins.protocol_mcp.raw import Raw, call, request, result
from tests.races.graphs import Gate

pytestmark = pytest.mark.anyio


class Events:
    """The events of a stream as they come."""

    def __init__(self, answer: httpx.Response) -> None:
        assert answer.headers["content-type"].startswith("text/event-stream"), answer.headers
        self._lines = answer.aiter_lines()
        self.last_id = ""

    async def next(self) -> dict[str, Any] | None:
        """The next message; None when the stream has ended."""
        async for line in self._lines:
            name, _, value = line.partition(":")
            if name == "id":
                self.last_id = value.strip()
            elif name == "data" and value.strip():
                message: dict[str, Any] = json.loads(value)
                return message
        return None

    async def until_id(self) -> str:
        """The id of the first event."""
        async for line in self._lines:
            if line.startswith("id:"):
                return line.removeprefix("id:").strip()
        raise AssertionError("the stream has no id")


async def test_the_rest_of_a_call_that_ended_meanwhile_is_read_and_the_stream_ends(
    http: httpx.AsyncClient, raw: Raw, session: str
) -> None:
    async with http.stream("POST", "/mcp", json=call("test_reconnection"), headers=raw.headers(session)) as first:
        let_go = await Events(first).until_id()
    await asyncio.sleep(0.2)  # the tool ends 0.05 s after it let its caller go
    async with asyncio.timeout(10):
        for _ in range(2):
            found = await read(http, raw, session, let_go)
            assert [message["id"] for message in found] == [1]


async def test_a_call_that_is_still_going_on_is_followed_to_its_end(
    http: httpx.AsyncClient, raw: Raw, session: str, gate: Gate
) -> None:
    async with http.stream("POST", "/mcp", json=call("gated"), headers=raw.headers(session)) as first:
        seen = await Events(first).until_id()
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        reading = [group.create_task(read(http, raw, session, seen)) for _ in range(2)]
        await asyncio.sleep(0.3)
        gate.opened.set()
    both = [task.result() for task in reading]
    assert all(found[-1]["result"]["structuredContent"]["steps"][0] == "before" for found in both)


async def test_a_session_that_works_for_a_client_who_will_come_back_is_not_the_first_to_go(
    serve: Serve, gate: Gate
) -> None:
    async with serve({"protocol_mcp": {"max_sessions": 2}}) as served, httpx.AsyncClient(base_url=served.url) as http:
        raw = Raw(http)
        session = await raw.open()
        async with http.stream("POST", "/mcp", json=call("gated"), headers=raw.headers(session)) as first:
            seen = await Events(first).until_id()
        await asyncio.wait_for(gate.reached.wait(), 20)
        idle = await raw.open()
        await raw.open()
        assert (await raw.post(request("ping"), idle)).status_code == 404
        gate.opened.set()
        async with asyncio.timeout(20):
            assert (await read(http, raw, session, seen))[-1]["id"] == 1


@pytest.mark.parametrize("event_id", ["0", "999", "-1", "x" * 1000, "1; drop", "²"])
async def test_an_event_that_never_was_gives_nothing(
    http: httpx.AsyncClient, raw: Raw, session: str, event_id: str
) -> None:
    async with asyncio.timeout(10):
        assert await read(http, raw, session, event_id) == []
    assert result(await raw.post(request("ping"), session)) == {}


async def test_what_is_kept_is_bounded(serve: Serve) -> None:
    settings = {"protocol_mcp": {"replay_mib": 0.0001}}
    async with serve(settings) as served, httpx.AsyncClient(base_url=served.url) as http:
        raw = Raw(http)
        session = await raw.open()
        async with http.stream("POST", "/mcp", json=call("test_reconnection"), headers=raw.headers(session)) as first:
            let_go = await Events(first).until_id()
        await asyncio.sleep(0.2)
        async with asyncio.timeout(10):
            assert await read(http, raw, session, let_go) == []


async def test_a_reader_that_stops_reading_holds_nobody_else_up(
    http: httpx.AsyncClient, raw: Raw, session: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with http.stream("GET", "/mcp", headers=raw.headers(session)) as first:
        assert first.status_code == 200
        async with http.stream("GET", "/mcp", headers=raw.headers(session)) as second:
            assert second.status_code == 409
        for _ in range(40):
            assert result(await asyncio.wait_for(raw.post(call("test_tool_with_logging"), session), 10))
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


async def read(http: httpx.AsyncClient, raw: Raw, session: str, last: str) -> list[dict[str, Any]]:
    """What follows on an event, until the stream ends."""
    found = []
    headers = {**raw.headers(session), "last-event-id": last}
    async with http.stream("GET", "/mcp", headers={k: v.encode() for k, v in headers.items()}) as answer:
        events = Events(answer)
        while (message := await events.next()) is not None:
            found.append(message)
    return found
