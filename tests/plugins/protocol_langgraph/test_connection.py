"""A client that leaves is noticed while it is being answered, and nothing else is taken for its leaving."""

import asyncio

import pytest

from longline.asgi.types import Message
from longline_protocol_langgraph.connection import Connection

pytestmark = pytest.mark.anyio


class Client:
    """What a server tells of a client: nothing until it leaves."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self._has_sent = False

    async def receive(self) -> Message:
        if not self._has_sent:
            self._has_sent = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.left.wait()
        return {"type": "http.disconnect"}


async def test_the_body_is_broken_off_when_the_client_leaves() -> None:
    client, reached = Client(), []
    async with asyncio.timeout(5):
        async with Connection(client.receive) as connection:
            client.left.set()
            await asyncio.Event().wait()
            reached.append("the end")
    assert connection.is_lost
    assert reached == []
    await asyncio.sleep(0)  # the cancellation is used up


async def test_a_body_that_ends_first_is_not_disturbed() -> None:
    client = Client()
    async with Connection(client.receive) as connection:
        await asyncio.sleep(0)
    client.left.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not connection.is_lost


async def test_an_error_of_the_body_passes() -> None:
    with pytest.raises(ValueError, match="mine"):
        async with Connection(Client().receive):
            raise ValueError("mine")


async def test_a_cancellation_from_outside_passes() -> None:
    entered = asyncio.Event()

    async def answer() -> None:
        async with Connection(Client().receive):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(answer())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_timeout_inside_the_body_is_still_a_timeout() -> None:
    async with Connection(Client().receive) as connection:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
    assert not connection.is_lost
