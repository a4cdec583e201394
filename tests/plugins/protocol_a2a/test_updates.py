"""What a run says becomes updates that add up, also when it says it twice."""

from dataclasses import replace

import orjson
from a2a.types import Part, StreamResponse, Task, TaskState, TaskStatus
from a2a.utils.proto_utils import to_stream_response
from tests.core.runs.test_listeners import RUN
from tests.plugins.protocol_a2a.talking import folded, states, texts

from longline.models.events import RunEvent
from longline.models.threads import Thread, ThreadStatus
from longline.testing.storage_samples import moment
from longline_protocol_a2a.tasks import Chain
from longline_protocol_a2a.transcripts import artifact_id_of, artifact_of
from longline_protocol_a2a.updates import Telling, Update

THREAD = Thread(
    thread_id=RUN.thread_id, created_at=moment(), updated_at=moment(), state_updated_at=moment(), metadata={},
    status=ThreadStatus.BUSY, values=None, interrupts=None, error=None, has_run=False,
)  # fmt: skip
CHAIN = Chain(thread=THREAD, runs=(replace(RUN, chain_id=RUN.run_id),))


def _event(attempt: int, seq: int, mode: str, data: object) -> RunEvent:
    return RunEvent(RUN.run_id, attempt, seq, mode, (), orjson.dumps(data), at_ms=1_000 * seq)


def _said(attempt: int, message_id: str, *pieces: str, kind: str = "AIMessageChunk") -> list[RunEvent]:
    """An attempt that says one message."""
    messages = [[{"type": kind, "id": message_id, "content": piece}, {}] for piece in pieces]
    return [
        _event(attempt, 1, "metadata", {}),
        *(_event(attempt, number, "messages", message) for number, message in enumerate(messages, 2)),
    ]


def _ended(**artifacts: str) -> Task:
    made = [artifact_of(CHAIN, artifact_id_of(CHAIN, key), [Part(text=text)]) for key, text in artifacts.items()]
    return Task(id=CHAIN.task_id, status=TaskStatus(state=TaskState.TASK_STATE_COMPLETED), artifacts=made)


def _told(updates: list[Update]) -> list[StreamResponse]:
    return [to_stream_response(update) for update in updates]


def test_pieces_that_come_together_are_told_together() -> None:
    telling = Telling(CHAIN, is_old=False)
    status, artifact = telling.add(_said(1, "a", "one ", "two ", "three"))
    assert states(_told([status])) == ["working"]
    assert [part.text for part in artifact.artifact.parts] == ["one two three"]
    (more,) = telling.add([_event(1, 9, "messages", [{"type": "AIMessageChunk", "id": "a", "content": "!"}, {}])])
    assert more.append
    events = _told([status, artifact, more, *telling.finish(_ended(a="one two three!"))])
    assert texts(folded(events)) == ["one two three!"]


def test_what_a_dead_attempt_began_is_emptied_and_what_it_finished_stays() -> None:
    telling = Telling(CHAIN, is_old=False)
    updates = telling.add(_said(1, "done", "done", kind="ai"))
    updates += telling.add(_said(1, "half", "half of")[1:])
    assert texts(folded(_told(updates))) == ["done", "half of"]
    updates += telling.add(_said(2, "again", "the whole"))
    assert texts(folded(_told(updates))) == ["done", "", "the whole"]
    updates += telling.finish(_ended(done="done", again="the whole"))
    assert texts(folded(_told(updates))) == ["done", "", "the whole"]
    assert states(_told(updates)) == ["working", "completed"]
    whole = [update for update in updates if getattr(update, "last_chunk", False)]
    assert len(whole) == 3


def test_a_long_text_is_not_told_again_with_each_of_its_pieces() -> None:
    telling = Telling(CHAIN, is_old=True)
    updates = telling.add(_said(1, "a", *["word " * 10] * 200))
    spoken = ["".join(part.text for part in update.status.message.parts) for update in updates]
    assert len(spoken) < 60
    assert spoken[-1] == "word " * 2_000
    assert spoken == sorted(spoken, key=len)


def test_who_comes_in_the_middle_is_told_nothing_twice() -> None:
    telling = Telling(CHAIN, is_old=False)
    telling.add(_said(1, "a", "one "))
    task = telling.take_up(Task(id=CHAIN.task_id, status=TaskStatus(state=TaskState.TASK_STATE_WORKING)))
    assert texts(task) == ["one "]
    updates = telling.add([_event(1, 3, "messages", [{"type": "AIMessageChunk", "id": "a", "content": "two"}, {}])])
    assert texts(folded([StreamResponse(task=task), *_told(updates)])) == ["one two"]
    ahead = Telling(CHAIN, is_old=False)
    ahead.take_up(_ended(a="one two"))
    assert [update for update in ahead.add(_said(1, "a", "one ", "two")) if hasattr(update, "artifact")] == []
