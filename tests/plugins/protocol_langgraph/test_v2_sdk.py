"""The SDK's thread streams against a served server: both clients, both transports, connections that break."""

import asyncio
from typing import Any, Literal

import httpx
import pytest
from langgraph_sdk import get_client, get_sync_client
from tests.plugins.protocol_langgraph.conftest import Serve
from tests.plugins.protocol_langgraph.cutting import cutting
from tests.plugins.protocol_langgraph.graphs import ANSWER, nested
from tests.plugins.protocol_langgraph.served import Served

pytestmark = pytest.mark.anyio

Transport = Literal["sse", "websocket"]
TRANSPORTS: list[Transport] = ["sse", "websocket"]
HI: Any = {"messages": [{"role": "user", "content": "hi"}]}
LIMIT = 20
EVERY_MODE = {"protocol_langgraph": {"thread_run_modes": ["updates", "tasks", "tools", "custom"]}}


def is_completed(event: Any) -> bool:
    return (
        event["method"] == "lifecycle"
        and event["params"]["data"]["event"] == "completed"
        and not event["params"]["namespace"]
    )


async def texts_of(thread: Any) -> list[str]:
    """What the model said in one run. The SDK feeds a message while the next is asked for."""
    messages = [message async for message in thread.messages]
    return [await message.text for message in messages]


async def logs_until_asked(thread: Any) -> list[list[str]]:
    """The log as it grew until a person is asked. In one stream: what `thread.values` yields ends as soon as the SDK
    has read the question from a stream of its own, whether the values before it were read from theirs or not."""
    logs = []
    async for event in thread.events:
        if event.get("method") == "input.requested":
            break
        if event.get("method") == "values":
            logs.append(event["params"]["data"]["log"])
    return logs


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_async_client_streams_a_run_it_starts(served: Served, transport: Transport) -> None:
    async with (
        asyncio.timeout(LIMIT),
        get_client(url=served.url) as client,
        client.threads.stream(assistant_id="chat", transport=transport) as thread,
    ):
        started = await thread.run.start(input=HI)
        assert await texts_of(thread) == [ANSWER]
        output = await thread.output
        assert output["messages"][-1]["content"] == ANSWER
        runs = await client.runs.list(thread.thread_id)
        assert [run["run_id"] for run in runs] == [started["run_id"]]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_one_session_after_the_other_on_one_thread_gets_its_own_run(served: Served, transport: Transport) -> None:
    """What a session before it has heard is not told again: it would end the next one's streams at once."""
    async with asyncio.timeout(LIMIT), get_client(url=served.url) as client:
        thread_id = (await client.threads.create())["thread_id"]
        for turn in range(1, 4):
            async with client.threads.stream(thread_id, assistant_id="chat", transport=transport) as thread:
                await thread.run.start(input=HI)
                assert await texts_of(thread) == [ANSWER]
                assert len((await thread.output)["messages"]) == 2 * turn


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_an_interrupt_is_answered_and_the_run_goes_on(served: Served, transport: Transport) -> None:
    async with (
        asyncio.timeout(LIMIT),
        get_client(url=served.url) as client,
        client.threads.stream(assistant_id="ask", transport=transport) as thread,
    ):
        await thread.run.start(input={"topic": "fish"})
        assert await logs_until_asked(thread) == [[], ["prepared"]]
        async for _ in thread.values:  # ends, or goes on, when the SDK's other stream has brought the question
            if thread.interrupted:
                break
        (asked,) = thread.interrupts
        assert asked["value"] == {"question": "fish"}
        await thread.run.respond("yes")
        output = await thread.output
        assert (output["answer"], output["log"]) == ("yes", ["prepared", "asked", "finished"])


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_failure_reaches_who_awaits_the_output(served: Served, transport: Transport) -> None:
    async with (
        asyncio.timeout(LIMIT),
        get_client(url=served.url) as client,
        client.threads.stream(assistant_id="fail", transport=transport) as thread,
    ):
        await thread.run.start(input={"x": 1})
        with pytest.raises(RuntimeError, match="boom"):
            await thread.output


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_every_channel_of_a_graph_with_a_subgraph_is_there(serve: Serve, transport: Transport) -> None:
    async with (
        asyncio.timeout(LIMIT),
        serve({"nested": nested()}, EVERY_MODE) as served,
        get_client(url=served.url) as client,
        client.threads.stream(assistant_id="nested", transport=transport) as thread,
    ):
        await thread.run.start(input={"value": "v"})
        found = []
        async for event in thread.events:
            if event["type"] != "event":  # over a WebSocket the SDK passes on the answer to its subscription, too
                continue
            found.append(event)
            if is_completed(event):
                break
        methods = {event["method"] for event in found}
        assert {"values", "updates", "tasks", "custom", "lifecycle"} <= methods
        assert [event["seq"] for event in found] == sorted({event["seq"] for event in found})
        assert any(event["params"]["namespace"] for event in found)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_sync_client_streams_a_run_it_starts(served: Served, transport: Transport) -> None:
    def play() -> tuple[list[str], Any]:
        with (
            get_sync_client(url=served.url) as client,
            client.threads.stream(assistant_id="chat", transport=transport) as thread,
        ):
            thread.run.start(input=HI)
            messages = list(thread.messages)
            return [str(message.text) for message in messages], thread.output

    async with asyncio.timeout(LIMIT):
        texts, output = await asyncio.to_thread(play)
    assert texts == [ANSWER]
    assert output["messages"][-1]["content"] == ANSWER


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_connection_that_breaks_in_mid_stream_loses_and_repeats_nothing(
    served: Served, transport: Transport
) -> None:
    async with (
        asyncio.timeout(LIMIT),
        cutting(served.url, after_bytes=2000 if transport == "sse" else 1000) as cutter,
        get_client(url=cutter.url) as client,
        client.threads.stream(assistant_id="chat", transport=transport) as thread,
    ):
        await thread.run.start(input=HI)
        found = []
        async for event in thread.subscribe(["values", "messages", "lifecycle"]):
            found.append(event)
            if is_completed(event):
                break
        assert cutter.cut_count == 1
        seqs = [event["seq"] for event in found]
        assert seqs == sorted(set(seqs))
        data = [event["params"]["data"] for event in found]
        pieces = [said["delta"]["text"] for said in data if said.get("event") == "content-block-delta"]
        assert "".join(pieces) == ANSWER


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_sync_client_survives_a_connection_that_breaks_too(served: Served, transport: Transport) -> None:
    def play(url: str) -> list[str]:
        with (
            get_sync_client(url=url) as client,
            client.threads.stream(assistant_id="chat", transport=transport) as thread,
        ):
            thread.run.start(input=HI)
            messages = list(thread.messages)
            return [str(message.text) for message in messages]

    async with asyncio.timeout(LIMIT), cutting(served.url, after_bytes=2000 if transport == "sse" else 1000) as cutter:
        assert await asyncio.to_thread(play, cutter.url) == [ANSWER]
        assert cutter.cut_count == 1


