"""MUST requirements of A2A 1.0, section 3: messages, tasks, lists, cancelling and conversations, over both bindings.

Each test names the requirements of the conformance suite (branch 1.0-dev) that it stands for."""

from uuid import uuid4

import pytest
from tests.plugins.protocol_a2a.conformance import Agent
from tests.plugins.protocol_a2a.wires import Answer, Json, Wire, said

NOBODY = "6f1c2a52-6a3e-4b0e-9a55-0b1f6c3d7e90"
"""An id that nothing has."""
TERMINAL = {f"TASK_STATE_{state}" for state in ("COMPLETED", "FAILED", "CANCELED", "REJECTED")}
COMPLETED, INPUT_REQUIRED, CANCELED = (f"TASK_STATE_{s}" for s in ("COMPLETED", "INPUT_REQUIRED", "CANCELED"))


def _completed(wire: Wire, **more: object) -> Json:
    answer = wire.send(said("complete-task", **more))
    assert answer.state == COMPLETED
    return answer.task


def _asking(wire: Wire, **more: object) -> Json:
    answer = wire.send(said("input-required", **more))
    assert answer.state == INPUT_REQUIRED
    return answer.task


def test_a_message_is_answered_with_a_task_or_a_message(wire: Wire) -> None:
    """CORE-SEND-001: SendMessage returns a task, or a message."""
    task, message = wire.send(said("complete-task")).result, wire.send(said("message-response")).result
    assert task is not None
    assert message is not None
    assert set(task) == {"task"}
    assert set(message) == {"message"}
    assert message["message"]["parts"] == [{"text": "Direct message response"}]
    assert message["message"]["role"] == "ROLE_AGENT"


@pytest.mark.parametrize("end", ["complete", "cancel", "reject"])
def test_a_task_that_has_ended_takes_no_message(wire: Wire, end: str) -> None:
    """CORE-SEND-002: messages to a terminal task are an UnsupportedOperationError."""
    if end == "cancel":
        task = wire.cancel(_asking(wire)["id"]).task
    else:
        task = wire.send(said("complete-task" if end == "complete" else "reject-task")).task
    assert task["status"]["state"] in TERMINAL
    wire.refuses(wire.send(said("complete-task", taskId=task["id"])), "UNSUPPORTED_OPERATION")
    assert wire.get(task["id"]).state == task["status"]["state"]


def test_only_media_types_of_the_card_are_taken(wire: Wire, agent: Agent) -> None:
    """CORE-SEND-003: a media type that the agent does not support is a ContentTypeNotSupportedError."""
    part = {"raw": "dGNr", "mediaType": "application/x-unsupported-tck-type"}
    answer = wire.send({**said("complete-task"), "parts": [part]})
    if "*/*" in agent.card["defaultInputModes"]:
        assert answer.state == COMPLETED
    else:
        wire.refuses(answer, "CONTENT_TYPE_NOT_SUPPORTED")


def test_a_task_can_be_read_again(wire: Wire) -> None:
    """CORE-GET-001: GetTask returns the state, the artifacts and the history of a task."""
    sent = wire.send(said("artifact-text", "What is it?")).task
    read = wire.get(sent["id"]).task
    assert (read["id"], read["contextId"], read["status"]["state"]) == (sent["id"], sent["contextId"], COMPLETED)
    assert [part for artifact in read["artifacts"] for part in artifact["parts"]] == [
        {"text": "Generated text content"}
    ]
    assert read["history"][0]["parts"] == [{"text": "What is it?"}]


@pytest.mark.parametrize("task_id", ["tck-nonexistent", f"{NOBODY}:{NOBODY}", NOBODY, "a:b:c", "%00"])
def test_an_unknown_task_is_not_found(wire: Wire, task_id: str) -> None:
    """CORE-GET-002, CORE-CANCEL-003, CORE-MULTI-004: an id of no task is a TaskNotFoundError."""
    wire.refuses(wire.get(task_id), "TASK_NOT_FOUND")
    wire.refuses(wire.cancel(task_id), "TASK_NOT_FOUND")
    wire.refuses(wire.send(said("complete-task", taskId=task_id)), "TASK_NOT_FOUND")


def test_an_unknown_context_has_no_tasks(wire: Wire) -> None:
    """CORE-LIST-004: nextPageToken is there and empty on the last page, also where there is nothing."""
    listed = wire.list(contextId=f"tck-test-context-{uuid4()}", pageSize=100).result
    assert listed is not None
    assert (listed["tasks"], listed["nextPageToken"], listed["totalSize"]) == ([], "", 0)


def test_pages_of_a_list_hold_each_task_once_and_the_newest_first(wire: Wire) -> None:
    """CORE-LIST-002, CORE-LIST-003: lists go by cursors, and by the time of the status, the latest first."""
    context = f"tck-pages-{uuid4()}"
    ids = [_completed(wire, contextId=context)["id"] for _ in range(5)]
    pages: list[list[Json]] = []
    token = ""
    while token or not pages:
        answer = wire.list(contextId=context, pageSize=2, **({"pageToken": token} if token else {}))
        assert answer.result is not None, answer.error
        pages.append(answer.result["tasks"])
        assert answer.result["totalSize"] == 5
        token = answer.result["nextPageToken"]
    assert [len(page) for page in pages] == [2, 2, 1]
    tasks = [task for page in pages for task in page]
    assert [task["id"] for task in tasks] == ids[::-1]
    times = [task["status"]["timestamp"] for task in tasks]
    assert times == sorted(times, reverse=True)


