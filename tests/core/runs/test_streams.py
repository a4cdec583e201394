"""What a run says: the events of every stream mode, their names, their order and their shapes."""

import itertools
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from tests.core import sample_graphs as graphs
from tests.core.conftest import OpenServer

from longline.auth.principal import LOCAL
from longline.models.events import RunEvent
from longline.models.runs import RunStatus
from longline.runs.stream_modes import MODES, graph_modes
from longline.services.run_requests import RunRequest
from longline.services.server import Server

pytestmark = pytest.mark.anyio

HI = {"messages": [{"role": "user", "content": "hi"}]}


async def stream(server: Server, graph_id: str, *modes: str, **fields: Any) -> list[RunEvent]:
    request = RunRequest(assistant=graph_id, **{"input": {"n": 0}, "stream_modes": modes, **fields})
    run, reader = await server.runs.watch(LOCAL, request)
    events: list[RunEvent] = []
    with reader:
        while page := await reader.read(20):
            events += page
        assert page == [], "the run did not end within 20 s"
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert events[0].mode == "metadata"
    assert data(events[0]) == {"run_id": run.run_id, "attempt": 1}
    return events[1:]


def data(event: RunEvent) -> Any:
    return orjson.loads(event.data)


def modes_of(events: Sequence[RunEvent]) -> list[str]:
    return [event.mode for event in events]


def of_mode(events: Sequence[RunEvent], mode: str) -> list[Any]:
    return [data(event) for event in events if event.mode == mode]


async def test_values_are_the_whole_state_first_after_the_input(open_server: OpenServer) -> None:
    async with open_server({"g": graphs.steps("a", "b")}) as server:
        events = await stream(server, "g", "values")
    assert modes_of(events) == ["values"] * 3
    assert of_mode(events, "values") == [{"notes": [], "n": 0}, {"notes": ["a"], "n": 0}, {"notes": ["a", "b"], "n": 1}]


async def test_updates_are_what_each_node_returned(open_server: OpenServer) -> None:
    async with open_server({"g": graphs.steps("a", "b")}) as server:
        events = await stream(server, "g", "updates")
    assert of_mode(events, "updates") == [{"a": {"notes": ["a"], "n": 0}}, {"b": {"notes": ["b"], "n": 1}}]
    assert modes_of(events) == ["updates"] * 2


async def test_values_messages_and_updates_of_a_chat_come_in_the_order_of_the_reference(
    open_server: OpenServer,
) -> None:
    async with open_server({"chat": graphs.chat()}) as server:
        events = await stream(server, "chat", "values", "messages", "updates", input=HI)
    assert modes_of(events) == [
        "values",
        "messages/metadata",
        "messages/partial",
        "messages/partial",
        "messages/partial",
        "updates",
        "values",
        "messages/metadata",
        "messages/complete",
        "updates",
        "values",
    ]
    partial = of_mode(events, "messages/partial")
    assert [message["content"] for (message,) in partial] == ["one ", "one two ", "one two three"]
    assert {message["type"] for (message,) in partial} == {"ai"}
    (known,) = of_mode(events, "messages/metadata")[0].items()
    assert known[0] == partial[0][0]["id"]
    assert known[1]["metadata"]["langgraph_node"] == "model"
    assert of_mode(events, "messages/complete")[0][0]["type"] == "tool"


async def test_message_tuples_are_the_pieces_with_their_metadata(open_server: OpenServer) -> None:
    async with open_server({"chat": graphs.chat()}) as server:
        events = await stream(server, "chat", "messages-tuple", "messages", input=HI)
    assert set(modes_of(events)) == {"messages"}
    pieces = of_mode(events, "messages")
    assert [message["content"] for message, _ in pieces] == ["one ", "two ", "three", "done"]
    assert [message["type"] for message, _ in pieces] == ["AIMessageChunk"] * 3 + ["tool"]
    assert [metadata["langgraph_node"] for _, metadata in pieces] == ["model"] * 3 + ["tool"]
    assert pieces[2][0]["chunk_position"] == "last"


