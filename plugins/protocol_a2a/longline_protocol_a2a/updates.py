"""What a run says, as it is told to who follows its task.

Imports the protocol's SDK: only what answers a request imports this module.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson
from a2a.types import (
    Artifact,
    Message,
    Part,
    Role,
    Task,
    TaskArtifactUpdateEvent,
    TaskState,
    TaskStatus,
    TaskStatusUpdateEvent,
)

from longline.models.events import RunEvent
from longline.models.json import JsonObject
from longline_protocol_a2a.messages import parts_of
from longline_protocol_a2a.names import derived_id
from longline_protocol_a2a.tasks import Chain
from longline_protocol_a2a.transcripts import artifact_id_of, artifact_of
from longline_protocol_a2a.verdicts import is_answer

Update = TaskStatusUpdateEvent | TaskArtifactUpdateEvent

SUPERSEDED: Final = "superseded"
"""The key of an artifact's metadata: what was told of it is no part of the task after all."""
_LONG: Final = 2_000  # characters; a longer text is not told again with each of its tokens


@dataclass(slots=True)
class _Told:
    """An artifact as it was told so far."""

    artifact_id: str
    parts: list[Part] = field(default_factory=list)
    is_whole: bool = False


class Telling:
    """Turns the events of a task's runs into updates. Callers of protocol 0.3 are told the text so far with each of its
    pieces, and the artifacts at the end; those of 1.0 get artifacts that grow."""

    def __init__(self, chain: Chain, *, is_old: bool) -> None:
        self._chain = chain
        self._is_old = is_old
        self._told: dict[str, _Told] = {}
        self._works = False
        self.state: TaskState | None = None
        """The state that was told last."""

    def add(self, events: Sequence[RunEvent]) -> list[Update]:
        """The updates that some events make."""
        return list(self._merged(update for event in events for update in self._of_event(event)))

    def take_up(self, task: Task) -> Task:
        """The task with what was told of it beyond what is stored: for who begins to follow it in the middle."""
        for artifact in task.artifacts:
            self._told[artifact.artifact_id] = _Told(artifact.artifact_id, list(artifact.parts), is_whole=True)
        known = {artifact.artifact_id for artifact in task.artifacts}
        growing = [told for key, told in self._told.items() if key not in known and told.parts]
        if not self._is_old:
            task.artifacts.extend(artifact_of(self._chain, told.artifact_id, told.parts) for told in growing)
        self.state = task.status.state
        self._works = task.status.state == TaskState.TASK_STATE_WORKING
        return task

    def finish(self, task: Task) -> list[Update]:
        """The last updates of a run: its artifacts as they are in the end, and what the task is now."""
        updates: list[Update] = []
        final = {artifact.artifact_id for artifact in task.artifacts}
        for artifact in task.artifacts:
            told = self._told.get(artifact.artifact_id)
            if told is None or not told.is_whole or told.parts != list(artifact.parts):
                updates.append(self._artifact(artifact, is_last=True))
                self._told[artifact.artifact_id] = _Told(artifact.artifact_id, list(artifact.parts), is_whole=True)
        if not self._is_old:
            strays = [told for key, told in self._told.items() if key not in final and told.parts]
            updates[:0] = [self._emptied(told) for told in strays]
        self._works = False
        return [*updates, self._status(task.status)]

    def _of_event(self, event: RunEvent) -> Iterator[Update]:
        if event.mode == "metadata":
            yield from self._begin(event)
        elif event.mode == "messages":
            message, *_ = orjson.loads(event.data)
            if is_answer(message):
                yield from self._say(message, event)

    def _begin(self, event: RunEvent) -> Iterator[Update]:
        """An attempt begins: what one before it left unfinished is said anew."""
        for key, told in list(self._told.items()):
            if not told.is_whole:
                if told.parts and not self._is_old:
                    yield self._emptied(told)
                del self._told[key]
        if not self._works and not self._is_old:
            status = TaskStatus(state=TaskState.TASK_STATE_WORKING)
            status.timestamp.FromMilliseconds(event.at_ms)
            yield self._status(status)
        self._works = True

    def _say(self, message: JsonObject, event: RunEvent) -> Iterator[Update]:
        key, parts = artifact_id_of(self._chain, str(message.get("id"))), parts_of(message)
        is_piece, told = message.get("type") == "AIMessageChunk", self._told.get(key)
        if told is not None and told.is_whole and is_piece:
            return  # the state was ahead of what was read
        grown = told is not None and is_piece
        if told is None or not is_piece:
            told = _Told(key)
        if not parts and not told.parts:
            return
        self._told[key] = told
        told.parts = _joined([*told.parts, *parts])
        if self._is_old:
            yield self._speaking(told, event)
        elif parts:
            told.is_whole = not is_piece
            yield self._artifact(artifact_of(self._chain, key, parts), grows=grown, is_last=not is_piece)

    def _merged(self, updates: Iterator[Update]) -> Iterator[Update]:
        """Pieces that came together are told together."""
        last: Update | None = None
        for update in updates:
            if last is not None and _continues(last, update):
                last = _together(last, update)
                continue
            if last is not None:
                yield last
            last = update
        if last is not None:
            yield last

    def _speaking(self, told: _Told, event: RunEvent) -> TaskStatusUpdateEvent:
        message = Message(
            message_id=derived_id("told", event.run_id, str(event.event_id)),
            task_id=self._chain.task_id,
            context_id=self._chain.context_id,
            role=Role.ROLE_AGENT,
            parts=told.parts,
        )
        status = TaskStatus(state=TaskState.TASK_STATE_WORKING, message=message)
        status.timestamp.FromMilliseconds(event.at_ms)
        return self._status(status)

    def _status(self, status: TaskStatus) -> TaskStatusUpdateEvent:
        self.state = status.state
        return TaskStatusUpdateEvent(task_id=self._chain.task_id, context_id=self._chain.context_id, status=status)

    def _artifact(self, artifact: Artifact, *, grows: bool = False, is_last: bool = False) -> TaskArtifactUpdateEvent:
        return TaskArtifactUpdateEvent(
            task_id=self._chain.task_id,
            context_id=self._chain.context_id,
            artifact=artifact,
            append=grows,
            last_chunk=is_last,
        )

    def _emptied(self, told: _Told) -> TaskArtifactUpdateEvent:
        told.parts = []
        artifact = artifact_of(self._chain, told.artifact_id, [Part(text="")])
        artifact.metadata.update({SUPERSEDED: True})
        return self._artifact(artifact, is_last=True)


