"""Numbers of events: strictly increasing on a thread, the same in every replay, wherever it begins."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.plugins.protocol_langgraph.conftest import Serve
from tests.plugins.protocol_langgraph.graphs import asking, chat, failing, nested

from longline_protocol_langgraph.protocol_v2.sequence import before_turn, end_of_turn, seq_of, turn_of

pytestmark = pytest.mark.anyio

CHANNELS = ["values", "updates", "messages", "tools", "lifecycle", "input", "tasks", "custom", "checkpoints"]
EVERY_MODE = {"protocol_langgraph": {"thread_run_modes": ["updates", "tasks", "tools", "custom"]}}
GRAPHS = {"chat": chat(), "nested": nested(), "ask": asking(), "fail": failing()}
HI: Any = {"messages": [{"role": "user", "content": "hi"}]}


@given(turn=st.integers(1, 2**28), number=st.integers(1, 2**24 - 1))
def test_a_number_leads_back_to_its_turn(turn: int, number: int) -> None:
    seq = seq_of(turn, number)
    assert turn_of(seq) == turn
    assert seq < end_of_turn(turn) < seq_of(turn + 1, 1) < 2**53
    assert turn_of(end_of_turn(turn)) == turn + 1, "behind all of a turn nothing of it is needed"
    assert before_turn(turn) < (turn, 0)


async def command(http: httpx.AsyncClient, thread_id: str, method: str, **params: Any) -> Any:
    body = {"id": 1, "method": method, "params": params}
    return (await http.post(f"/threads/{thread_id}/commands", json=body)).json()


async def events(http: httpx.AsyncClient, thread_id: str, *, ends: int, **asked: Any) -> list[str]:
    """The frames of a stream until so many runs have ended."""
    frames: list[str] = []
    body = {"channels": CHANNELS, **asked}
    async with asyncio.timeout(20), http.stream("POST", f"/threads/{thread_id}/stream/events", json=body) as response:
        assert response.status_code == 200
        frame: list[str] = []
        async for line in response.aiter_lines():
            if line:
                frame.append(line)
                continue
            text, frame = "\n".join(frame), []
            if not text.startswith(":"):
                frames.append(text)
                ends -= is_end(text)
            if not ends:
                break
    return frames


def is_end(frame: str) -> bool:
    is_root = '"namespace":[]' in frame
    return is_root and any(f'"event":"{phase}"' in frame for phase in ("completed", "failed", "interrupted"))


async def play(http: httpx.AsyncClient, thread_id: str) -> int:
    """Some runs of several graphs, one after the other; how many ends they have."""
    for graph, value in (("chat", HI), ("nested", {"value": "v"}), ("fail", {"x": 1}), ("ask", {"topic": "fish"})):
        started = await command(http, thread_id, "run.start", assistant_id=graph, input=value)
        await http.get(f"/threads/{thread_id}/runs/{started['result']['run_id']}/join")
    return 4


async def test_a_replay_from_any_number_is_the_rest_of_the_whole_also_after_a_restart(serve: Serve) -> None:
    async with serve(GRAPHS, EVERY_MODE) as served, httpx.AsyncClient(base_url=served.url, timeout=20) as http:
        thread_id = (await http.post("/threads", json={})).json()["thread_id"]
        ends = await play(http, thread_id)
        whole = await events(http, thread_id, ends=ends, since=0)
        seqs = [int(frame.rpartition("id: ")[2]) for frame in whole]
        assert seqs == sorted(set(seqs))
        assert len(whole) > 60
        for place in range(0, len(whole) - 1, 7):
            rest = whole[place + 1 :]
            found = await events(http, thread_id, ends=sum(map(is_end, rest)), since=seqs[place])
            assert found == rest
    async with serve(GRAPHS, EVERY_MODE) as served, httpx.AsyncClient(base_url=served.url, timeout=20) as http:
        assert await events(http, thread_id, ends=ends, since=0) == whole
        newer = await command(http, thread_id, "run.start", assistant_id="nested", input={"value": "w"})
        assert newer["meta"]["applied_through_seq"] >= seqs[-1]
        rest = await events(http, thread_id, ends=1, since=newer["meta"]["applied_through_seq"])
        assert all(int(frame.rpartition("id: ")[2]) > seqs[-1] for frame in rest)


async def test_a_live_stream_says_what_a_replay_says(serve: Serve) -> None:
    async with serve(GRAPHS, EVERY_MODE) as served, httpx.AsyncClient(base_url=served.url, timeout=20) as http:
        thread_id = (await http.post("/threads", json={})).json()["thread_id"]
        live = asyncio.create_task(events(http, thread_id, ends=4))
        async with asyncio.timeout(5):
            while not served.server.thread_streams.is_followed(thread_id):
                await asyncio.sleep(0)
        await play(http, thread_id)
        assert await live == await events(http, thread_id, ends=4, since=0)


async def test_deleting_a_run_changes_no_number_of_the_others(serve: Serve) -> None:
    async with serve(GRAPHS, EVERY_MODE) as served, httpx.AsyncClient(base_url=served.url, timeout=20) as http:
        thread_id = (await http.post("/threads", json={})).json()["thread_id"]
        await play(http, thread_id)
        whole = await events(http, thread_id, ends=4, since=0)
        runs = (await http.get(f"/threads/{thread_id}/runs")).json()
        await http.delete(f"/threads/{thread_id}/runs/{runs[1]['run_id']}")
        left = await events(http, thread_id, ends=3, since=0)
        assert set(left) < set(whole)
        assert left == [frame for frame in whole if frame in left]


async def test_runs_of_the_first_protocol_are_seen_numbered_only_if_they_are_kept(serve: Serve) -> None:
    async with serve(GRAPHS) as served, httpx.AsyncClient(base_url=served.url, timeout=20) as http:
        thread_id = (await http.post("/threads", json={})).json()["thread_id"]
        live = asyncio.create_task(events(http, thread_id, ends=2))
        async with asyncio.timeout(5):
            while not served.server.thread_streams.is_followed(thread_id):
                await asyncio.sleep(0)
        for is_kept in (True, False):
            run = {
                "assistant_id": "chat",
                "input": HI,
                "stream_mode": ["values", "messages"],
                "stream_resumable": is_kept,
            }
            await http.post(f"/threads/{thread_id}/runs/wait", json=run)
        found = await live
        numbered = [frame for frame in found if "\nid: " in frame]
        assert 0 < len(numbered) < len(found)
        assert sum("content-block-finish" in frame for frame in found) == 2
        assert await events(http, thread_id, ends=1, since=0) == numbered


def told(frame: str) -> Any:
    data = next(line for line in frame.split("\n") if line.startswith("data: "))
    return json.loads(data.removeprefix("data: "))["params"]


async def test_a_subgraph_ends_before_the_graph_around_it_goes_on(serve: Serve) -> None:
    """Also where the run says no tasks, which tell it themselves."""
    async with serve(GRAPHS) as served, httpx.AsyncClient(base_url=served.url, timeout=20) as http:
        thread_id = (await http.post("/threads", json={})).json()["thread_id"]
        await command(http, thread_id, "run.start", assistant_id="nested", input={"value": "v"})
        found = [told(frame) for frame in await events(http, thread_id, ends=1, since=0)]
    inner = [place for place, one in enumerate(found) if one["namespace"]]
    phases = [found[place]["data"].get("event") for place in inner]
    assert [phase for phase in phases if phase] == ["started", "completed"]
    assert phases[-1] == "completed"
    after = [one["data"].get("event", "values") for one in found[inner[-1] + 1 :]]
    assert after[0] == "values"
    assert after[-1] == "completed"


async def test_what_a_graph_asks_is_there_by_both_names(serve: Serve) -> None:
    async with serve(GRAPHS) as served, httpx.AsyncClient(base_url=served.url, timeout=20) as http:
        thread_id = (await http.post("/threads", json={})).json()["thread_id"]
        await command(http, thread_id, "run.start", assistant_id="ask", input={"topic": "fish"})
        found = await events(http, thread_id, ends=1, since=0, channels=["input", "lifecycle"])
    (asked,) = [told(frame)["data"] for frame in found if frame.startswith("event: input.requested")]
    assert asked["payload"] == asked["value"]
    assert asked["payload"] is not None
