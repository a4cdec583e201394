"""A body that was read before its app gets it is handed on as it came."""

import pytest

from longline.asgi.body import RequestBody
from longline.asgi.types import Message

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
