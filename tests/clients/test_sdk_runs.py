"""`client.runs` of the Python SDK, against a server; streams have a module of their own."""

import asyncio
from uuid import uuid4

import httpx
import pytest
from langgraph_sdk.errors import ConflictError, NotFoundError
from langgraph_sdk.schema import RunCreate

from tests.clients.sdk import Sdk, calls
from tests.clients.served import Gate, Served

pytestmark = pytest.mark.anyio

UNKNOWN = str(uuid4())


@pytest.fixture
def gate(served: Served) -> Gate:
    """A closed gate."""
    return served.gate()


async def new_thread(sdk: Sdk) -> str:
    return (await sdk("threads.create"))["thread_id"]


async def begun(sdk: Sdk, thread_id: str, gate: Gate, **options: object) -> str:
    """A run that waits at the gate, its first checkpoint stored."""
    run = await sdk("runs.create", thread_id, "nested", input={"value": "v", "gate": gate.name}, **options)
    async with asyncio.timeout(10):
        while (await sdk("threads.get_state", thread_id))["next"] != ["first"]:
            await asyncio.sleep(0.01)
    return run["run_id"]


@calls("runs.create", "runs.get", "runs.list", "runs.join", "runs.delete")
async def test_a_run_is_created_followed_listed_and_deleted(sdk: Sdk) -> None:
    thread_id = await new_thread(sdk)
    created: list[dict] = []
    run = await sdk(
        "runs.create", thread_id, "count", input={"x": 1}, metadata={"why": "test"}, on_run_created=created.append
    )
    run_id = run["run_id"]
    assert run["status"] == "pending"
    assert run["metadata"]["why"] == "test"
    assert created == [{"run_id": run_id, "thread_id": thread_id}]
    assert await sdk("runs.join", thread_id, run_id) == {"x": 2}
    assert (await sdk("runs.get", thread_id, run_id))["status"] == "success"
    second = (await sdk("runs.create", thread_id, "count"))["run_id"]
    await sdk("runs.join", thread_id, second)
    listed = await sdk("runs.list", thread_id)
    assert [run["run_id"] for run in listed] == [second, run_id]
    assert [r["run_id"] for r in await sdk("runs.list", thread_id, limit=1, offset=1)] == [run_id]
    assert await sdk("runs.list", thread_id, status="error") == []
    assert await sdk("runs.list", thread_id, limit=1, select=["run_id"]) == [{"run_id": second}]
    assert await sdk("runs.delete", thread_id, run_id) is None
    with pytest.raises(NotFoundError):
        await sdk("runs.get", thread_id, run_id)


async def test_a_run_on_an_unknown_thread_is_not_found_unless_it_may_create_it(sdk: Sdk) -> None:
    thread_id = str(uuid4())
    with pytest.raises(NotFoundError):
        await sdk("runs.create", thread_id, "count", input={})
    assert await sdk("runs.wait", thread_id, "count", input={"x": 4}, if_not_exists="create") == {"x": 5}
    assert (await sdk("threads.get", thread_id))["values"] == {"x": 5}


@calls("runs.wait")
async def test_wait_answers_with_the_values_and_an_error_raises(sdk: Sdk) -> None:
    thread_id = await new_thread(sdk)
    created: list[dict] = []
    answer = await sdk("runs.wait", thread_id, "count", input={"x": 1}, on_run_created=created.append)
    assert answer == {"x": 2}
    assert (await sdk("runs.get", thread_id, created[0]["run_id"]))["status"] == "success"
    assert await sdk("runs.wait", None, "count", input={"x": 5}) == {"x": 6}
    with pytest.raises(Exception, match="ValueError: boom"):
        await sdk("runs.wait", thread_id, "fail", input={"x": 1})
    told = await sdk("runs.wait", thread_id, "fail", input={"x": 1}, raise_error=False)
    assert told["__error__"] == {"error": "ValueError", "message": "boom"}
    assert (await sdk("threads.get", thread_id))["status"] == "error"


