"""Calls from within arrive as calls from outside would."""

import asyncio

import pytest

from longline.asgi.front import FrontDoor
from longline.asgi.respond import json_response
from longline.asgi.types import Receive, Scope, Send

pytestmark = pytest.mark.anyio


async def test_a_call_from_within_arrives_whole_and_brings_back_the_status() -> None:
    seen: dict[str, object] = {}

    async def app(scope, receive, send) -> None:
        seen.update(scope, body=(await receive())["body"])
        await json_response(202, {"ignored": True})(scope, receive, send)
        seen["next"] = (await receive())["type"]

    front = FrontDoor()
    front.open(app)
    assert await front.post("/a%20b/c?x=1&y=%20", {"X-Key": "v"}, b"{}") == 202
    assert (seen["method"], seen["path"], seen["query_string"]) == ("POST", "/a b/c", b"x=1&y=%20")
    assert seen["headers"] == [(b"host", b"localhost"), (b"x-key", b"v"), (b"content-length", b"2")]
    assert (seen["body"], seen["next"]) == (b"{}", "http.disconnect")


async def test_the_caller_from_within_stays_until_it_has_its_answer() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        left = asyncio.create_task(receive())
        for _ in range(3):
            await asyncio.sleep(0)
        assert not left.done()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        assert not left.done()
        await send({"type": "http.response.body", "body": b"b"})
        assert (await left)["type"] == "http.disconnect"

    front = FrontDoor()
    front.open(app)
    async with asyncio.timeout(20):
        assert await front.post("/", {}, b"") == 200


async def test_an_app_that_says_nothing_counts_as_broken_and_one_that_raises_raises() -> None:
    async def silent(scope, receive, send) -> None:
        pass

    async def broken(scope, receive, send) -> None:
        raise ValueError("boom")

    front = FrontDoor()
    with pytest.raises(RuntimeError, match="not open yet"):
        await front.post("/", {}, b"")
    front.open(silent)
    assert await front.post("/", {}, b"") == 500
    front.open(broken)
    with pytest.raises(ValueError, match="boom"):
        await front.post("/", {}, b"")
