"""Streams: every mode, subgraphs, bytes on the wire, joining, resuming, clients that leave."""

import asyncio
from itertools import pairwise
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient
from tests.plugins.protocol_langgraph.conftest import Serve
from tests.plugins.protocol_langgraph.graphs import ANSWER, counting
from tests.races.graphs import Gate, gated

pytestmark = pytest.mark.anyio

HI: Any = {"messages": [{"role": "user", "content": "hi"}]}
LIMIT = 10


async def parts(sdk: LangGraphClient, *args: Any, **options: Any) -> list[tuple[str, Any]]:
    async with asyncio.timeout(LIMIT):
        return [(part.event, part.data) async for part in sdk.runs.stream(*args, **options)]


def names(found: list[tuple[str, Any]]) -> list[str]:
    """Event names in order, the same one in a row once."""
    every = [name for name, _ in found]
    return [name for number, name in enumerate(every) if number == 0 or name != every[number - 1]]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("values", ["values"]),
        ("updates", ["updates"]),
        ("messages", ["messages/metadata", "messages/partial"]),
        ("messages-tuple", ["messages"]),
        ("events", ["events"]),
        ("debug", ["debug"]),
        ("tasks", ["tasks"]),
        ("checkpoints", ["checkpoints"]),
        ("custom", []),
    ],
)
async def test_a_mode_gives_its_events_after_the_metadata(
    sdk: LangGraphClient, thread_id: str, mode: Any, expected: list[str]
) -> None:
    found = await parts(sdk, thread_id, "chat", input=HI, stream_mode=mode)
    assert names(found) == ["metadata", *expected]
    (run,) = await sdk.runs.list(thread_id)
    assert found[0][1] == {"run_id": run["run_id"], "attempt": 1}


async def test_modes_together_keep_the_order_of_what_happens(sdk: LangGraphClient, thread_id: str) -> None:
    found = await parts(sdk, thread_id, "chat", input=HI, stream_mode=["values", "messages", "updates"])
    assert names(found) == [
        "metadata", "values", "messages/metadata", "messages/partial", "updates", "values",
    ]  # fmt: skip
    partial = [data[0]["content"] for name, data in found if name == "messages/partial"]
    assert partial[-1] == ANSWER
    assert all(later.startswith(earlier) for earlier, later in pairwise(partial))


async def test_message_chunks_add_up_to_the_answer(sdk: LangGraphClient, thread_id: str) -> None:
    found = await parts(sdk, thread_id, "chat", input=HI, stream_mode="messages-tuple")
    chunks = [data for name, data in found if name == "messages"]
    assert "".join(chunk["content"] for chunk, _ in chunks) == ANSWER
    assert {metadata["langgraph_node"] for _, metadata in chunks} == {"model"}


async def test_subgraphs_are_streamed_under_their_namespace_if_asked(sdk: LangGraphClient, thread_id: str) -> None:
    modes: Any = ["values", "updates", "custom", "tasks", "debug", "checkpoints"]
    found = await parts(sdk, thread_id, "nested", input={"value": "v"}, stream_mode=modes, stream_subgraphs=True)
    inner = {name.partition("|")[0] for name, _ in found if "|child:" in name}
    assert {"values", "updates", "tasks", "debug"} <= inner
    assert ("custom", {"progress": "first"}) in found
    outer = await parts(sdk, thread_id, "nested", input={"value": "v"}, stream_mode=modes)
    assert not any("|" in name for name, _ in outer)


async def test_a_failure_is_the_last_event(sdk: LangGraphClient, thread_id: str) -> None:
    found = await parts(sdk, thread_id, "fail", input={}, stream_mode="updates")
    assert found[1:] == [("updates", {"good": {"x": 1}}), ("error", {"error": "ValueError", "message": "boom"})]


async def test_the_bytes_are_as_clients_expect_them(http: httpx.AsyncClient, thread_id: str) -> None:
    body = {"assistant_id": "count", "input": {"x": 1}, "stream_mode": ["values", "updates"]}
    answer = await http.post(f"/threads/{thread_id}/runs/stream", json=body)
    run_id = answer.headers["content-location"].rpartition("/")[2]
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.headers["transfer-encoding"] == "chunked"
    assert answer.content.decode() == (
        f'event: metadata\r\ndata: {{"run_id":"{run_id}","attempt":1}}\r\n\r\n'
        'event: values\r\ndata: {"x":1}\r\n\r\n'
        'event: updates\r\ndata: {"add":{"x":2}}\r\n\r\n'
        'event: values\r\ndata: {"x":2}\r\n\r\n'
    )


async def test_a_waiters_answer_has_no_length_and_is_the_result_alone(http: httpx.AsyncClient, thread_id: str) -> None:
    answer = await http.post(f"/threads/{thread_id}/runs/wait", json={"assistant_id": "count", "input": {"x": 1}})
    assert answer.headers["content-type"] == "application/json"
    assert "content-length" not in answer.headers
    assert answer.content == b'{"x":2}'