def _joined(parts: Sequence[Part]) -> list[Part]:
    """Texts that follow each other as one."""
    joined: list[Part] = []
    for part in parts:
        if joined and _is_plain(part) and _is_plain(joined[-1]):
            joined[-1] = Part(text=joined[-1].text + part.text)
        else:
            joined.append(part)
    return joined


def _is_plain(part: Part) -> bool:
    return part.WhichOneof("content") == "text" and not part.media_type and not part.HasField("metadata")


def _continues(last: Update, update: Update) -> bool:
    if isinstance(last, TaskArtifactUpdateEvent) and isinstance(update, TaskArtifactUpdateEvent):
        return update.append and last.artifact.artifact_id == update.artifact.artifact_id
    if isinstance(last, TaskStatusUpdateEvent) and isinstance(update, TaskStatusUpdateEvent):
        texts = [sum(len(part.text) for part in one.status.message.parts) for one in (last, update)]
        return _LONG < texts[0] <= texts[1]
    return False


def _together(last: Update, update: Update) -> Update:
    if not isinstance(last, TaskArtifactUpdateEvent) or not isinstance(update, TaskArtifactUpdateEvent):
        return update
    both = TaskArtifactUpdateEvent()
    both.CopyFrom(last)
    del both.artifact.parts[:]
    both.artifact.parts.extend(_joined([*last.artifact.parts, *update.artifact.parts]))
    both.last_chunk = update.last_chunk
    return both
