"""Whole threads through the Python SDK: what happens on them is heard, and protocol v2 drives them."""

import asyncio
import inspect
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import pairwise
from typing import Any
from uuid import uuid4

import httpx
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.errors import NotFoundError
from websockets.asyncio.client import connect

from tests.clients.sdk import Sdk, calls
from tests.clients.served import Served, serve_project
from tests.databases import Database

pytestmark = pytest.mark.anyio

EVERY_MODE = '[protocol_langgraph]\nthread_run_modes = ["updates", "tasks", "tools", "custom"]\n'
TRANSPORTS = pytest.mark.parametrize("transport", ["sse", "websocket"])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, database: Database) -> Iterator[Served]:
    """The project, with runs that say everything to protocol v2."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "longline.toml").write_text(EVERY_MODE)
    with serve_project(folder, database=database) as served:
        yield served


async def new_thread(sdk: Sdk) -> str:
    return (await sdk("threads.create"))["thread_id"]


def said(text: str) -> dict:
    return {"messages": [{"role": "human", "content": text}]}


@contextmanager
def repeating(url: str, path: str, body: dict) -> Iterator[None]:
    """Something that happens again and again: a listener hears only what comes after it."""
    over = threading.Event()

    def repeat() -> None:
        with httpx.Client(base_url=url, timeout=20) as client:
            while not over.is_set():
                client.post(path, json=body).raise_for_status()

    worker = threading.Thread(target=repeat)
    worker.start()
    try:
        yield
    finally:
        over.set()
        worker.join(20)


def is_end(part: Any) -> bool:
    return part.event == "metadata" and part.data.get("status") == "run_done"


async def heard(
    sdk: Sdk, thread_id: str, until: int, *, end: Callable[[Any], bool] = is_end, **options: object
) -> list:
    """Parts of a thread's stream, up to a number of ends of runs."""
    found = []
    async for part in sdk.stream("threads.join_stream", thread_id, **options):
        found.append(part)
        until -= end(part)
        if not until:
            return found
    raise AssertionError("the stream of a thread ended")


@calls("threads.join_stream")
async def test_the_runs_of_a_thread_are_heard_as_they_happen(sdk: Sdk, served: Served) -> None:
    thread_id = await new_thread(sdk)
    run = {"assistant_id": "count", "input": {"x": 1}}
    with repeating(served.url, f"/threads/{thread_id}/runs/wait", run):
        parts = await heard(sdk, thread_id, 2)
        whole = parts[[is_end(part) for part in parts].index(True) + 1 :]
        ends = await heard(sdk, thread_id, 2, stream_mode="lifecycle")
        both = await heard(sdk, thread_id, 2, stream_mode=["lifecycle", "run_modes"])
    assert [part.event for part in whole] == ["metadata", "values", "values", "metadata"]
    assert whole[2].data == {"x": 2}
    assert whole[0].data["run_id"] == whole[3].data["run_id"]
    ids = [part.id for part in parts]
    assert None not in ids
    assert len(set(ids)) == len(ids)
    assert {part.event for part in ends} == {"metadata"}
    assert "values" in {part.event for part in both}


async def test_a_changed_state_is_heard(sdk: Sdk, served: Served) -> None:
    thread_id = await new_thread(sdk)
    await sdk("runs.wait", thread_id, "count", input={"x": 1})
    with repeating(served.url, f"/threads/{thread_id}/state", {"values": {"x": 40}, "as_node": "add"}):
        (part,) = await heard(sdk, thread_id, 1, end=lambda part: True, stream_mode=["state_update"])
    assert part.event == "state_update"
    assert part.data["thread_id"] == thread_id
    assert part.data["state"]["values"] == {"x": 40}


async def test_who_comes_back_hears_what_was_missed(sdk: Sdk) -> None:
    thread_id = await new_thread(sdk)
    runs = []
    for x in (1, 10):
        run = await sdk("runs.create", thread_id, "count", input={"x": x}, stream_mode="values", stream_resumable=True)
        await sdk("runs.join", thread_id, run["run_id"])
        runs.append(run["run_id"])
    parts = await heard(sdk, thread_id, 2, last_event_id="-1")
    assert [part.data["run_id"] for part in parts if is_end(part)] == runs
    assert [part.data for part in parts if part.event == "values"][-1] == {"x": 11}
    end = [is_end(part) for part in parts].index(True)
    assert await heard(sdk, thread_id, 1, last_event_id=parts[end].id) == parts[end + 1 :]


