"""Many requests at once for one task or one context, as retries and careless clients make them."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from tests.plugins.protocol_a2a.test_must_core import CANCELED, COMPLETED, INPUT_REQUIRED
from tests.plugins.protocol_a2a.wires import SECONDS, Answer, Json, JsonRpc, said

MANY = 12


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(MANY) as pool:
        yield pool


def _at_once(pool: ThreadPoolExecutor, calls: list[Callable[[], Answer]]) -> list[Answer]:
    return [made.result(SECONDS) for made in [pool.submit(call) for call in calls]]


def _told(answer: Answer) -> str:
    return answer.state if answer.error is None else str(answer.reason)


def _asking(wire: JsonRpc) -> Json:
    answer = wire.send(said("input-required"))
    assert answer.state == INPUT_REQUIRED
    return answer.task


def test_one_of_many_answers_is_the_answer(jsonrpc: JsonRpc, pool: ThreadPoolExecutor) -> None:
    """The others are told that the task takes none."""
    task = _asking(jsonrpc)
    messages = [said("complete-task", f"answer {number}", taskId=task["id"]) for number in range(MANY)]
    answers = _at_once(pool, [lambda message=message: jsonrpc.send(message) for message in messages])
    assert Counter(_told(answer) for answer in answers) == {COMPLETED: 1, "UNSUPPORTED_OPERATION": MANY - 1}
    history = jsonrpc.get(task["id"]).task["history"]
    assert [message["role"] for message in history].count("ROLE_USER") == 2


def test_one_answer_that_comes_many_times_is_one_answer(jsonrpc: JsonRpc, pool: ThreadPoolExecutor) -> None:
    """Whoever sends it again is answered as the first one was."""
    task = _asking(jsonrpc)
    message = said("complete-task", "the answer", taskId=task["id"])
    answers = _at_once(pool, [lambda: jsonrpc.send(message)] * MANY)
    assert [_told(answer) for answer in answers] == [COMPLETED] * MANY
    history = jsonrpc.get(task["id"]).task["history"]
    assert [message["role"] for message in history].count("ROLE_USER") == 2


@pytest.mark.parametrize("context", ["a name", ""])
def test_one_message_that_comes_many_times_is_one_task(
    jsonrpc: JsonRpc, pool: ThreadPoolExecutor, context: str
) -> None:
    """In a context that the client has named, be it in words or by a UUID, a retry makes no second task."""
    message = said("complete-task", contextId=f"{context} {uuid4()}".strip())
    answers = _at_once(pool, [lambda: jsonrpc.send(message)] * MANY)
    assert len({answer.task["id"] for answer in answers}) == 1
    listed = jsonrpc.list(contextId=message["contextId"]).result
    assert listed is not None
    assert listed["totalSize"] == 1


def test_messages_in_one_context_each_get_their_task(jsonrpc: JsonRpc, pool: ThreadPoolExecutor) -> None:
    """One after the other, since they share what is said."""
    context = f"busy {uuid4()}"
    messages = [said("complete-task", f"message {number}", contextId=context) for number in range(MANY)]
    answers = _at_once(pool, [lambda message=message: jsonrpc.send(message) for message in messages])
    assert [_told(answer) for answer in answers] == [COMPLETED] * MANY
    assert len({answer.task["id"] for answer in answers}) == MANY
    for message, answer in zip(messages, answers, strict=True):
        history = jsonrpc.get(answer.task["id"]).task["history"]
        assert [said["parts"][0]["text"] for said in history] == [message["parts"][0]["text"], "Hello from TCK"]


def test_an_answer_and_a_cancellation_at_once_agree(jsonrpc: JsonRpc, pool: ThreadPoolExecutor) -> None:
    """Either the task was answered, and could not be cancelled any more, or it was cancelled; both sides are so."""
    for _ in range(MANY):
        task = _asking(jsonrpc)
        message = said("complete-task", taskId=task["id"])
        cancelled, answered = _at_once(
            pool, [lambda task=task: jsonrpc.cancel(task["id"]), lambda message=message: jsonrpc.send(message)]
        )
        state = jsonrpc.get(task["id"]).state
        assert _told(cancelled) == (CANCELED if state == CANCELED else "TASK_NOT_CANCELABLE")
        assert _told(answered) in ({CANCELED, "UNSUPPORTED_OPERATION"} if state == CANCELED else {COMPLETED})


@pytest.mark.parametrize("field", ["contextId", "messageId"])
def test_an_id_of_any_length_is_not_kept(jsonrpc: JsonRpc, field: str) -> None:
    """It would come back with each task of a list."""
    answer = jsonrpc.send({**said("complete-task"), field: "tck-complete-task" + "x" * 100_000})
    assert answer.error is not None
    assert answer.error["code"] == -32602