async def test_configuration_and_context_reach_the_graph(sdk: Sdk) -> None:
    by_config = await sdk("runs.wait", None, "tell", input={}, config={"configurable": {"colour": "red"}})
    assert by_config["told"]["colour"] == "red"
    by_context = await sdk("runs.wait", None, "tell", input={}, context={"language": "fr"})
    assert by_context["language"] == "fr"
    assistant = await sdk("assistants.create", "tell", context={"language": "de"})
    by_assistant = await sdk("runs.wait", None, assistant["assistant_id"], input={})
    assert by_assistant["language"] == "de"
    assert by_assistant["told"]["assistant_id"] == assistant["assistant_id"]


async def test_an_interrupt_waits_for_an_answer(sdk: Sdk) -> None:
    thread_id = await new_thread(sdk)
    stopped = await sdk("runs.wait", thread_id, "ask", input={"topic": "tea"})
    (asked,) = stopped["__interrupt__"]
    assert asked["value"] == {"question": "tea"}
    thread = await sdk("threads.get", thread_id)
    assert thread["status"] == "interrupted"
    assert [entry["id"] for entries in thread["interrupts"].values() for entry in entries] == [asked["id"]]
    done = await sdk("runs.wait", thread_id, "ask", command={"resume": {asked["id"]: "green"}})
    assert (done["answer"], done["log"]) == ("green", ["prepared", "asked", "finished"])
    assert (await sdk("threads.get", thread_id))["status"] == "idle"


async def test_a_run_stops_where_it_is_told_and_goes_on_with_what_a_command_says(sdk: Sdk) -> None:
    thread_id = await new_thread(sdk)
    await sdk("runs.wait", thread_id, "ask", input={"topic": "tea"}, interrupt_after=["prepare"])
    assert (await sdk("threads.get_state", thread_id))["next"] == ["ask"]
    done = await sdk(
        "runs.wait", thread_id, "ask", command={"update": {"log": ["told"]}, "goto": "finish"}, durability="sync"
    )
    assert done["log"] == ["prepared", "told", "finished"]


async def test_a_run_starts_from_a_checkpoint_of_the_past(sdk: Sdk) -> None:
    thread_id = await new_thread(sdk)
    for _ in range(3):
        await sdk("runs.wait", thread_id, "count", input={})
    history = await sdk("threads.get_history", thread_id, limit=100)
    (first,) = [state for state in history if state["values"] == {"x": 1} and not state["next"]]
    assert await sdk("runs.wait", thread_id, "count", input={}, checkpoint=first["checkpoint"]) == {"x": 2}
    assert await sdk("runs.wait", thread_id, "count", input={}) == {"x": 3}
    by_id = await sdk("runs.wait", thread_id, "count", input={}, checkpoint_id=first["checkpoint"]["checkpoint_id"])
    assert by_id == {"x": 2}


async def test_only_the_last_state_is_kept_when_durability_says_exit(sdk: Sdk) -> None:
    thread_id = await new_thread(sdk)
    await sdk("runs.wait", thread_id, "nested", input={"value": "v"}, durability="exit")
    assert len(await sdk("threads.get_history", thread_id)) == 1


async def test_a_run_may_begin_later(sdk: Sdk) -> None:
    thread_id = await new_thread(sdk)
    run = await sdk("runs.create", thread_id, "count", input={"x": 1}, after_seconds=1000)
    assert (await sdk("runs.get", thread_id, run["run_id"]))["status"] == "pending"
    assert (await sdk("threads.get", thread_id))["status"] == "busy"
    await sdk("runs.cancel", thread_id, run["run_id"], wait=True)
    assert (await sdk("runs.get", thread_id, run["run_id"]))["status"] == "interrupted"


