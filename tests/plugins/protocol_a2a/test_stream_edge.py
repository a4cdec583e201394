"""Streams that live through silence, and end with their client, their server, or a client that does not read."""

import asyncio
import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph
from tests.plugins.protocol_a2a.edge import NEW, call, message, serve_agents
from tests.plugins.protocol_langgraph.served import Served
from tests.races.graphs import Gate

from longline.asgi.types import Message
from longline_protocol_a2a.beating import HEARTBEAT, Pulse, StalledClientError

pytestmark = pytest.mark.anyio
START_OF_STREAM: Message = {
    "type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")],
}  # fmt: skip
NEW_MESSAGE = {"messageId": "m1", "role": "ROLE_USER", "parts": [{"text": "hi"}]}


def chunk(data: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}


class Line:
    """A client's connection: what came through, and whether anything does."""

    def __init__(self) -> None:
        self.came: list[bytes] = []
        self.flows = asyncio.Event()
        self.flows.set()
        self.beats = asyncio.Semaphore(0)

    async def send(self, sent: Message) -> None:
        await self.flows.wait()
        self.came.append(sent.get("body", b"start"))
        if sent.get("body") == HEARTBEAT:
            self.beats.release()


async def test_silence_is_filled_and_frames_are_not() -> None:
    line = Line()
    async with Pulse(line.send, heartbeat_seconds=0.01, stalled_seconds=5) as pulse:
        await pulse.send(START_OF_STREAM)
        for _ in range(3):
            await line.beats.acquire()
        await pulse.send(chunk(b"data: 1\r\n\r\n"))
        await line.beats.acquire()
        await pulse.send(chunk(b"", more=False))
        count = len(line.came)
        await asyncio.sleep(0.05)
    assert len(line.came) == count
    assert line.came[0] == b"start"
    assert set(line.came[1:]) == {HEARTBEAT, b"data: 1\r\n\r\n", b""}


async def test_answers_that_are_no_streams_have_no_heartbeat() -> None:
    line = Line()
    async with Pulse(line.send, heartbeat_seconds=0.001, stalled_seconds=5) as pulse:
        await pulse.send({**START_OF_STREAM, "headers": [(b"content-type", b"application/json")]})
        await asyncio.sleep(0.02)
        await pulse.send(chunk(b"{}", more=False))
    assert line.came == [b"start", b"{}"]


@pytest.mark.parametrize("by", ["frame", "heartbeat"])
async def test_a_client_that_does_not_read_is_left(by: str) -> None:
    line = Line()

    async def answer() -> None:
        async with Pulse(line.send, heartbeat_seconds=0.01, stalled_seconds=0.05) as pulse:
            await pulse.send(START_OF_STREAM)
            line.flows.clear()
            if by == "frame":
                await pulse.send(chunk(b"data: 1\r\n\r\n"))
            await asyncio.Event().wait()

    with pytest.raises(StalledClientError):
        await answer()
    assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]  # a test is a task


async def test_who_cancels_an_answer_is_obeyed() -> None:
    line = Line()

    async def answer() -> None:
        async with Pulse(line.send, heartbeat_seconds=0.01, stalled_seconds=5) as pulse:
            await pulse.send(START_OF_STREAM)
            await asyncio.Event().wait()

    answering = asyncio.create_task(answer())
    await line.beats.acquire()
    answering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answering


def waiting(gate: Gate) -> object:
    """A graph that answers when the test says go."""

    async def answer(state: MessagesState) -> dict[str, Any]:
        gate.reached.set()
        await gate.opened.wait()
        return {"messages": [AIMessage("gone")]}

    return StateGraph(MessagesState).add_node("answer", answer).add_edge(START, "answer").compile()


