"""MUST requirements of A2A 1.0 on streams: sections 3.1.2, 3.1.6 and 3.5.2, over both bindings.

Each test names the requirements of the conformance suite (branch 1.0-dev) that it stands for."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from a2a.types import StreamResponse
from google.protobuf.json_format import ParseDict
from tests.plugins.protocol_a2a.test_must_core import COMPLETED, INPUT_REQUIRED, TERMINAL
from tests.plugins.protocol_a2a.wires import SECONDS, Json, Stream, Wire, all_of, closing, said

_ORDER = {"TASK_STATE_SUBMITTED": 0, "TASK_STATE_WORKING": 1, INPUT_REQUIRED: 1, **dict.fromkeys(TERMINAL, 2)}


def _states(events: list[Json]) -> list[str]:
    """What each event that has a status says."""
    told = [event.get("task") or event.get("statusUpdate") for event in events]
    return [part["status"]["state"] for part in told if part]


def _text(events: list[Json]) -> str:
    """What the artifacts say together, pieces appended as they say."""
    updates = [event["artifactUpdate"] for event in events if "artifactUpdate" in event]
    texts: dict[str, str] = {}
    for update in updates:
        artifact = update["artifact"]
        piece = "".join(part.get("text", "") for part in artifact["parts"])
        texts[artifact["artifactId"]] = piece if not update.get("append") else texts[artifact["artifactId"]] + piece
    return "".join(texts.values())


def _asking(wire: Wire) -> str:
    answer = wire.send(said("input-required"))
    assert answer.state == INPUT_REQUIRED
    return str(answer.task["id"])


@pytest.mark.parametrize(
    ("case", "text"),
    [
        ("stream-001", "Stream hello from TCK"),
        ("stream-003", "Stream task lifecycle"),
        ("stream-ordering-001", "Ordered output"),
        ("stream-artifact-text", "Streamed text content"),
        ("stream-artifact-chunked", "chunk-1 chunk-2"),
    ],
)
def test_a_stream_tells_of_a_task_from_its_begin_to_its_end(wire: Wire, case: str, text: str) -> None:
    """CORE-STREAM-001, CORE-STREAM-003, STREAM-ORDER-001: a stream begins with the task, goes on with updates in the
    order in which they happened, and is closed at a terminal state."""
    events = all_of(wire.stream(said(case)))
    assert "task" in events[0]
    assert all("task" in event or "statusUpdate" in event or "artifactUpdate" in event for event in events)
    states = _states(events)
    assert [_ORDER[state] for state in states] == sorted(_ORDER[state] for state in states)
    assert states[-1] == COMPLETED
    assert "artifactUpdate" not in events[-1]
    assert "TASK_STATE_WORKING" in states
    assert _text(events) == text
    task = wire.get(events[0]["task"]["id"]).task
    assert "".join(part["text"] for artifact in task["artifacts"] for part in artifact["parts"]) == text


def test_a_stream_of_a_message_is_that_message(wire: Wire) -> None:
    """CORE-STREAM-002: where the agent answers with a message the stream has exactly this message and is closed; an
    agent that made a task of it sends a task's stream."""
    events = all_of(wire.stream(said("stream-002")))
    if "message" in events[0]:
        assert [set(event) for event in events] == [{"message"}]
        assert events[0]["message"]["parts"] == [{"text": "Stream message-only response"}]
    else:
        assert not [event for event in events if "message" in event]
        assert _states(events)[-1] == COMPLETED


@pytest.mark.parametrize("case", ["stream-001", "stream-artifact-file", "stream-artifact-chunked", "input-required"])
def test_every_event_is_a_stream_response(wire: Wire, case: str) -> None:
    """JSONRPC-SSE-001, HTTP_JSON-SSE-001: a stream is text/event-stream, and each event is one StreamResponse; in
    JSON-RPC within an envelope of its own."""
    stream = wire.stream(said(case))
    assert stream.http.headers["content-type"].startswith("text/event-stream")
    for event in all_of(stream):
        parsed = ParseDict(event, StreamResponse())  # refuses fields and values that are none
        assert parsed.WhichOneof("payload") is not None
        assert len(event) == 1


def test_a_file_is_streamed_as_a_file(wire: Wire) -> None:
    """STREAM-ORDER-001: what is no text comes in one piece."""
    events = all_of(wire.stream(said("stream-artifact-file")))
    (part,) = next(event["artifactUpdate"]["artifact"]["parts"] for event in events if "artifactUpdate" in event)
    assert (part["filename"], part["mediaType"]) == ("output.txt", "text/plain")
    assert part["raw"] == "b3V0cHV0IG9mIHRoZSBhZ2VudA=="


def test_a_stream_ends_where_the_agent_asks(wire: Wire) -> None:
    """CORE-STREAM-003: the stream of a message is closed when the task waits for input."""
    assert _states(all_of(wire.stream(said("input-required"))))[-1] == INPUT_REQUIRED


def test_a_subscription_begins_with_the_task(wire: Wire) -> None:
    """STREAM-SUB-001: the first event is the task as it stands."""
    task_id = _asking(wire)
    with closing(wire.subscribe(task_id)) as events:
        assert next(events)["task"] == wire.get(task_id).task


