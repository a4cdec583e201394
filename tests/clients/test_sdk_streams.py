"""Streams of runs through the Python SDK: every mode, joined, resumed, left."""

import pytest

from tests.clients.sdk import Sdk, calls
from tests.clients.served import Gate, Served

pytestmark = pytest.mark.anyio

MODES = ["values", "updates", "messages-tuple", "events", "debug", "tasks", "checkpoints", "custom"]


@pytest.fixture
def gate(served: Served) -> Gate:
    """A closed gate."""
    return served.gate()


async def new_thread(sdk: Sdk) -> str:
    return (await sdk("threads.create"))["thread_id"]


def said(text: str) -> dict:
    return {"messages": [{"role": "human", "content": text}]}


def tokens(parts: list) -> str:
    """What a model said in these parts."""
    return "".join(part.data[0]["content"] for part in parts if part.event == "messages")


@calls("runs.stream")
async def test_each_mode_brings_its_own_events(sdk: Sdk) -> None:
    seen: dict[str, list] = {}
    for mode in MODES:
        thread_id = await new_thread(sdk)
        parts = await sdk.parts("runs.stream", thread_id, "nested", input={"value": "v"}, stream_mode=mode)
        assert parts[0].event == "metadata", mode
        assert parts[0].data["attempt"] == 1
        seen[mode] = [part.data for part in parts[1:]]
        assert {part.event for part in parts[1:]} <= {mode.removesuffix("-tuple")}
    assert seen["values"] == [{"value": "v"}, {"value": "v>first"}, {"value": "v>first>inner"}]
    assert seen["updates"] == [{"first": {"value": "v>first"}}, {"child": {"value": "v>first>inner"}}]
    assert seen["custom"] == [{"progress": "first"}]
    assert [entry["name"] for entry in seen["tasks"]] == ["first", "first", "child", "child"]
    assert [entry["values"] for entry in seen["checkpoints"]][-1] == {"value": "v>first>inner"}
    assert {entry["type"] for entry in seen["debug"]} == {"checkpoint", "task", "task_result"}
    assert seen["events"][0]["event"] == "on_chain_start"
    assert seen["events"][-1]["event"] == "on_chain_end"
    assert seen["messages-tuple"] == []


async def test_a_model_is_heard_word_by_word_or_as_it_grows(sdk: Sdk) -> None:
    tuples = await sdk.parts("runs.stream", None, "chat", input=said("one two three"), stream_mode="messages-tuple")
    words = [part.data[0]["content"] for part in tuples if part.event == "messages"]
    assert [word for word in words if word] == ["one ", "two ", "three "]
    assert tuples[1].data[1]["langgraph_node"] == "speak"
    grown = await sdk.parts("runs.stream", None, "chat", input=said("one two three"), stream_mode="messages")
    partial = [part.data[0]["content"] for part in grown if part.event == "messages/partial"]
    assert list(dict.fromkeys(partial)) == ["one ", "one two ", "one two three "]


async def test_several_modes_come_in_one_stream(sdk: Sdk) -> None:
    created: list[dict] = []
    parts = await sdk.parts(
        "runs.stream",
        await new_thread(sdk),
        "chat",
        input=said("one two"),
        stream_mode=["values", "updates", "messages-tuple"],
        on_run_created=created.append,
    )
    events = [part.event for part in parts]
    assert events[0] == "metadata"
    assert set(events) == {"metadata", "values", "updates", "messages"}
    assert tokens(parts) == "one two "
    assert parts[-1].data["messages"][-1]["content"] == "one two "
    assert created[0]["run_id"] == parts[0].data["run_id"]


async def test_subgraphs_are_heard_under_their_name(sdk: Sdk) -> None:
    parts = await sdk.parts(
        "runs.stream", None, "nested", input={"value": "v"}, stream_mode=["updates"], stream_subgraphs=True
    )
    names = [part.event.split(":")[0] for part in parts]
    assert names == ["metadata", "updates", "updates|child", "updates"]


