"""Clients that stop reading: what waits for them is bounded, and nobody else waits."""

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypedDict
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
from langgraph.graph import END, START, StateGraph
from tests.plugins.protocol_langgraph.conftest import Serve
from tests.plugins.protocol_langgraph.served import Served

from longline.events import hub

pytestmark = pytest.mark.anyio

LIMIT = 60
EVENTS, LETTERS = 1_500, 6_000
BOUND = 1_000_000
"""Bytes that may wait for a reader here, far below what the run says."""


class _State(TypedDict, total=False):
    done: bool


def talkative() -> object:
    """A graph that says a lot."""

    async def talk(state: _State) -> _State:
        from langgraph.config import get_stream_writer

        write = get_stream_writer()
        for number in range(EVENTS):
            write({"number": number, "text": "x" * LETTERS})
            await asyncio.sleep(0.001)
        return {"done": True}

    return StateGraph(_State).add_node("talk", talk).add_edge(START, "talk").add_edge("talk", END).compile()


@contextmanager
def not_reading(served: Served, request: bytes) -> Iterator[socket.socket]:
    """A client with a small buffer that has asked for a stream."""
    address = urlsplit(served.url)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((address.hostname, address.port))
        client.sendall(request)
        client.setblocking(False)
        yield client


def asked(method: str, path: str, body: object = None) -> bytes:
    data = b"" if body is None else json.dumps(body).encode()
    head = (
        f"{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


async def numbers(http: httpx.AsyncClient, thread_id: str) -> list[int]:
    """What a client that reads is told."""
    found: list[int] = []
    body = {"channels": ["custom", "lifecycle"]}
    async with http.stream("POST", f"/threads/{thread_id}/stream/events", json=body) as response:
        async for line in response.aiter_lines():
            if line.startswith("data: "):
                told = json.loads(line.removeprefix("data: "))["params"]["data"]
                if "number" in told:
                    found.append(told["number"])
                elif told["event"] == "completed":
                    return found
    raise AssertionError("the stream ended")


class Backlogs:
    """The most that waited for any reader of a thread, and the largest that came at once, in bytes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.most = self.at_once = 0
        self.have_overflowed = False
        put = hub.ThreadLiveReader.put

        def watched(reader: hub.ThreadLiveReader, entries: Any, *, is_kept: bool) -> None:
            put(reader, entries, is_kept=is_kept)
            self.most = max(self.most, reader._bytes)
            self.at_once = max(self.at_once, sum(map(hub._entry_size, entries)))
            self.have_overflowed |= reader.has_overflowed

        monkeypatch.setattr(hub.ThreadLiveReader, "put", watched)


@pytest.mark.parametrize("protocol", ["v1", "v2"])
async def test_a_client_that_stops_reading_holds_up_nobody_and_keeps_little_waiting(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    monkeypatch.setattr(hub, "_BACKLOG_BYTES", BOUND)
    backlogs = Backlogs(monkeypatch)
    thread_id = str(uuid4())
    settings = {"protocol_langgraph": {"thread_run_modes": ["custom"]}}
    path = f"/threads/{thread_id}/stream"
    stuck = (
        asked("GET", path)
        if protocol == "v1"
        else asked("POST", f"{path}/events", {"channels": ["custom", "lifecycle"]})
    )
    async with (
        asyncio.timeout(LIMIT),
        serve({"talk": talkative()}, settings) as served,
        httpx.AsyncClient(base_url=served.url, timeout=LIMIT) as http,
    ):
        await http.post("/threads", json={"thread_id": thread_id})
        with not_reading(served, stuck) as client:
            while not served.server.thread_streams.is_followed(thread_id):
                await asyncio.sleep(0)
            reading = asyncio.create_task(numbers(http, thread_id))
            start = {"id": 1, "method": "run.start", "params": {"assistant_id": "talk", "input": {}}}
            started = (await http.post(f"/threads/{thread_id}/commands", json=start)).json()
            assert await reading == list(range(EVENTS))
            run = await http.get(f"/threads/{thread_id}/runs/{started['result']['run_id']}")
            assert run.json()["status"] == "success"
            assert backlogs.have_overflowed
            assert backlogs.most <= max(BOUND, backlogs.at_once) < EVENTS * LETTERS / 2
            rest = await all_numbers(client)
        assert rest == list(range(EVENTS)), "what is kept is read from storage, once the client reads again"


async def all_numbers(client: socket.socket) -> list[int]:
    """What the client that begins to read at last is told, to the end."""
    loop, text = asyncio.get_running_loop(), b""
    while f'"number":{EVENTS - 1},'.encode() not in text:
        more = await loop.sock_recv(client, 65536)
        assert more, text[-500:]
        text += more
    return [int(part.split(b",")[0]) for part in text.split(b'"number":')[1:]]
