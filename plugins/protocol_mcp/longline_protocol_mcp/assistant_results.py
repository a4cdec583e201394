"""How a run ended → the answer of the tool that it was."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from longline.events.hub import RunEnd
from longline.models.json import JsonObject, JsonValue, as_object
from longline.models.runs import Run, RunStatus
from longline.tools.content import Block, Text, ToolResult
from longline_protocol_mcp.assistant_blocks import blocks_of

_INTERRUPTS: Final = "__interrupt__"
_AI: Final = frozenset({"ai", "AIMessageChunk"})
_HUMAN: Final = "human"
_TOLD: Final = ("id", "value", "response_schema")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run left behind: its output, and what the graph asks (each with `id` and `value`)."""

    run: Run
    status: RunStatus | None
    output: JsonValue
    questions: tuple[JsonObject, ...]
    error: str | None

    @property
    def place(self) -> JsonObject:
        """Where to go on."""
        return {"thread_id": self.run.thread_id, "run_id": self.run.run_id}


def outcome_of(run: Run, end: RunEnd) -> Outcome:
    """What `end` tells of the run."""
    output: JsonValue = orjson.loads(end.result) if end.result is not None else None
    asked: JsonValue = None
    if isinstance(output, dict):
        asked = output.pop(_INTERRUPTS, None)
    questions = tuple(one for one in asked if isinstance(one, dict)) if isinstance(asked, list) else ()
    error = end.failure.error if end.failure is not None else None
    return Outcome(run=run, status=end.status, output=output, questions=questions, error=error)


def result_of(outcome: Outcome, *, is_chat: bool, said_id: str | None) -> ToolResult:
    """The answer. `said_id` is the id of the message with which the run began, if it began with one."""
    if outcome.status is not RunStatus.SUCCESS:
        return _failed(outcome)
    words, structured = _told(outcome.output, is_chat=is_chat, said_id=said_id)
    content = words or (Text(orjson.dumps(structured).decode()),)
    if outcome.questions:
        content = (*words, Text(_asking(outcome)))
        structured["interrupts"] = [_shown(question) for question in outcome.questions]
    return ToolResult(content, {**outcome.place, **structured})


def refused(reason: str) -> ToolResult:
    """The answer where there is no run: why, in words that the caller may read."""
    return ToolResult((Text(reason),), is_error=True)


def _failed(outcome: Outcome) -> ToolResult:
    """Only the class of an error is told: its message may hold what is nobody else's business."""
    if outcome.status is None:
        text = "the run was removed before it ended"
    elif outcome.status is RunStatus.INTERRUPTED:
        text = "the run was cancelled"
    else:
        text = outcome.error or ("TimeoutError" if outcome.status is RunStatus.TIMEOUT else "Error")
    return ToolResult((Text(text),), {**outcome.place, "error": text}, is_error=True)


def _told(output: JsonValue, *, is_chat: bool, said_id: str | None) -> tuple[tuple[Block, ...], JsonObject]:
    """The words of the answer (none: there is only JSON), and the output as an object."""
    if not isinstance(output, dict):
        return (Text(orjson.dumps(output).decode()),), {"output": output}
    if not is_chat:
        return (), dict(output)
    messages = output.get("messages")
    fresh = _since(messages, said_id) if isinstance(messages, list) else []
    spoken = tuple(block for message in _last_words(fresh) for block in blocks_of(message.get("content")))
    return spoken, {**output, "messages": list(fresh)}


def _since(messages: Sequence[JsonValue], said_id: str | None) -> list[JsonObject]:
    """The messages of this run: those behind the one that it began with. Where that is not among them any more, or it
    went on without one, those behind the last one of a person."""
    known = [as_object(message) for message in messages]
    places = [place for place, message in enumerate(known) if said_id is not None and message.get("id") == said_id]
    places = places or [place for place, message in enumerate(known) if message.get("type") == _HUMAN]
    return known[places[-1] + 1 :] if places else known


def _last_words(messages: Sequence[Mapping[str, JsonValue]]) -> Sequence[Mapping[str, JsonValue]]:
    """The model's messages at the end: several, where several agents spoke in turn."""
    end = len(messages)
    while end and messages[end - 1].get("type") not in _AI:
        end -= 1
    start = end
    while start and messages[start - 1].get("type") in _AI:
        start -= 1
    return messages[start:end]


def _shown(question: JsonObject) -> JsonObject:
    """A question without what is not said of it."""
    return {key: question.get(key) for key in _TOLD if key != "response_schema" or question.get(key) is not None}


def _asking(outcome: Outcome) -> str:
    values = [one.get("value") for one in outcome.questions]
    words = "\n".join(value if isinstance(value, str) else orjson.dumps(value).decode() for value in values)
    how = "resume" if len(values) == 1 else "resume (an object with an answer for each id of the interrupts)"
    return f"The agent asks:\n{words}\nTo answer, call it again with thread_id {outcome.run.thread_id!r} and {how}."