async def test_an_unknown_thread_is_not_listened_to(sdk: Sdk) -> None:
    with pytest.raises(NotFoundError, match="hread"):
        await sdk.parts("threads.join_stream", str(uuid4()))


@asynccontextmanager
async def driving(sdk: Sdk, **options: Any) -> AsyncIterator[Any]:
    """A thread over protocol v2, of either client."""
    stream = sdk.open("threads.stream", **options)
    if hasattr(stream, "__aenter__"):
        async with stream, asyncio.timeout(20):
            yield stream
    else:
        with stream:
            yield stream


async def value(answer: Any) -> Any:
    return await answer if inspect.isawaitable(answer) else answer


async def each(parts: Any) -> AsyncIterator[Any]:
    if hasattr(parts, "__aiter__"):
        async for part in parts:
            yield part
    else:
        for part in parts:
            yield part


@calls("threads.stream")
@TRANSPORTS
async def test_a_thread_is_driven_over_protocol_v2(sdk: Sdk, transport: str) -> None:
    async with driving(sdk, assistant_id="chat", transport=transport) as thread:
        started = await value(thread.run.start(input=said("one two three")))
        messages = [message async for message in each(thread.messages)]
        words = [[word async for word in each(message.text)] for message in messages]
        output = await value(thread.output)
    assert words == [["one ", "two ", "three "]]
    assert output["messages"][-1]["content"] == "one two three "
    assert (await sdk("runs.get", thread.thread_id, started["run_id"]))["status"] == "success"


@TRANSPORTS
async def test_an_interrupt_is_answered_over_protocol_v2(sdk: Sdk, transport: str) -> None:
    thread_id = await new_thread(sdk)
    async with driving(sdk, thread_id=thread_id, assistant_id="ask", transport=transport) as thread:
        await value(thread.run.start(input={"topic": "tea"}))
        async for _ in each(thread.values):
            if thread.interrupted:
                break
        assert len(thread.interrupts) == 1
        await value(thread.run.respond("green"))
        async for snapshot in each(thread.values):
            if snapshot.get("answer") == "green" and "finished" in snapshot["log"]:
                break
    assert (await sdk("threads.get_state", thread_id))["values"]["answer"] == "green"


@TRANSPORTS
async def test_who_listens_later_over_protocol_v2_hears_the_run_that_is_under_way(
    sdk: Sdk, served: Served, transport: str
) -> None:
    gate = served.gate()
    async with driving(sdk, assistant_id="nested", transport=transport) as thread:
        await value(thread.run.start(input={"value": "v", "gate": gate.name}))
        first = each(thread.events)
        heard_first = await read(first, lambda event: event["method"] == "custom")
        # A synchronous session that has started no run itself waits for one for ever: the other one is not.
        async with (
            get_client(url=served.url) as client,
            driving(Sdk(client), thread_id=thread.thread_id, assistant_id="nested", transport=transport) as other,
        ):
            later = each(other.events)
            heard_later = await read(later, lambda event: event["method"] == "custom")
            gate.open()
            heard_first += await read(first, is_end_of_run)
            heard_later += await read(later, is_end_of_run)
    assert heard_first == heard_later
    assert all(one["seq"] < two["seq"] for one, two in pairwise(heard_first))
    assert len({event["event_id"] for event in heard_first}) == len(heard_first)
    assert {"lifecycle", "values", "updates", "tasks", "custom"} == {event["method"] for event in heard_first}


async def read(events: AsyncIterator[Any], is_last: Callable[[Any], bool]) -> list:
    """Events, answers to commands left out, up to the one that is meant."""
    found: list[Any] = []
    while not found or not is_last(found[-1]):
        event = await anext(events)
        if event["type"] == "event":
            found.append(event)
    return found


def is_end_of_run(event: Any) -> bool:
    return (
        event["method"] == "lifecycle"
        and not event["params"]["namespace"]
        and event["params"]["data"]["event"] == "completed"
    )


async def test_a_socket_may_be_opened_before_its_first_command_creates_the_thread(served: Served) -> None:
    """What the JavaScript client does with `transport: "websocket"` and no thread: the id is its own."""
    params = {"assistant_id": "count", "input": {"x": 1}}
    url = f"{served.url.replace('http', 'ws')}/threads/{uuid4()}/stream/events"
    async with connect(url) as socket, asyncio.timeout(10):
        await socket.send(json.dumps({"id": 1, "method": "run.start", "params": params}))
        assert json.loads(await socket.recv())["type"] == "success"