async def test_tasks_start_and_end_with_their_result_as_an_object(open_server: OpenServer) -> None:
    async with open_server({"g": graphs.steps("a")}) as server:
        started, ended = of_mode(await stream(server, "g", "tasks"), "tasks")
    assert set(started) >= {"id", "name", "input", "triggers"}
    assert "result" not in started
    assert (ended["id"], ended["name"], ended["error"]) == (started["id"], "a", None)
    assert ended["result"] == {"notes": ["a"], "n": 0}


async def test_checkpoints_show_public_configs_alone(open_server: OpenServer) -> None:
    async with open_server({"g": graphs.steps("a")}) as server:
        thread = await server.threads.create(LOCAL)
        found = of_mode(await stream(server, "g", "checkpoints", thread_id=thread.thread_id), "checkpoints")
    assert [checkpoint["metadata"]["step"] for checkpoint in found] == [-1, 0, 1]
    assert found[0]["parent_config"] is None
    for earlier, later in itertools.pairwise(found):
        assert (
            later["parent_config"]["configurable"]["checkpoint_id"]
            == (earlier["config"]["configurable"]["checkpoint_id"])
        )
    for checkpoint in found:
        assert not [name for name in checkpoint["config"]["configurable"] if name.startswith("__pregel")]
        assert set(checkpoint) >= {"config", "parent_config", "values", "metadata", "next", "tasks"}


async def test_debug_tells_checkpoints_tasks_and_results(open_server: OpenServer) -> None:
    async with open_server({"g": graphs.steps("a"), "nested": graphs.nested()}) as server:
        thread = await server.threads.create(LOCAL)
        found = of_mode(await stream(server, "g", "debug", thread_id=thread.thread_id), "debug")
        assert [item["type"] for item in found] == ["checkpoint", "checkpoint", "task", "task_result", "checkpoint"]
        checkpoint, result = found[1]["payload"], found[3]["payload"]
        assert checkpoint["checkpoint"]["thread_id"] == thread.thread_id
        assert checkpoint["parent_checkpoint"]["checkpoint_id"] == found[0]["payload"]["checkpoint"]["checkpoint_id"]
        assert found[0]["payload"]["parent_checkpoint"] is None
        assert result["result"] == {"notes": ["a"], "n": 0}
        other = await server.threads.create(LOCAL)
        deep = of_mode(await stream(server, "nested", "debug", thread_id=other.thread_id, subgraphs=True), "debug")
        tasks = [task for item in deep if item["type"] == "checkpoint" for task in item["payload"]["tasks"]]
        assert all("state" not in task or task["state"] is None for task in tasks if "checkpoint" in task)


async def test_custom_events_and_namespaces_of_a_graph_in_a_graph(open_server: OpenServer) -> None:
    async with open_server({"g": graphs.nested()}) as server:
        events = await stream(server, "g", "updates", "custom", subgraphs=True)
        assert of_mode(events, "custom") == [{"half": "way"}]
        inside = [event for event in events if event.namespace]
        assert {event.namespace[0].partition(":")[0] for event in inside} == {"child"}
        assert [data(event) for event in inside if event.mode == "updates"] == [{"inside": {"notes": ["inside"]}}]
        flat = await stream(server, "g", "updates", "custom")
        assert {event.namespace for event in flat} == {()}


async def test_events_come_with_the_other_modes_in_between(open_server: OpenServer) -> None:
    async with open_server({"chat": graphs.chat()}) as server:
        events = await stream(server, "chat", "events", "values", input=HI)
    kinds = [event["event"] for event in of_mode(events, "events")]
    assert kinds[0] == "on_chain_start"
    assert kinds[-1] == "on_chain_end"
    assert kinds.count("on_chat_model_stream") == 3
    assert len(of_mode(events, "values")) == 3
    names = {event["name"] for event in of_mode(events, "events")}
    assert {"chat", "model", "tool"} <= names


async def test_a_graph_that_fails_says_so_last(open_server: OpenServer) -> None:
    async with open_server({"g": graphs.steps("a", "b", fails="b")}) as server:
        thread = await server.threads.create(LOCAL)
        events = await stream(server, "g", "values", "tasks", thread_id=thread.thread_id)
        assert data(events[-1]) == {"error": "ValueError", "message": "no b"}
        assert events[-1].mode == "error"
        found = await server.threads.get(LOCAL, thread.thread_id)
        assert (found.status, found.error.message) == ("error", "no b")
        assert orjson.loads(found.values)["notes"] == ["a"]


