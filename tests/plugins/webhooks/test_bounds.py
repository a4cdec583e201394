"""What is too large, or cannot be read, hurts nobody else."""

import asyncio

import pytest
from tests.plugins.protocol_langgraph import graphs
from tests.plugins.webhooks.conftest import Serve, states, until_states
from tests.plugins.webhooks.receiver import Receiver

pytestmark = pytest.mark.anyio

COUNT = {"count": graphs.counting()}


def swelling() -> object:
    def swell(state: graphs.Notes) -> graphs.Notes:
        return {"topic": state["topic"][:2] * 100_000}

    builder = graphs.StateGraph(graphs.Notes)
    builder.add_node("swell", swell)
    builder.add_edge(graphs.START, "swell")
    return builder.compile()


@pytest.mark.parametrize(("topic", "omitted"), [("x", None), ("xy", ["values"]), ("x" * 150_000, ["kwargs", "values"])])
async def test_what_is_too_large_is_left_out_and_the_call_says_so(
    serve: Serve, receiver: Receiver, topic: str, omitted: list[str] | None
) -> None:
    receiver.answers += [(500, {})]
    async with serve({"swell": swelling()}, max_payload_mib=0.125, first_retry_seconds=300) as served:
        thread = await served.client.threads.create()
        await served.client.runs.wait(
            thread["thread_id"], "swell", input={"topic": topic}, webhook=receiver.url, raise_error=False
        )
        (call,) = await receiver.wait_for(1)
        sent = call.json
        assert sent.get("omitted") == omitted
        assert (sent["values"] or {}).get("topic") == (None if omitted else "x" * 100_000)
        assert sent["kwargs"].get("input") == (None if "kwargs" in (omitted or []) else {"topic": topic})
        assert len(call.body) < 0.13 * 1024 * 1024
        (kept,) = await states(served)
        assert len(kept["payload"]) < 0.13 * 1024 * 1024


async def test_a_document_that_nobody_can_read_is_given_up_and_others_go_on(serve: Serve, receiver: Receiver) -> None:
    receiver.hold = asyncio.Event()
    async with serve(COUNT) as served:
        await served.client.runs.wait(None, "count", input={"x": 1}, webhook=receiver.url)
        await receiver.wait_for(1)
        deliveries = served.server.collections.documents("webhooks.deliveries")
        (waiting,) = (await deliveries.search("")).items
        await deliveries.put("", "odd", {"run_id": "odd"}, due_at=waiting.created_at)
        await until_states(served, lambda found: any(state.get("reason") == "KeyError" for state in found))
        receiver.hold.set()
        await until_states(served, lambda found: [state["run_id"] for state in found] == ["odd"])
        assert len(receiver.calls) == 1