@calls("runs.create_batch")
async def test_a_batch_starts_one_run_for_each_entry(sdk: Sdk) -> None:
    payloads = [RunCreate(assistant_id="count", input={"x": x}) for x in (1, 2)]
    runs = await sdk("runs.create_batch", payloads)
    assert [run["kwargs"]["input"] for run in runs] == [{"x": 1}, {"x": 2}]
    assert len({run["run_id"] for run in runs}) == 2


@calls("runs.cancel")
async def test_a_run_is_cancelled_and_its_last_checkpoint_kept(sdk: Sdk, gate: Gate) -> None:
    thread_id = await new_thread(sdk)
    run_id = await begun(sdk, thread_id, gate)
    await sdk("runs.cancel", thread_id, run_id, wait=True)
    assert (await sdk("runs.get", thread_id, run_id))["status"] == "interrupted"
    assert (await sdk("threads.get", thread_id))["status"] == "interrupted"
    assert (await sdk("threads.get_state", thread_id))["next"] == ["first"]
    with pytest.raises(NotFoundError):
        await sdk("runs.cancel", thread_id, run_id)


async def test_a_rollback_leaves_nothing_of_the_run(sdk: Sdk, gate: Gate) -> None:
    thread_id = await new_thread(sdk)
    run_id = await begun(sdk, thread_id, gate)
    await sdk("runs.cancel", thread_id, run_id, wait=True, action="rollback")
    with pytest.raises(NotFoundError):
        await sdk("runs.get", thread_id, run_id)
    assert await sdk("threads.get_history", thread_id) == []


@calls("runs.cancel_many")
async def test_several_runs_are_cancelled_at_once(sdk: Sdk, gate: Gate) -> None:
    thread_id = await new_thread(sdk)
    running = await begun(sdk, thread_id, gate)
    queued = (await sdk("runs.create", thread_id, "count", input={"x": 1}))["run_id"]
    assert await sdk("runs.cancel_many", thread_id=thread_id, run_ids=[running, queued]) is None
    await sdk("runs.join", thread_id, running)
    statuses = {run["run_id"]: run["status"] for run in await sdk("runs.list", thread_id)}
    assert statuses == {running: "interrupted", queued: "interrupted"}
    with pytest.raises(NotFoundError):
        await sdk("runs.cancel_many", thread_id=thread_id, run_ids=[UNKNOWN])


@pytest.mark.parametrize("strategy", ["interrupt", "rollback"])
async def test_a_second_run_takes_the_place_of_the_first(sdk: Sdk, gate: Gate, strategy: str) -> None:
    thread_id = await new_thread(sdk)
    first = await begun(sdk, thread_id, gate)
    second = await sdk("runs.wait", thread_id, "nested", input={"value": "w", "gate": ""}, multitask_strategy=strategy)
    assert second["value"] == "w>first>inner"
    listed = {run["run_id"]: run["status"] for run in await sdk("runs.list", thread_id)}
    assert listed.get(first) == ("interrupted" if strategy == "interrupt" else None)


async def test_a_second_run_waits_its_turn_or_is_refused(sdk: Sdk, gate: Gate) -> None:
    thread_id = await new_thread(sdk)
    first = await begun(sdk, thread_id, gate)
    with pytest.raises(ConflictError):
        await sdk("runs.create", thread_id, "nested", input={"value": "x"}, multitask_strategy="reject")
    second = await sdk("runs.create", thread_id, "nested", input={"value": "w", "gate": ""})
    assert (await sdk("runs.get", thread_id, second["run_id"]))["status"] == "pending"
    gate.open()
    assert (await sdk("runs.join", thread_id, first))["value"].startswith("v>first")
    assert (await sdk("runs.join", thread_id, second["run_id"]))["value"] == "w>first>inner"


async def test_an_unknown_run_has_no_status(sdk: Sdk) -> None:
    thread_id = await new_thread(sdk)
    with pytest.raises(NotFoundError):
        await sdk("runs.get", thread_id, UNKNOWN)
    with pytest.raises(httpx.HTTPStatusError, match="Invalid assistant"):
        await sdk("runs.wait", thread_id, "no-graph-of-that-name", input={})
