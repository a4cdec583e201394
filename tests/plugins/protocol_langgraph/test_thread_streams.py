"""The stream of a thread: its runs in order, where they end, updates of the state, and going on from an id."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph_sdk.client import LangGraphClient
from tests.plugins.protocol_langgraph.conftest import Serve
from tests.plugins.protocol_langgraph.graphs import counting
from tests.plugins.protocol_langgraph.served import Served

from longline.models.events import END_OF_TURN, THREAD_BEGINNING, ThreadPlace
from longline_protocol_langgraph.thread_ids import parse_place, spell_place

pytestmark = pytest.mark.anyio

LIMIT = 15


@given(turn=st.integers(0, 2**40), seq=st.integers(0, END_OF_TURN))
def test_an_id_leads_back_to_its_place(turn: int, seq: int) -> None:
    assert parse_place(spell_place(ThreadPlace(turn, seq)).decode()) == ThreadPlace(turn, seq)


@pytest.mark.parametrize("text", ["-", "-1", "0", "0-0"])
def test_these_ids_are_the_beginning(text: str) -> None:
    assert parse_place(text) == THREAD_BEGINNING


@pytest.mark.parametrize("text", [None, "", "x", "5-5", "9" * 60 + "-1", "1-", "-2"])
def test_what_no_thread_said_is_no_place(text: str | None) -> None:
    assert parse_place(text) is None


async def follow(
    served: Served, http: httpx.AsyncClient, thread_id: str, *, until: int, query: str = "", last: str | None = None
) -> list[tuple[str, str]]:
    """Names and ids of so many events."""
    headers = {"last-event-id": last} if last is not None else {}
    found: list[tuple[str, str]] = []
    name = ""
    async with (
        asyncio.timeout(LIMIT),
        http.stream("GET", f"/threads/{thread_id}/stream{query}", headers=headers) as lines,
    ):
        assert lines.status_code == 200
        async for line in lines.aiter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("id: "):
                found.append((name, line.removeprefix("id: ")))
                if len(found) == until:
                    break
    return found


async def begun(served: Served, thread_id: str, following: "asyncio.Task[Any]") -> None:
    async with asyncio.timeout(LIMIT):
        while not served.server.thread_streams.is_followed(thread_id):
            assert not following.done(), following
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["metadata", "values", "values", "metadata"]),
        ("?stream_modes=run_modes", ["metadata", "values", "values", "metadata"]),
        ("?stream_mode=lifecycle", ["metadata", "metadata"]),
        ("?stream_modes=state_update", ["state_update"]),
        ("?stream_mode=lifecycle,state_update", ["metadata", "metadata", "state_update"]),
        ("?stream_modes=lifecycle&stream_modes=state_update", ["metadata", "metadata", "state_update"]),
    ],
)
async def test_modes_choose_what_is_streamed(
    served: Served, sdk: LangGraphClient, http: httpx.AsyncClient, thread_id: str, query: str, names: list[str]
) -> None:
    following = asyncio.create_task(follow(served, http, thread_id, until=len(names), query=query))
    await begun(served, thread_id, following)
    await sdk.runs.wait(thread_id, "count", input={"x": 1})
    await sdk.threads.update_state(thread_id, {"x": 9}, as_node="add")
    found = await following
    assert [name for name, _ in found] == names
    places = [parse_place(event_id) for _, event_id in found]
    assert places == sorted(places)
    assert len(set(places)) == len(places)


async def test_going_on_from_any_id_is_the_rest(
    served: Served, sdk: LangGraphClient, http: httpx.AsyncClient, thread_id: str
) -> None:
    for x in range(3):
        options: Any = {"input": {"x": x}, "stream_resumable": True, "stream_mode": ["values", "updates"]}
        async for _ in sdk.runs.stream(thread_id, "count", **options):
            pass
    whole = await follow(served, http, thread_id, until=15, last="-1")
    for place in range(14):
        assert await follow(served, http, thread_id, until=14 - place, last=whole[place][1]) == whole[place + 1 :]


async def test_the_stream_ends_with_the_thread(
    served: Served, sdk: LangGraphClient, http: httpx.AsyncClient, thread_id: str
) -> None:
    async with asyncio.timeout(LIMIT), http.stream("GET", f"/threads/{thread_id}/stream") as lines:
        assert lines.status_code == 200
        await sdk.threads.delete(thread_id)
        assert [line async for line in lines.aiter_lines()] == []
    assert not served.server.thread_streams.is_followed(thread_id)


async def test_only_who_may_see_a_thread_follows_it(serve: Serve) -> None:
    settings = {
        "static_tokens": {"tokens": {"ann": "ann-token", "bob": "bob-token"}},
        "protocol_langgraph": {"heartbeat_seconds": 1},
    }
    async with serve({"count": counting()}, settings) as served, httpx.AsyncClient(base_url=served.url) as http:
        ann, bob = ({"Authorization": f"Bearer {name}-token"} for name in ("ann", "bob"))
        thread_id = (await http.post("/threads", json={}, headers=ann)).json()["thread_id"]
        for headers, status in ((bob, 404), ({}, 401)):
            assert (await http.get(f"/threads/{thread_id}/stream", headers=headers)).status_code == status
        path, body = f"/threads/{thread_id}/stream/events", {"channels": ["values"]}
        assert (await http.post(path, json=body)).status_code == 401
        async with http.stream("POST", path, json=body, headers=bob) as silent:
            assert silent.status_code == 200, "as one that nobody has made yet"
            run = {"assistant_id": "count", "input": {"x": 1}, "stream_resumable": True}
            assert (await http.post(f"/threads/{thread_id}/runs/wait", json=run, headers=ann)).json() == {"x": 2}
            assert await anext(silent.aiter_lines()) == ": heartbeat"
        command = {"id": 1, "method": "state.get", "params": {"namespace": []}}
        answer = await http.post(f"/threads/{thread_id}/commands", json=command, headers=bob)
        assert answer.json()["error"] == "invalid_argument"
        assert "not found" in answer.json()["message"]


async def test_a_mode_or_thread_that_is_not_there_is_refused(http: httpx.AsyncClient, thread_id: str) -> None:
    assert (await http.get(f"/threads/{thread_id}/stream?stream_modes=nope")).status_code == 422
    assert (await http.get(f"/threads/{uuid4()}/stream")).status_code == 404
    assert (await http.get("/threads/nope/stream")).status_code == 422