async def test_version_two_of_the_client_reads_the_same_stream(sdk: Sdk) -> None:
    parts = await sdk.parts(
        "runs.stream",
        None,
        "nested",
        input={"value": "v"},
        stream_mode=["updates", "custom"],
        stream_subgraphs=True,
        version="v2",
    )
    assert [part["type"] for part in parts] == ["metadata", "custom", "updates", "updates", "updates"]
    assert [len(part["ns"]) for part in parts[1:]] == [0, 0, 1, 0]
    assert parts[-1]["data"] == {"child": {"value": "v>first>inner"}}


async def test_an_error_is_the_last_part(sdk: Sdk) -> None:
    parts = await sdk.parts("runs.stream", None, "fail", input={"x": 1})
    assert parts[-1].event == "error"
    assert parts[-1].data == {"error": "ValueError", "message": "boom"}


async def test_an_interrupt_is_told_and_answered_in_streams(sdk: Sdk) -> None:
    thread_id = await new_thread(sdk)
    asked = await sdk.parts("runs.stream", thread_id, "ask", input={"topic": "tea"}, stream_mode="updates")
    assert asked[-1].data["__interrupt__"][0]["value"] == {"question": "tea"}
    done = await sdk.parts("runs.stream", thread_id, "ask", command={"resume": "green"}, stream_mode="updates")
    assert [list(part.data) for part in done[1:]] == [["ask"], ["finish"]]


@calls("runs.join_stream")
async def test_who_joins_hears_the_rest_and_the_whole_if_it_is_resumable(sdk: Sdk, gate: Gate) -> None:
    thread_id = await new_thread(sdk)
    run = await sdk(
        "runs.create",
        thread_id,
        "chat",
        input=said(f"one @{gate.name} three"),
        stream_mode=["messages-tuple", "values"],
        stream_resumable=True,
    )
    heard = []
    async for part in sdk.stream("runs.join_stream", thread_id, run["run_id"], last_event_id="-1"):
        heard.append(part)
        if part.event == "messages" and "one" in part.data[0]["content"]:
            gate.open()
    assert heard[0].event == "metadata"
    assert tokens(heard) == f"one @{gate.name} three "
    ids = [part.id for part in heard]
    assert len(set(ids)) == len(ids)

    again = await sdk.parts("runs.join_stream", thread_id, run["run_id"], last_event_id="-1")
    assert again == heard
    middle = len(heard) // 2
    rest = await sdk.parts("runs.join_stream", thread_id, run["run_id"], last_event_id=heard[middle].id)
    assert rest == heard[middle + 1 :]
    values = await sdk.parts("runs.join_stream", thread_id, run["run_id"], last_event_id="-1", stream_mode=["values"])
    assert {part.event for part in values} == {"values"}


async def test_a_run_whose_client_leaves_is_cancelled_if_it_said_so_and_goes_on_if_not(sdk: Sdk, gate: Gate) -> None:
    for mode, status in (("cancel", "interrupted"), ("continue", "success")):
        thread_id = await new_thread(sdk)
        created: list[dict] = []
        stream = sdk.open(
            "runs.stream",
            thread_id,
            "nested",
            input={"value": "v", "gate": gate.name},
            stream_mode="custom",
            on_disconnect=mode,
            on_run_created=created.append,
        )
        await leave_after(stream, "custom")
        if mode == "continue":
            gate.open()
        await sdk("runs.join", thread_id, created[0]["run_id"])
        assert (await sdk("runs.get", thread_id, created[0]["run_id"]))["status"] == status


async def leave_after(stream, event: str) -> None:
    """Read up to the first part of that name, then hang up."""
    if hasattr(stream, "__anext__"):
        async for part in stream:
            if part.event == event:
                break
        await stream.aclose()
    else:
        for part in stream:
            if part.event == event:
                break
        stream.close()