async def test_the_run_has_ended_in_storage_when_its_stream_closes(sdk: LangGraphClient, thread_id: str) -> None:
    for _ in range(5):
        await parts(sdk, thread_id, "count", input={"x": 1})
        assert {run["status"] for run in await sdk.runs.list(thread_id)} == {"success"}


async def test_silence_is_broken_by_heartbeats(serve: Serve, gate: Gate) -> None:
    settings = {"protocol_langgraph": {"heartbeat_seconds": 0.05}}
    async with (
        serve({"gated": gated(gate)}, settings) as served,
        httpx.AsyncClient(base_url=served.url, timeout=LIMIT) as http,
    ):
        body = {"assistant_id": "gated", "input": {}, "stream_mode": "updates"}
        heard = b""
        async with http.stream("POST", "/runs/stream", json=body) as stream:
            async for chunk in stream.aiter_bytes():
                heard += chunk
                if heard.count(b": heartbeat\r\n\r\n") == 3:
                    gate.opened.set()
        assert heard.count(b": heartbeat\r\n\r\n") >= 3
        assert heard.endswith(b'event: updates\r\ndata: {"after":{"steps":["after"]}}\r\n\r\n')
        gate.opened.clear()
        heard = b""
        async with http.stream("POST", "/runs/wait", json=body) as waiting:
            assert waiting.status_code == 200
            async for chunk in waiting.aiter_bytes():
                heard += chunk
                if heard.count(b"\n") == 3:
                    gate.opened.set()
        assert heard.lstrip(b"\n") == b'{"steps":["before","gate of nobody","after"]}'
        assert heard.startswith(b"\n\n\n")


# -- joining and resuming -------------------------------------------------------------------------------------------


async def test_a_running_run_is_joined_live(sdk: LangGraphClient, thread_id: str, gate: Gate) -> None:
    run = await sdk.runs.create(thread_id, "gated", input={}, stream_mode=["updates"], stream_resumable=True)
    found: list[str] = []
    async with asyncio.timeout(LIMIT):
        async for part in sdk.runs.join_stream(thread_id, run["run_id"], last_event_id="-1"):
            gate.opened.set()
            found.append(part.event)
    assert found == ["metadata", "updates", "updates", "updates"]


async def test_a_finished_run_that_was_not_kept_gives_an_empty_stream(sdk: LangGraphClient, thread_id: str) -> None:
    await sdk.runs.wait(thread_id, "count", input={"x": 1})
    (run,) = await sdk.runs.list(thread_id)
    async with asyncio.timeout(LIMIT):
        for last_id in (None, "-1", "0", "zzz"):
            joined = sdk.runs.join_stream(thread_id, run["run_id"], last_event_id=last_id)
            assert [part async for part in joined] == []


def frames(data: bytes) -> list[tuple[str, str]]:
    """(id, frame) of a resumable stream."""
    whole = [frame for frame in data.decode().split("\r\n\r\n") if frame and not frame.startswith(":")]
    return [(frame.rpartition("id: ")[2], frame) for frame in whole]


async def resumable(http: httpx.AsyncClient, thread_id: str, graph_id: str = "nested") -> tuple[str, bytes]:
    """The path of a stream that was kept, and all that was on it."""
    body = {"assistant_id": graph_id, "input": {"value": "v"}, "stream_mode": ["values", "updates"]}
    answer = await http.post(f"/threads/{thread_id}/runs/stream", json={**body, "stream_resumable": True})
    return answer.headers["location"], answer.content


async def test_ids_increase_strictly(http: httpx.AsyncClient, thread_id: str) -> None:
    _, whole = await resumable(http, thread_id)
    numbers = [tuple(int(part) for part in event_id.split("-")) for event_id, _ in frames(whole)]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 6


async def test_every_id_resumes_right_behind_its_event(http: httpx.AsyncClient, thread_id: str) -> None:
    path, whole = await resumable(http, thread_id)
    events = frames(whole)
    for place, (event_id, _) in enumerate(events):
        rest = await http.get(path, headers={"Last-Event-ID": event_id})
        assert frames(rest.content) == events[place + 1 :]
    for beginning in ("-1", "0"):
        assert (await http.get(path, headers={"Last-Event-ID": beginning})).content == whole


@pytest.mark.parametrize("last_id", [None, "zzz", "9999999999999-1", "1-999999", "-"])
async def test_no_id_or_one_that_was_never_given_replays_nothing(
    http: httpx.AsyncClient, thread_id: str, last_id: str | None
) -> None:
    path, _ = await resumable(http, thread_id)
    answer = await http.get(path, headers={"Last-Event-ID": last_id} if last_id is not None else {})
    assert (answer.status_code, answer.content) == (200, b"")


