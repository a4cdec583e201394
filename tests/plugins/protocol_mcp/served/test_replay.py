"""What is kept of broken streams: within its bounds, and each session's for itself."""

import asyncio

import pytest
from mcp.server.streamable_http import GET_STREAM_KEY, EventMessage
from mcp.types import JSONRPCMessage, JSONRPCNotification

from longline_protocol_mcp.sdk.replay import ReplayRoom, SessionReplay

pytestmark = pytest.mark.anyio

OWN = GET_STREAM_KEY
"""The stream that belongs to no request."""
ANSWER = JSONRPCMessage.model_validate({"jsonrpc": "2.0", "id": 1, "result": {}})


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def message(text: str) -> JSONRPCMessage:
    return JSONRPCMessage.model_validate({"jsonrpc": "2.0", "method": "x", "params": {"text": text}})


async def after(replay: SessionReplay, event_id: str) -> tuple[str | None, list[str]]:
    found = []

    async def take(event: EventMessage) -> None:
        root = event.message.root
        found.append(root.params["text"] if isinstance(root, JSONRPCNotification) else "answer")

    return await replay.replay_events_after(event_id, take), found


def room(**limits: float) -> tuple[ReplayRoom, Clock]:
    clock = Clock()
    bounds = {"max_bytes": 100_000, "seconds": 60.0, **limits}
    return ReplayRoom(max_bytes=int(bounds["max_bytes"]), seconds=bounds["seconds"], monotonic=clock), clock


async def test_the_rest_of_the_same_stream_is_read() -> None:
    replay = room()[0].open(lambda _: None)
    start = await replay.store_event("1", None)
    first = await replay.store_event("1", message("a"))
    await replay.store_event("2", message("of another stream"))
    await replay.store_event("1", message("b"))
    last = await replay.store_event("1", ANSWER)
    assert await after(replay, start) == (None, ["a", "b", "answer"])
    assert await after(replay, first) == (None, ["b", "answer"])
    assert await after(replay, last) == (None, [])
    for unknown in ("", "99", "-1", "x", f"{first}0", "٣"):
        assert await after(replay, unknown) == (None, [])


async def test_a_request_is_followed_to_its_answer() -> None:
    replay = room()[0].open(lambda _: None)
    start = await replay.store_event("1", None)
    following = asyncio.create_task(after(replay, start))
    for said in (message("a"), message("b"), ANSWER):
        await asyncio.sleep(0)
        await replay.store_event("1", said)
        await replay.store_event("2", message("of another stream"))
    assert await asyncio.wait_for(following, 10) == (None, ["a", "b", "answer"])


async def test_who_follows_is_let_go_when_the_session_ends() -> None:
    replay = room()[0].open(lambda _: None)
    start = await replay.store_event("1", None)
    following = asyncio.create_task(after(replay, start))
    await asyncio.sleep(0)
    replay.close()
    assert await asyncio.wait_for(following, 10) == (None, [])


async def test_sessions_do_not_see_each_others() -> None:
    shared, _ = room()
    mine, other = shared.open(lambda _: None), shared.open(lambda _: None)
    event_id = await mine.store_event(OWN, None)
    await mine.store_event(OWN, message("secret"))
    assert await after(other, event_id) == (None, [])
    await other.store_event(OWN, None)
    assert await after(other, event_id) == (OWN, [])


async def test_the_oldest_goes_when_there_is_too_much() -> None:
    shared, _ = room(max_bytes=1000)
    old, new = shared.open(lambda _: None), shared.open(lambda _: None)
    first = await old.store_event(OWN, message("x" * 300))
    last = await new.store_event(OWN, message("y" * 300))
    await new.store_event(OWN, message("z" * 300))
    assert await after(old, first) == (None, [])
    assert await after(new, last) == (OWN, ["z" * 300])
    assert shared.bytes_kept <= 1000


async def test_what_is_too_old_goes() -> None:
    shared, clock = room(seconds=10)
    replay = shared.open(lambda _: None)
    first = await replay.store_event(OWN, message("a"))
    clock.now += 11
    second = await replay.store_event(OWN, message("b"))
    assert await after(replay, first) == (None, [])
    assert await after(replay, second) == (OWN, [])


async def test_nothing_is_left_of_a_closed_session() -> None:
    shared, clock = room()
    closed, other = shared.open(lambda _: None), shared.open(lambda _: None)
    for _ in range(5):
        await closed.store_event("1", message("a"))
    closed.close()
    assert shared.bytes_kept == 0
    kept = await other.store_event(OWN, message("b"))
    assert await after(other, kept) == (OWN, [])
    clock.now += 61
    shared.trim()
    assert shared.bytes_kept == 0


async def test_one_event_that_is_larger_than_the_room_is_not_kept() -> None:
    shared, _ = room(max_bytes=500)
    replay = shared.open(lambda _: None)
    event_id = await replay.store_event("1", message("x" * 2000))
    assert await after(replay, event_id) == (None, [])
    assert shared.bytes_kept == 0


async def test_what_is_said_while_the_own_stream_is_given_back_is_handed_over_once() -> None:
    replay = room()[0].open(lambda _: None)
    start = await replay.store_event(OWN, None)
    assert replay.take_missed(OWN) == []
    assert await after(replay, start) == (OWN, [])
    await replay.store_event(OWN, message("said after"))
    assert [event.message.root.params["text"] for event in replay.take_missed(OWN)] == ["said after"]
    assert replay.take_missed(OWN) == []
