"""The routes, asked over HTTP on a real server."""

from collections.abc import AsyncIterator

import httpx
import pytest

from longline.runtime import OpenServer

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(opened: OpenServer) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the server."""
    transport = httpx.ASGITransport(opened.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test", timeout=30) as client:
        yield client


async def test_somebody_is_greeted(client: httpx.AsyncClient) -> None:
    answer = await client.get("/hello/greet/Ada")
    assert (answer.status_code, answer.json()) == (200, {"text": "Hello, Ada!"})


async def test_nobody_is_not_greeted(client: httpx.AsyncClient) -> None:
    answer = await client.get("/hello/greet/%20")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_input")


async def test_a_question_is_answered_by_the_agent(client: httpx.AsyncClient) -> None:
    answer = await client.post("/hello/run", json={"text": "What is 2 + 2?"})
    assert answer.status_code == 200
    assert "4" in answer.json()["text"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"text": ""}', b'{"text": 5}', b'"hello"'])
async def test_a_body_that_is_no_question_is_refused(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post("/hello/run", content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_input")


async def test_the_server_tells_who_answers(opened: OpenServer) -> None:
    assert opened.server.describe()["hello"] == {"assistant": "agent"}