async def test_a_thread_that_is_joined_is_followed_over_a_broken_connection(served: Served) -> None:
    """join_stream is the stream of the first protocol: the client goes on from the last id that it has got."""
    async with asyncio.timeout(LIMIT), get_client(url=served.url) as direct:
        thread_id = (await direct.threads.create())["thread_id"]
        run: Any = {"input": HI, "stream_mode": ["messages-tuple", "values"], "stream_resumable": True}
        for _ in range(2):
            async for _ in direct.runs.stream(thread_id, "chat", **run):
                pass
        whole = await parts_of(direct, thread_id, last_event_id="-1", runs=2)
        async with cutting(served.url, after_bytes=3000) as cutter, get_client(url=cutter.url) as client:
            found: list[Any] = []
            while sum(map(is_run_done, found)) < 2:
                last = found[-1].id if found else "-1"
                try:
                    async for part in await client.threads.join_stream(thread_id, last_event_id=last):
                        found.append(part)
                        if sum(map(is_run_done, found)) == 2:
                            break
                except httpx.HTTPError:
                    continue
            assert cutter.cut_count == 1
        assert [(part.id, part.event, part.data) for part in found] == whole
        assert len({name for name, _, _ in whole}) == len(whole)


def is_run_done(part: Any) -> bool:
    return bool(part.event == "metadata" and part.data.get("status") == "run_done")


async def parts_of(client: Any, thread_id: str, *, last_event_id: str, runs: int) -> list[Any]:
    found = []
    async for part in await client.threads.join_stream(thread_id, last_event_id=last_event_id):
        found.append((part.id, part.event, part.data))
        runs -= is_run_done(part)
        if not runs:
            break
    return found