async def test_an_interrupt_is_the_last_value_and_a_command_goes_on(open_server: OpenServer) -> None:
    async with open_server({"g": graphs.steps("a", "b", asks="b")}) as server:
        thread = await server.threads.create(LOCAL)
        events = await stream(server, "g", "values", "updates", thread_id=thread.thread_id)
        (asked,) = of_mode(events, "updates")[-1]["__interrupt__"]
        assert asked["value"] == {"question": "b"}
        found = await server.threads.get(LOCAL, thread.thread_id)
        assert found.status == "interrupted"
        ((waiting,),) = orjson.loads(found.interrupts).values()
        assert waiting == {"id": asked["id"], "value": {"question": "b"}}
        answer = {"input": None, "command": {"resume": "!"}, "thread_id": thread.thread_id}
        events = await stream(server, "g", "values", **answer)
        assert of_mode(events, "values")[-1]["notes"] == ["a", "b!"]
        assert (await server.threads.get(LOCAL, thread.thread_id)).status == "idle"


@pytest.mark.parametrize(
    ("command", "notes"),
    [
        ({"goto": "b"}, ["b"]),
        ({"goto": ["b", "c"]}, ["b", "c"]),
        ({"goto": {"node": "c", "input": {"n": 1}}}, ["c"]),
        ({"goto": [{"node": "b", "input": {}}, "c"]}, ["b", "c"]),
        ({"update": {"notes": ["u"]}, "goto": "b"}, ["u", "b"]),
        ({"update": [["notes", ["u"]]], "goto": "b"}, ["u", "b"]),
        ({"update": [["notes", ["u"]], ["notes", ["v"]]], "goto": "b"}, ["u", "v", "b"]),
    ],
)
async def test_a_command_updates_and_jumps(open_server: OpenServer, command: dict[str, Any], notes: list[str]) -> None:
    async with open_server({"g": graphs.jumping()}) as server:
        thread = await server.threads.create(LOCAL)
        first = await stream(server, "g", "values", thread_id=thread.thread_id, input={"n": 1})
        assert of_mode(first, "values")[-1]["notes"] == ["a", "c"]
        events = await stream(server, "g", "values", thread_id=thread.thread_id, input=None, command=command)
        assert sorted(of_mode(events, "values")[-1]["notes"]) == sorted(["a", "c", *notes])


@pytest.mark.parametrize(("where", "notes"), [("interrupt_before", ["a"]), ("interrupt_after", ["a", "b"])])
async def test_a_run_stops_where_it_was_told_to(open_server: OpenServer, where: str, notes: list[str]) -> None:
    async with open_server({"g": graphs.steps("a", "b", "c")}) as server:
        thread = await server.threads.create(LOCAL)
        events = await stream(server, "g", "values", thread_id=thread.thread_id, **{where: ["b"]})
        assert [value["notes"] for value in of_mode(events, "values") if "__interrupt__" not in value][-1] == notes
        assert (await server.threads.get(LOCAL, thread.thread_id)).status == "interrupted"


async def test_a_run_that_nobody_reads_says_nothing_and_ends_all_the_same(open_server: OpenServer) -> None:
    async with open_server({"g": graphs.steps("a")}) as server:
        run = await server.runs.create(LOCAL, RunRequest(assistant="g", input={"n": 0}, keep_thread=True))
        _, reader = await server.runs.join(LOCAL, run.thread_id, run.run_id)
        with reader:
            end = await reader.wait_for_end(20)
        assert end is not None
        assert (end.status, orjson.loads(end.result)) == (RunStatus.SUCCESS, {"notes": ["a"], "n": 0})


def test_values_are_always_asked_for_and_events_never() -> None:
    assert graph_modes([]) == ["values"]
    assert graph_modes(["events", "messages-tuple", "messages"]) == ["messages", "values"]
    assert set(graph_modes(MODES)) == {*MODES} - {"events", "messages-tuple"}