def test_a_subscription_lasts_until_the_task_ends(wire: Wire) -> None:
    """STREAM-SUB-002: a subscription outlives the states in which an agent waits, and is closed at a terminal one."""
    task_id = _asking(wire)
    with closing(wire.subscribe(task_id)) as events:
        first = next(events)
        assert wire.send(said("input-required", taskId=task_id)).state == INPUT_REQUIRED
        assert wire.send(said("complete-task", taskId=task_id)).state == COMPLETED
        rest = list(events)
    assert _states([first]) == [INPUT_REQUIRED]
    assert _states(rest)[-1] == COMPLETED
    assert INPUT_REQUIRED in _states(rest)
    assert _text(rest) == "Hello from TCK"


def test_subscriptions_leave_nothing_out(wire: Wire) -> None:
    """STREAM-ORDER-001, STREAM-ORDER-003: however fast a task goes on, and however many follow it, each is told all
    that happened, in its order."""
    task_id = str(wire.send(said("input-required", "x" * 300_000)).task["id"])
    streams = [_begun(wire, task_id)[0] for _ in range(30)]
    with ThreadPoolExecutor(len(streams)) as pool:
        reading = [pool.submit(list, stream.events) for stream in streams]
        for _ in range(4):
            wire.send(said("input-required", taskId=task_id))
        wire.send(said("complete-task", taskId=task_id))
        told = [_states(one.result(SECONDS)) for one in reading]
    assert told == [["TASK_STATE_WORKING", INPUT_REQUIRED] * 4 + ["TASK_STATE_WORKING", COMPLETED]] * len(streams)


def test_a_subscription_is_closed_by_a_cancellation(wire: Wire) -> None:
    """STREAM-SUB-002: also a task at rest that is cancelled ends its subscriptions."""
    task_id = _asking(wire)
    with closing(wire.subscribe(task_id)) as events:
        next(events)
        wire.cancel(task_id)
        assert _states(list(events))[-1] == "TASK_STATE_CANCELED"


def test_a_subscription_to_a_working_task_goes_on_with_it(wire: Wire) -> None:
    """STREAM-SUB-001, STREAM-SUB-002: what happens after the snapshot arrives, once."""
    message = {**said("x"), "messageId": f"test-resubscribe-message-id-{uuid4()}"}
    task_id = wire.send(message, configuration={"returnImmediately": True}).task["id"]
    events = all_of(wire.subscribe(task_id))
    assert events[0]["task"]["id"] == task_id
    assert _text(events) == "done at last"
    assert _states(events)[-1] == COMPLETED


def _ended(wire: Wire, how: str) -> str:
    if how == "canceled":
        task_id = _asking(wire)
        wire.cancel(task_id)
        return task_id
    return str(wire.send(said("complete-task" if how == "completed" else "reject-task")).task["id"])


@pytest.mark.parametrize("how", ["completed", "canceled", "rejected"])
def test_nobody_subscribes_to_a_task_that_has_ended(wire: Wire, how: str) -> None:
    """STREAM-SUB-003: SubscribeToTask of a terminal task is an UnsupportedOperationError."""
    answer = wire.subscribe(_ended(wire, how)).answer
    assert answer is not None
    wire.refuses(answer, "UNSUPPORTED_OPERATION")


def test_nobody_subscribes_to_a_task_that_is_none(wire: Wire) -> None:
    """STREAM-SUB-004: SubscribeToTask of an unknown task is a TaskNotFoundError."""
    answer = wire.subscribe(f"tck-nonexistent-{uuid4()}").answer
    assert answer is not None
    wire.refuses(answer, "TASK_NOT_FOUND")


def _begun(wire: Wire, task_id: str) -> tuple[Stream, Json]:
    stream = wire.subscribe(task_id)
    assert stream.answer is None, stream.answer
    return stream, next(stream.events)


def test_all_streams_of_a_task_say_the_same(wire: Wire) -> None:
    """STREAM-ORDER-002, STREAM-ORDER-003: events go to every stream of the task, the same ones in the same order."""
    task_id = _asking(wire)
    streams = [_begun(wire, task_id) for _ in range(3)]
    with ThreadPoolExecutor() as pool:
        reading = [pool.submit(list, stream.events) for stream, _ in streams]
        wire.send(said("stream-artifact-chunked", taskId=task_id))
        told = [[first, *rest.result(SECONDS)] for (_, first), rest in zip(streams, reading, strict=True)]
    assert told[0] == told[1] == told[2]
    assert len(told[0]) > 2


def test_a_stream_that_is_closed_disturbs_no_other(wire: Wire) -> None:
    """STREAM-ORDER-004: closing one stream changes nothing for others, nor for the task."""
    task_id = _asking(wire)
    (left, _), (stays, _) = _begun(wire, task_id), _begun(wire, task_id)
    left.http.close()
    wire.send(said("complete-task", taskId=task_id))
    assert _states(list(stays.events))[-1] == COMPLETED
    assert wire.get(task_id).state == COMPLETED
