"""A body that was read before its app gets it is handed on as it came."""

import asyncio

import pytest

from longline.asgi.body import BodyLimits, RequestBody, read_within, replayed
from longline.asgi.types import Message, Receive, Scope
from longline.errors import BodyTooLargeError

pytestmark = pytest.mark.anyio


def sending(*messages: Message) -> tuple[list[Message], RequestBody]:
    left = list(messages)

    async def receive() -> Message:
        return left.pop(0)

    return left, RequestBody({"type": "http"}, receive)


PARTS = (
    {"type": "http.request", "body": b"ab", "more_body": True},
    {"type": "http.request", "body": b"cd", "more_body": False},
    {"type": "http.disconnect"},
)


async def test_it_is_read_once_and_comes_again_in_the_same_parts() -> None:
    left, body = sending(*PARTS)
    assert await body.read() == b"abcd"
    assert await body.read() == b"abcd"
    assert left == [PARTS[2]]
    assert [await body.receive() for _ in range(3)] == list(PARTS)


async def test_what_nobody_asks_for_is_not_waited_for() -> None:
    left, body = sending(*PARTS)
    assert await body.receive() == PARTS[0]
    assert left == list(PARTS[1:])


async def test_a_client_that_leaves_ends_the_reading() -> None:
    _, body = sending(PARTS[0], PARTS[2])
    assert await body.read() == b"ab"
    assert [await body.receive(), await body.receive()] == [PARTS[0], PARTS[2]]


async def test_a_websocket_has_none() -> None:
    async def receive() -> Message:
        raise AssertionError("nothing is to be read")

    assert await RequestBody({"type": "websocket"}, receive).read() == b""


def _stream(*messages: Message) -> tuple[list[Message], Receive]:
    """What a client sends and then nothing more, though it stays."""
    left = list(messages)

    async def receive() -> Message:
        if not left:
            await asyncio.Event().wait()
        return left.pop(0)

    return left, receive


LIMITS = BodyLimits(max_bytes=3, seconds=60)
PLAIN: Scope = {"type": "http", "headers": []}


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"4")]])
@pytest.mark.parametrize("parts", [PARTS[:2], ({"type": "http.request", "body": b"abcd"},)])
async def test_a_body_that_is_too_large_goes_by_to_its_end_and_no_further(
    headers: list[tuple[bytes, bytes]], parts: tuple[Message, ...]
) -> None:
    left, receive = _stream(*parts)
    with pytest.raises(BodyTooLargeError):
        await read_within({**PLAIN, "headers": headers}, receive, LIMITS)
    assert left == []


async def test_a_body_within_its_limits_comes_whole_or_as_far_as_it_came() -> None:
    _, receive = _stream({"type": "http.request", "body": b"a", "more_body": True}, {"type": "http.request"})
    assert await read_within(PLAIN, receive, LIMITS) == b"a"
    _, receive = _stream(PARTS[0], PARTS[2])
    assert await read_within(PLAIN, receive, LIMITS) == b"ab"


async def test_a_body_that_does_not_end_is_not_waited_for() -> None:
    _, receive = _stream(PARTS[0])
    with pytest.raises(TimeoutError):
        await read_within(PLAIN, receive, BodyLimits(max_bytes=3, seconds=0.01))


async def test_what_was_read_comes_again_before_what_else_comes() -> None:
    _, receive = _stream(PARTS[2])
    again = replayed(b"abc", receive)
    assert [await again(), await again()] == [
        {"type": "http.request", "body": b"abc", "more_body": False},
        PARTS[2],
    ]
