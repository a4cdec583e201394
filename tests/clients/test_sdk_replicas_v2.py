"""Sessions of protocol v2 with three servers on one database."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from tests.clients.replicas import SECONDS, Replicas, balancing, occupied, said, thread_on
from tests.faults.cluster import wait_until

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

TRANSPORTS = pytest.mark.parametrize("transport", ["sse", "websocket"])


@TRANSPORTS
async def test_protocol_v2_hears_a_run_that_another_replica_executes(
    replicas: Replicas, clients: list[LangGraphClient], transport: Any
) -> None:
    text = "one two three "
    async with occupied(replicas), clients[0].threads.stream(assistant_id="chat", transport=transport) as thread:
        started = await thread.run.start(input=said(text))
        messages = [message async for message in thread.messages]
        assert [await message.text for message in messages] == [text]
        assert (await thread.output)["messages"][-1]["content"] == text
    assert replicas.executed(started["run_id"]) in ([1], [2])


@TRANSPORTS
async def test_protocol_v2_behind_a_balancer_gives_each_session_its_own_run(replicas: Replicas, transport: Any) -> None:
    """Each stream and each command of a session is another replica's: none knows what the others were told."""
    async with balancing(replicas) as (balancer, client), asyncio.timeout(2 * SECONDS):
        thread_id = await thread_on(client)
        for turn in range(1, 6):
            text = f"turn {turn} "
            async with client.threads.stream(thread_id, assistant_id="chat", transport=transport) as thread:
                started = await thread.run.start(input=said(text))
                if turn % 2:  # the run may be over before anybody listens
                    await client.runs.join(thread_id, started["run_id"])
                messages = [message async for message in thread.messages]
                assert [await message.text for message in messages] == [text]
                assert len((await thread.output)["messages"]) == 2 * turn
    assert min(balancer.counts.values()) > 0


@TRANSPORTS
async def test_protocol_v2_behind_a_balancer_asks_and_is_answered(replicas: Replicas, transport: Any) -> None:
    async with (
        balancing(replicas) as (_, client),
        asyncio.timeout(SECONDS),
        client.threads.stream(assistant_id="ask", transport=transport) as thread,
    ):
        await thread.run.start(input={"topic": "fish"})
        await wait_until(lambda: thread.interrupted, "the question")
        await thread.run.respond("yes")
        output = await thread.output
        assert (output["answer"], output["log"]) == ("yes", ["prepared", "asked", "finished"])


async def test_a_run_that_protocol_v2_started_and_that_is_over_is_heard_once_on_any_replica(replicas: Replicas) -> None:
    """A client subscribes after it has started the run, and somewhere else; a session after it hears only its own."""
    one, two, three = (replica.url for replica in replicas.all)
    path = f"/threads/{uuid4()}"
    channels = {"channels": ["lifecycle", "values"]}
    async with httpx.AsyncClient(timeout=SECONDS) as http, asyncio.timeout(SECONDS):

        async def start(url: str) -> str:
            command = {"id": 1, "method": "run.start", "params": {"assistant_id": "count", "input": {"x": 1}}}
            answer = (await http.post(f"{url}{path}/commands", json=command)).raise_for_status().json()
            run_id: str = answer["result"]["run_id"]
            return run_id

        async def ended(url: str, run_id: str) -> None:
            (await http.get(f"{url}{path}/runs/{run_id}/join")).raise_for_status()

        async def hear(url: str, begun: asyncio.Event) -> list[Any]:
            """The events up to the end of a run."""
            events: list[Any] = []
            async with http.stream("POST", f"{url}{path}/stream/events", json=channels) as answer:
                begun.set()
                async for line in answer.aiter_lines():
                    if line.startswith("data: "):
                        events.append(json.loads(line.removeprefix("data: ")))
                        if events[-1]["params"]["data"].get("event") == "completed":
                            break
            return events

        await ended(one, await start(one))
        first = await hear(two, asyncio.Event())
        assert [event["params"]["data"] for event in first if event["method"] == "values"][-1] == {"x": 2}
        begun = asyncio.Event()
        later = asyncio.create_task(hear(three, begun))
        await begun.wait()
        await ended(two, await start(one))
        values = [event["params"]["data"] for event in await later if event["method"] == "values"]
        assert values[-1] == {"x": 2}, "what another session has heard was told again"
        assert {event["event_id"] for event in first}.isdisjoint(event["event_id"] for event in await later)