WAYS = {
    "rpc-1.0": ("/a2a/wait", call("SendStreamingMessage", {"message": NEW_MESSAGE}), NEW),
    "rpc-0.3": ("/a2a/wait", call("message/stream", {"message": message()}), {}),
    "rest-1.0": ("/a2a/wait/message:stream", {"message": NEW_MESSAGE}, NEW),
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_stream_beats_while_its_graph_works(tmp_path: Path, way: str) -> None:
    gate, beats, events = Gate(), 0, []
    place, body, headers = WAYS[way]
    async with serve_agents(tmp_path, {"heartbeat_seconds": 0.05}, graphs={"wait": waiting(gate)}) as (_, http):
        async with asyncio.timeout(30), http.stream("POST", place, json=body, headers=headers) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert answer.headers["x-accel-buffering"] == "no"
            assert answer.headers["cache-control"] == "no-store"
            async for line in answer.aiter_lines():
                beats += line == ": heartbeat"
                if line.startswith("data: "):
                    events.append(json.loads(line.removeprefix("data: ")))
                if beats == 3:
                    gate.opened.set()
        assert beats >= 3
        assert "gone" in json.dumps(events)
        assert "ompleted" in json.dumps(events[-1]) or "COMPLETED" in json.dumps(events[-1])


async def test_a_client_that_leaves_does_not_stop_the_task(tmp_path: Path) -> None:
    gate = Gate()
    place, body, headers = WAYS["rest-1.0"]
    async with serve_agents(tmp_path, graphs={"wait": waiting(gate)}) as (_, http), asyncio.timeout(30):
        async with http.stream("POST", place, json=body, headers=headers) as answer:
            first = await anext(line async for line in answer.aiter_lines() if line.startswith("data: "))
            await gate.reached.wait()
        task_id = json.loads(first.removeprefix("data: "))["task"]["id"]
        gate.opened.set()
        while (await task_of(http, task_id))["status"]["state"] != "TASK_STATE_COMPLETED":
            await asyncio.sleep(0.05)


async def task_of(http: httpx.AsyncClient, task_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await http.get(f"/a2a/wait/tasks/{task_id}", headers=NEW)).raise_for_status().json()
    return found


async def test_a_stream_ends_with_its_server_and_goes_on_at_the_next(tmp_path: Path) -> None:
    gate, graphs = Gate(), {}
    place, body, headers = WAYS["rest-1.0"]
    graphs["wait"] = waiting(gate)
    seen: list[str] = []

    async def read(http: httpx.AsyncClient) -> None:
        async with http.stream("POST", place, json=body, headers=headers) as answer:
            async for line in answer.aiter_lines():
                seen.append(line)  # noqa: PERF401  # who waits for the first must see it

    async with asyncio.timeout(60):
        async with serve_agents(tmp_path, graphs=graphs) as (served, _), httpx.AsyncClient(base_url=served.url) as http:
            reading = asyncio.create_task(read(http))
            await gate.reached.wait()
            while not seen:
                await asyncio.sleep(0.01)
            leaving = asyncio.create_task(asyncio.wait({reading}))
        await leaving
        with pytest.raises(httpx.HTTPError):  # not a proper end: the client knows that something is missing
            await reading
        task_id = json.loads(seen[0].removeprefix("data: "))["task"]["id"]
        gate.opened.set()
        async with serve_agents(tmp_path, graphs=graphs) as (_, http):
            events: list[str] = []
            async with http.stream("POST", f"/a2a/wait/tasks/{task_id}:subscribe", headers=NEW) as answer:
                if answer.status_code == 200:
                    events = [line async for line in answer.aiter_lines() if line.startswith("data: ")]
            assert (await task_of(http, task_id))["status"]["state"] == "TASK_STATE_COMPLETED"
            assert not events or "TASK_STATE_COMPLETED" in events[-1]


async def test_a_slow_reader_is_hung_up_on_and_nobody_else_waits(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def talk(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage("x" * 3_000_000)]}

    graph = StateGraph(MessagesState).add_node("talk", talk).add_edge(START, "talk").compile()
    settings = {"stalled_seconds": 0.3, "heartbeat_seconds": 0.1}
    caplog.set_level("INFO", "longline_protocol_a2a.app")
    async with serve_agents(tmp_path, settings, graphs={"talk": graph}) as (served, http), asyncio.timeout(60):
        with not_reading(served, "/a2a/talk/message:stream", {"message": NEW_MESSAGE}):
            while "stalled client left" not in caplog.messages:
                assert (await http.get("/a2a/talk")).status_code == 200
                await asyncio.sleep(0.05)


def not_reading(served: Served, path: str, body: object) -> socket.socket:
    """A client with a small buffer that has asked for a stream."""
    address, data = urlsplit(served.url), json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\na2a-version: 1.0\r\n"
        f"content-length: {len(data)}\r\n\r\n"
    )
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect((address.hostname, address.port))
    client.sendall(head.encode() + data)
    return client