async def test_an_id_that_was_never_given_hides_no_live_event(
    sdk: LangGraphClient, http: httpx.AsyncClient, thread_id: str, gate: Gate
) -> None:
    run = await sdk.runs.create(thread_id, "gated", input={}, stream_mode="updates", stream_resumable=True)
    path = f"/threads/{thread_id}/runs/{run['run_id']}/stream"
    async with asyncio.timeout(LIMIT):
        await gate.reached.wait()
        async with http.stream("GET", path, headers={"Last-Event-ID": "1-999999"}) as joined:
            gate.opened.set()
            heard = await joined.aread()
    kinds = [frame.partition("\r\n")[0] for _, frame in frames(heard)]
    assert set(kinds) == {"event: updates"}
    assert len(kinds) in (2, 3)  # the first update is live until it is stored


async def test_a_replay_is_narrowed_to_modes(http: httpx.AsyncClient, thread_id: str) -> None:
    path, whole = await resumable(http, thread_id)
    only = await http.get(f"{path}?stream_mode=updates", headers={"Last-Event-ID": "-1"})
    assert frames(only.content) == [pair for pair in frames(whole) if pair[1].startswith("event: updates")]


async def test_a_stream_is_replayed_after_a_restart(serve: Serve) -> None:
    async with serve({"nested": counting()}) as served, httpx.AsyncClient(base_url=served.url) as http:
        thread_id = (await http.post("/threads", json={})).json()["thread_id"]
        path, whole = await resumable(http, thread_id)
    async with serve({"nested": counting()}) as served, httpx.AsyncClient(base_url=served.url) as http:
        assert (await http.get(path, headers={"Last-Event-ID": "-1"})).content == whole
        second = frames(whole)[1][0]
        assert frames((await http.get(path, headers={"Last-Event-ID": second})).content) == frames(whole)[2:]


async def test_joining_an_unknown_run_is_answered_in_the_body(http: httpx.AsyncClient, thread_id: str) -> None:
    unknown = f"/threads/{thread_id}/runs/00000000-0000-0000-0000-000000000000"
    failure = '{"error":"HTTPException","message":"404: Run not found"}'
    joined = await http.get(f"{unknown}/join")
    assert (joined.status_code, joined.text) == (200, f'{{"__error__":{failure}}}')
    stream = await http.get(f"{unknown}/stream")
    assert (stream.status_code, stream.text) == (200, f"event: error\r\ndata: {failure}\r\n\r\n")
    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"


# -- clients that leave ---------------------------------------------------------------------------------------------


async def leave(http: httpx.AsyncClient, method: str, path: str, gate: Gate, **options: Any) -> None:
    """Hang up in the middle of the run."""
    async with asyncio.timeout(LIMIT), http.stream(method, path, **options):
        await gate.reached.wait()


async def ended(sdk: LangGraphClient, thread_id: str) -> str:
    """How the thread's only run ended."""
    (run,) = await sdk.runs.list(thread_id)
    async with asyncio.timeout(LIMIT):
        await sdk.runs.join(thread_id, run["run_id"])
    return str((await sdk.runs.get(thread_id, run["run_id"]))["status"])


@pytest.mark.parametrize("call", ["stream", "wait"])
async def test_a_run_may_end_with_its_client(
    sdk: LangGraphClient, http: httpx.AsyncClient, thread_id: str, gate: Gate, call: str
) -> None:
    body = {"assistant_id": "gated", "input": {}, "on_disconnect": "cancel"}
    await leave(http, "POST", f"/threads/{thread_id}/runs/{call}", gate, json=body)
    assert await ended(sdk, thread_id) == "interrupted"
    thread: Any = await sdk.threads.get(thread_id)
    assert thread["error"]["message"] == "client disconnected from the run stream (on_disconnect=cancel)"


@pytest.mark.parametrize("call", ["stream", "wait"])
async def test_a_run_goes_on_without_its_client_unless_told_otherwise(
    sdk: LangGraphClient, http: httpx.AsyncClient, thread_id: str, gate: Gate, call: str
) -> None:
    await leave(http, "POST", f"/threads/{thread_id}/runs/{call}", gate, json={"assistant_id": "gated", "input": {}})
    gate.opened.set()
    assert await ended(sdk, thread_id) == "success"


@pytest.mark.parametrize("call", ["stream", "join"])
async def test_who_joins_may_take_the_run_along(
    sdk: LangGraphClient, http: httpx.AsyncClient, thread_id: str, gate: Gate, call: str
) -> None:
    run = await sdk.runs.create(thread_id, "gated", input={})
    path = f"/threads/{thread_id}/runs/{run['run_id']}/{call}"
    await leave(http, "GET", f"{path}?cancel_on_disconnect=true", gate)
    assert await ended(sdk, thread_id) == "interrupted"
