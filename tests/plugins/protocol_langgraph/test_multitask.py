"""A second run on a thread that is busy."""

import asyncio
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import ConflictError
from tests.races.graphs import Gate

pytestmark = pytest.mark.anyio

LIMIT = 10


@pytest.fixture
async def first(sdk: LangGraphClient, thread_id: str, gate: Gate) -> "asyncio.Task[Any]":
    """A client that waits for a run which has reached its gate."""
    waiting = asyncio.create_task(sdk.runs.wait(thread_id, "gated", input={"name": "first"}))
    async with asyncio.timeout(LIMIT):
        await gate.reached.wait()
    return waiting


async def test_reject_refuses_the_second(sdk: LangGraphClient, thread_id: str, first: Any, gate: Gate) -> None:
    with pytest.raises(ConflictError, match="already running a task"):
        await sdk.runs.create(thread_id, "count", input={}, multitask_strategy="reject")
    gate.opened.set()
    assert (await first)["steps"] == ["before", "gate of first", "after"]
    assert len(await sdk.runs.list(thread_id)) == 1


async def test_enqueue_lets_the_first_end(sdk: LangGraphClient, thread_id: str, first: Any, gate: Gate) -> None:
    second = await sdk.runs.create(thread_id, "gated", input={"name": "second"})
    assert (await sdk.runs.get(thread_id, second["run_id"]))["status"] == "pending"
    gate.opened.set()
    await first
    values: Any = await sdk.runs.join(thread_id, second["run_id"])
    assert values["steps"] == ["before", "gate of first", "after", "before", "gate of second", "after"]


async def test_interrupt_stops_the_first_and_builds_on_it(
    sdk: LangGraphClient, thread_id: str, first: Any, gate: Gate
) -> None:
    gate.reached.clear()
    second = await sdk.runs.create(thread_id, "gated", input={"name": "second"}, multitask_strategy="interrupt")
    assert (await first) == {"name": "first", "steps": ["before"]}
    async with asyncio.timeout(LIMIT):
        await gate.reached.wait()
    gate.opened.set()
    values: Any = await sdk.runs.join(thread_id, second["run_id"])
    assert values["steps"] == ["before", "before", "gate of second", "after"]
    assert [run["status"] for run in await sdk.runs.list(thread_id)] == ["success", "interrupted"]


async def test_rollback_takes_the_first_back(sdk: LangGraphClient, thread_id: str, first: Any, gate: Gate) -> None:
    gate.reached.clear()
    second = await sdk.runs.create(thread_id, "gated", input={"name": "second"}, multitask_strategy="rollback")
    assert (await first) == {"name": "first", "steps": ["before"]}, "who waits gets the values so far"
    async with asyncio.timeout(LIMIT):
        await gate.reached.wait()
    gate.opened.set()
    values: Any = await sdk.runs.join(thread_id, second["run_id"])
    assert values["steps"] == ["before", "gate of second", "after"]
    assert [run["run_id"] for run in await sdk.runs.list(thread_id)] == [second["run_id"]]
