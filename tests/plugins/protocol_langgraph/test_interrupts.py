"""Runs that stop for a person, and what the person says."""

from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient

pytestmark = pytest.mark.anyio


async def test_an_interrupt_ends_the_run_and_is_shown_on_thread_and_state(sdk: LangGraphClient, thread_id: str) -> None:
    values: Any = await sdk.runs.wait(thread_id, "ask", input={"topic": "tea"})
    (interrupt,) = values["__interrupt__"]
    assert interrupt["value"] == {"question": "tea"}
    (run,) = await sdk.runs.list(thread_id)
    assert run["status"] == "success"
    thread: Any = await sdk.threads.get(thread_id)
    assert thread["status"] == "interrupted"
    ((shown,),) = thread["interrupts"].values()
    assert shown == {"id": interrupt["id"], "value": {"question": "tea"}}
    state: Any = await sdk.threads.get_state(thread_id)
    assert state["next"] == ["ask"]
    assert state["tasks"][0]["interrupts"] == state["interrupts"] == [shown]


async def test_the_answer_goes_on_where_the_run_stopped(sdk: LangGraphClient, thread_id: str) -> None:
    await sdk.runs.wait(thread_id, "ask", input={"topic": "tea"})
    command: Any = {"resume": {"ok": True}, "update": {"topic": "coffee"}}
    values: Any = await sdk.runs.wait(thread_id, "ask", command=command)
    assert values == {"topic": "coffee", "answer": {"ok": True}, "log": ["prepared", "asked", "finished"]}
    thread: Any = await sdk.threads.get(thread_id)
    assert (thread["status"], thread["interrupts"]) == ("idle", {})


async def test_an_answer_may_name_its_interrupt(sdk: LangGraphClient, thread_id: str) -> None:
    values: Any = await sdk.runs.wait(thread_id, "ask", input={"topic": "tea"})
    answers: Any = {"resume": {values["__interrupt__"][0]["id"]: "by name"}}
    values = await sdk.runs.wait(thread_id, "ask", command=answers)
    assert values["answer"] == "by name"


async def test_an_answer_that_nobody_waits_for_changes_nothing(sdk: LangGraphClient, thread_id: str) -> None:
    await sdk.runs.wait(thread_id, "ask", input={"topic": "tea"})
    first: Any = await sdk.runs.wait(thread_id, "ask", command={"resume": "yes"})
    assert await sdk.runs.wait(thread_id, "ask", command={"resume": "again"}) == first


async def test_a_run_stops_before_and_after_the_nodes_that_were_named(sdk: LangGraphClient, thread_id: str) -> None:
    values: Any = await sdk.runs.wait(thread_id, "ask", input={"topic": "tea"}, interrupt_before=["ask"])
    assert values["log"] == ["prepared"]
    assert (await sdk.threads.get_state(thread_id))["next"] == ["ask"]
    other = (await sdk.threads.create())["thread_id"]
    await sdk.runs.wait(other, "nested", input={"value": "v"}, interrupt_after="*")
    assert (await sdk.threads.get_state(other))["next"] == ["child"]
    assert await sdk.runs.wait(other, "nested") == {"value": "v>first>inner"}


async def test_a_command_goes_to_a_node_with_an_input_of_its_own(sdk: LangGraphClient, thread_id: str) -> None:
    by_name: Any = await sdk.runs.wait(thread_id, "ask", command={"goto": "finish", "update": {"topic": "tea"}})
    assert "finished" in by_name["log"]
    send: Any = {"goto": [{"node": "finish", "input": {"topic": "coffee"}}]}
    other = (await sdk.threads.create())["thread_id"]
    stream = sdk.runs.stream(other, "ask", command=send, stream_mode="updates")
    assert {"finish": {"log": ["finished"]}} in [part.data async for part in stream]
