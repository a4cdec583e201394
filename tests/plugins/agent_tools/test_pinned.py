"""Calls go to the address that was checked, in bounds."""

import gzip
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from tests.supabase.serving import ServedApp

from longline.auth.addresses import Address
from longline.auth.urls import UrlPolicy
from longline.errors import UrlRefusedError
from longline_agent_tools.pinned import AnswerEncodedError, AnswerTooLargeError, PinnedTransport

LOOPBACK = UrlPolicy(purpose="mcp", allow_loopback=True)


class Names:
    """A resolver whose answers change."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[Address]:
        self.asked.append(host)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [ip_address(one) for one in answer]


async def greet(request: Request) -> Response:
    return PlainTextResponse(f"{request.headers['host']} {request.headers['accept-encoding']}")


async def compress(request: Request) -> Response:
    return Response(gzip.compress(b"0" * 1_000_000), headers={"content-encoding": "gzip"})


@asynccontextmanager
async def calling(
    policy: UrlPolicy, names: Names, most_bytes: int = 1000
) -> AsyncIterator[tuple[httpx.AsyncClient, str]]:
    """A client, and the URL of a server that it may find under any name."""
    served = ServedApp(lambda: Starlette(routes=[Route("/", greet), Route("/zip", compress)]))
    served.start()
    transport = PinnedTransport(policy, keep_seconds=5, most_bytes=most_bytes, resolver=names)
    try:
        async with httpx.AsyncClient(transport=transport) as client:
            yield client, f"http://tools.example:{served.port}/"
    finally:
        served.stop()


@pytest.mark.anyio
async def test_the_call_goes_to_the_address_and_says_the_name() -> None:
    names = Names(["127.0.0.1"])
    async with calling(LOOPBACK, names) as (client, url):
        answer = await client.get(url)
    assert answer.text == f"{url.removeprefix('http://').rstrip('/')} identity"
    assert names.asked == ["tools.example"]


@pytest.mark.anyio
async def test_a_name_is_looked_at_with_each_call() -> None:
    names = Names(["127.0.0.1"], ["10.0.0.1"], ["127.0.0.1", "169.254.169.254"])
    async with calling(LOOPBACK, names) as (client, url):
        assert (await client.get(url)).status_code == 200
        for reason in ("private IP range", "link-local IP range"):
            with pytest.raises(UrlRefusedError, match=reason):
                await client.get(url)


@pytest.mark.anyio
async def test_an_address_that_does_not_answer_is_followed_by_the_next() -> None:
    async with calling(LOOPBACK, Names(["127.9.9.9", "127.0.0.1"])) as (client, url):
        assert (await client.get(url)).status_code == 200
    async with calling(LOOPBACK, Names(["127.9.9.9"])) as (client, url):
        with pytest.raises(httpx.ConnectError):
            await client.get(url)


@pytest.mark.anyio
async def test_an_answer_is_read_up_to_a_size_and_never_unpacked() -> None:
    async with calling(LOOPBACK, Names(["127.0.0.1"]), most_bytes=10) as (client, url):
        with pytest.raises(AnswerTooLargeError):
            await client.get(url)
        with pytest.raises(AnswerEncodedError):
            await client.get(f"{url}zip")