def test_a_list_has_artifacts_only_for_who_asks(wire: Wire) -> None:
    """CORE-LIST-005: without includeArtifacts the field is left out of each task."""
    task = _completed(wire)
    without, with_them = (wire.list(contextId=task["contextId"], **more) for more in ({}, {"includeArtifacts": True}))
    assert without.result is not None
    assert with_them.result is not None
    assert ["artifacts" in task for task in without.result["tasks"]] == [False]
    assert [task["artifacts"][0]["parts"][0]["text"] for task in with_them.result["tasks"]] == ["Hello from TCK"]


def test_a_task_that_waits_can_be_cancelled(wire: Wire) -> None:
    """CORE-CANCEL-001: CancelTask returns the task, cancelled."""
    task = _asking(wire)
    answer = wire.cancel(task["id"])
    assert (answer.task["id"], answer.state) == (task["id"], CANCELED)
    assert wire.get(task["id"]).state == CANCELED


def test_a_task_that_works_can_be_cancelled(wire: Wire) -> None:
    """CORE-CANCEL-001: CancelTask ends a task that is being worked on."""
    message = {**said("x"), "messageId": f"test-resubscribe-message-id-{uuid4()}"}
    task = wire.send(message, configuration={"returnImmediately": True}).task
    assert wire.cancel(task["id"]).task["id"] == task["id"]
    assert wire.get(task["id"]).state == CANCELED


def test_a_task_that_has_ended_cannot_be_cancelled(wire: Wire) -> None:
    """CORE-CANCEL-002: cancelling a terminal task is a TaskNotCancelableError."""
    completed, cancelled = _completed(wire), wire.cancel(_asking(wire)["id"]).task
    wire.refuses(wire.cancel(completed["id"]), "TASK_NOT_CANCELABLE")
    wire.refuses(wire.cancel(cancelled["id"]), "TASK_NOT_CANCELABLE")
    assert wire.get(completed["id"]).state == COMPLETED


@pytest.mark.parametrize("configuration", [{}, {"returnImmediately": False}])
def test_an_answer_waits_for_the_task_to_rest(wire: Wire, configuration: Json) -> None:
    """CORE-EXECUTION-MODE-001: without returnImmediately the answer has a terminal or an interrupted state."""
    assert wire.send(said("complete-task"), configuration=configuration).state == COMPLETED
    assert wire.send(said("input-required"), configuration=configuration).state == INPUT_REQUIRED
    assert wire.send(said("reject-task"), configuration=configuration).state == "TASK_STATE_REJECTED"


def test_who_does_not_wait_is_answered_at_once(wire: Wire) -> None:
    """CORE-EXECUTION-MODE-002: with returnImmediately the answer is there while the task is worked on."""
    message = {**said("x"), "messageId": f"test-resubscribe-message-id-{uuid4()}"}
    answer = wire.send(message, configuration={"returnImmediately": True})
    assert answer.state in {"TASK_STATE_SUBMITTED", "TASK_STATE_WORKING"}
    wire.cancel(answer.task["id"])


def test_a_new_context_is_told(wire: Wire) -> None:
    """CORE-MULTI-001a: a contextId that the agent made is in the answer, be it a task or a message."""
    message = wire.send(said("message-response")).result
    assert message is not None
    contexts = [_completed(wire)["contextId"], _completed(wire)["contextId"], message["message"]["contextId"]]
    assert all(contexts)
    assert len(set(contexts)) == 3


@pytest.mark.parametrize("context", ["tck-client-context", NOBODY, "Ünï cødé / ? # %2F", "x" * 200])
def test_a_context_of_the_callers_is_kept(wire: Wire, context: str) -> None:
    """CORE-MULTI-002a: an agent takes a contextId of the client's as it stands, or refuses; it never makes another."""
    first, second = (_completed(wire, contextId=f"{wire.name} {context}") for _ in range(2))
    assert first["contextId"] == second["contextId"] == f"{wire.name} {context}"
    assert first["id"] != second["id"]


def test_each_new_task_has_an_id_of_its_own(wire: Wire) -> None:
    """CORE-MULTI-003: a new task has a new id, also for the same message sent again."""
    message = said("complete-task")
    answers: list[Answer] = [wire.send(message), wire.send(message), wire.send(said("input-required"))]
    assert len({answer.task["id"] for answer in answers}) == 3


def test_a_task_says_which_context_it_is_in(wire: Wire) -> None:
    """CORE-MULTI-005: with a taskId alone the context is the task's."""
    task = _asking(wire)
    answer = wire.send(said("complete-task", taskId=task["id"]))
    assert (answer.task["id"], answer.task["contextId"], answer.state) == (task["id"], task["contextId"], COMPLETED)


def test_a_context_that_is_not_the_tasks_is_refused(wire: Wire) -> None:
    """CORE-MULTI-006: a contextId other than the task's is an error, and nothing is done."""
    task, other = _asking(wire), _asking(wire)
    for context in (other["contextId"], str(uuid4()), "wrong"):
        answer = wire.send(said("complete-task", taskId=task["id"], contextId=context))
        assert answer.error is not None
        assert answer.http.status_code < 500
    assert wire.get(task["id"]).state == INPUT_REQUIRED


@pytest.mark.parametrize("length", [0, 1, 2])
def test_a_history_is_no_longer_than_asked_for(wire: Wire, length: int) -> None:
    """CORE-HIST-002: no more messages than historyLength, of GetTask and of SendMessage; the latest of them."""
    task = _asking(wire)
    sent = wire.send(said("complete-task", taskId=task["id"]), configuration={"historyLength": length}).task
    read = wire.get(task["id"], historyLength=length).task
    whole = wire.get(task["id"]).task["history"]
    assert len(whole) >= 2
    assert read.get("history", []) == sent.get("history", []) == (whole[-length:] if length else [])
