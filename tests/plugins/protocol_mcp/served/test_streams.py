"""The form of answers, and streams that a client loses and comes back to."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import httpx
import pytest
from tests.plugins.protocol_mcp.raw import Raw, call, messages, request, result
from tests.plugins.protocol_mcp.served.conftest import Client, Serve

from longline.models.json import JsonObject
from longline.tools.content import ToolAnswer
from longline.tools.tool import Tool, ToolContext

pytestmark = pytest.mark.anyio


@dataclass
class Slow:
    """A tool that lets the test say when it goes on."""

    released: bool = False
    started: asyncio.Event = field(default_factory=asyncio.Event)
    may_end: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, arguments: JsonObject, context: ToolContext) -> ToolAnswer:
        await context.caller.log("info", "started")
        if self.released:
            await context.caller.release()
        self.started.set()
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        await context.caller.log("info", "ending")
        return "at last"

    @property
    def tool(self) -> Tool:
        return tool("slow", self.run)


def tool(name: str, run: Callable[[JsonObject, ToolContext], Awaitable[ToolAnswer]]) -> Tool:
    return Tool(name=name, description=f"The tool {name}.", schema={"type": "object"}, run=run)


async def events(stream: httpx.Response) -> AsyncIterator[tuple[str, str]]:
    """The id and the data of each event."""
    event_id = ""
    async for line in stream.aiter_lines():
        if line.startswith("id:"):
            event_id = line.removeprefix("id:").strip()
        if line.startswith("data:"):
            yield event_id, line.removeprefix("data:").strip()


async def first_log(stream: httpx.Response) -> str:
    """The id of the event that says that the tool has started."""
    async for event_id, data in events(stream):
        if data and json.loads(data).get("method") == "notifications/message":
            return event_id
    raise AssertionError("the stream ended")


async def rest_after(client: Client, session: str, event_id: str) -> list[dict[str, object]]:
    """What a client that comes back reads until its answer."""
    headers = {**client.headers(session), "last-event-id": event_id}
    found = []
    async with client.http.stream("GET", "/mcp", headers=headers) as stream:
        assert stream.status_code == 200
        async for _, data in events(stream):
            if data:
                found.append(json.loads(data))
                if "result" in found[-1]:
                    break
    return found


async def test_an_answer_that_comes_at_once_is_json_and_one_with_news_is_a_stream(serve: Serve) -> None:
    async def quick(arguments: JsonObject, context: ToolContext) -> ToolAnswer:
        return "done"

    async def chatty(arguments: JsonObject, context: ToolContext) -> ToolAnswer:
        await context.caller.log("warning", {"a": 1}, "chat")
        return "done"

    async with serve(tools=[tool("quick", quick), tool("chatty", chatty)]) as client:
        for session in (await client.open(), None):
            answer = await client.post(call("quick"), session)
            assert answer.headers["content-type"] == "application/json"
            assert result(answer)["content"][0]["text"] == "done"
            told = await client.post(call("chatty"), session)
            assert told.headers["content-type"].startswith("text/event-stream")
            news, final = messages(told)
            assert news["params"] == {"level": "warning", "data": {"a": 1}, "logger": "chat"}
            assert final["result"]["content"][0]["text"] == "done"


async def test_a_client_that_reads_no_streams_gets_the_answer_alone(serve: Serve) -> None:
    slow = Slow()
    async with serve(tools=[slow.tool]) as client:
        session = await client.open()
        asked = asyncio.create_task(client.post(call("slow"), session, accept="application/json"))
        await asyncio.wait_for(slow.started.wait(), 10)
        slow.may_end.set()
        answer = await asked
        assert answer.headers["content-type"] == "application/json"
        assert answer.json()["result"]["content"][0]["text"] == "at last"


async def test_who_loses_the_connection_reads_the_rest_on_another(serve: Serve) -> None:
    slow = Slow()
    async with serve(tools=[slow.tool]) as client:
        session = await client.open()
        headers = client.headers(session)
        async with client.http.stream("POST", "/mcp", json=call("slow"), headers=headers) as stream:
            last = await first_log(stream)
        coming_back = asyncio.create_task(rest_after(client, session, last))
        slow.may_end.set()
        ending, answer = await asyncio.wait_for(coming_back, 10)
        assert ending["params"] == {"level": "info", "data": "ending"}
        assert answer["result"]["content"][0]["text"] == "at last"
        assert [*(await rest_after(client, session, last))] == [ending, answer]


async def test_nobody_elses_stream_is_read_by_its_id(serve: Serve) -> None:
    slow = Slow()
    async with serve(tools=[slow.tool]) as client:
        mine, other = await client.open(), await client.open()
        async with client.http.stream("POST", "/mcp", json=call("slow"), headers=client.headers(mine)) as stream:
            last = await first_log(stream)
        slow.may_end.set()
        await rest_after(client, mine, last)
        headers = {**client.headers(other), "last-event-id": last}
        async with client.http.stream("GET", "/mcp", headers=headers) as stream:
            assert [data async for _, data in events(stream) if data] == []


async def test_a_released_connection_ends_and_the_answer_waits(serve: Serve) -> None:
    slow = Slow(released=True)
    async with serve(tools=[slow.tool], mcp={"retry_seconds": 0.05}) as client:
        session = await client.open()
        answer = await client.post(call("slow"), session)
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "retry: 50" in answer.text
        assert "result" not in answer.text
        last = [line.removeprefix("id:").strip() for line in answer.text.splitlines() if line.startswith("id:")][-1]
        slow.may_end.set()
        assert (await rest_after(client, session, last))[-1]["result"]["content"][0]["text"] == "at last"


async def test_a_cancelled_call_is_cancelled_where_it_stands(serve: Serve) -> None:
    slow = Slow()
    async with serve(tools=[slow.tool]) as client:
        session = await client.open()
        asked = asyncio.create_task(client.post(call("slow", request_id="c"), session))
        await asyncio.wait_for(slow.started.wait(), 10)
        cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "c"}}
        assert (await client.post(cancel, session)).status_code == 202
        await asyncio.wait_for(slow.cancelled.wait(), 10)
        await asyncio.wait_for(asked, 10)
        assert result(await client.post(request("ping"), session)) == {}


async def test_without_a_session_who_leaves_cancels(serve: Serve) -> None:
    slow = Slow()
    async with serve(tools=[slow.tool]) as client:
        async with client.http.stream("POST", "/mcp", json=call("slow"), headers=client.headers()) as stream:
            await first_log(stream)
        await asyncio.wait_for(slow.cancelled.wait(), 10)


async def test_what_ends_a_session_cancels_its_calls(serve: Serve) -> None:
    slow = Slow()
    async with serve(tools=[slow.tool]) as client:
        session = await client.open()
        async with client.http.stream("POST", "/mcp", json=call("slow"), headers=client.headers(session)) as stream:
            await first_log(stream)
            assert (await Raw(client.http).delete(session)).status_code == 200
        await asyncio.wait_for(slow.cancelled.wait(), 10)
