"""A connection that drops in mid-stream costs the Python SDK nothing: no event is lost, none comes twice."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from langgraph_sdk import get_client, get_sync_client
from langgraph_sdk.client import LangGraphClient

from tests.clients.cutting_proxy import CuttingProxy, cutting_proxy
from tests.clients.sdk import Sdk
from tests.clients.served import Served

pytestmark = pytest.mark.anyio


@pytest.fixture
def proxy(served: Served) -> Iterator[CuttingProxy]:
    """Between the client and the server."""
    with cutting_proxy(served.process.port) as proxy:
        yield proxy


async def test_a_stream_goes_on_where_the_connection_dropped(sdk: Sdk, served: Served, proxy: CuttingProxy) -> None:
    async with through(sdk, proxy) as far:
        gates = [served.gate(), served.gate()]
        text = f"one two @{gates[0].name} four five @{gates[1].name} seven"
        thread_id = (await sdk("threads.create"))["thread_id"]
        proxy.cut_after(b"two ", b"five ")
        parts = []
        async for part in far.stream(
            "runs.stream",
            thread_id,
            "chat",
            input={"messages": [{"role": "human", "content": text}]},
            stream_mode=["messages-tuple", "values"],
            stream_resumable=True,
        ):
            parts.append(part)
            for word, gate in zip(("two ", "five "), gates, strict=True):
                if part.event == "messages" and part.data[0]["content"] == word:
                    gate.open()
    assert proxy.cuts == 2
    assert "".join(part.data[0]["content"] for part in parts if part.event == "messages") == f"{text} "
    run_id = parts[0].data["run_id"]
    assert parts == await sdk.parts("runs.join_stream", thread_id, run_id, last_event_id="-1")
    again = [request for request in proxy.requests if b"last-event-id:" in request.lower()]
    assert len(again) == 2


async def test_a_wait_goes_on_where_the_connection_dropped(sdk: Sdk, served: Served, proxy: CuttingProxy) -> None:
    async with through(sdk, proxy) as far:
        gate = served.gate()
        thread_id = (await sdk("threads.create"))["thread_id"]

        def cut(_: bytes) -> bool:
            gate.open()
            proxy.cut_when = lambda data: False
            return True

        proxy.cut_when = cut
        with pytest.warns(UserWarning, match="attempting reconnect"):
            answer = await far("runs.wait", thread_id, "nested", input={"value": "v", "gate": gate.name})
    assert proxy.cuts == 1
    assert answer["value"] == "v>first>inner"
    assert len(await sdk("runs.list", thread_id)) == 1


@asynccontextmanager
async def through(sdk: Sdk, proxy: CuttingProxy) -> AsyncIterator[Sdk]:
    """The same kind of client, behind the proxy."""
    if isinstance(sdk.client, LangGraphClient):
        async with get_client(url=proxy.url) as client:
            yield Sdk(client)
    else:
        with get_sync_client(url=proxy.url) as client:
            yield Sdk(client)
