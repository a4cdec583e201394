"""What a graph asks a person in the middle of a run: how it is answered, in a later call or in the same one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from longline.errors import CallerCannotError
from longline.models.json import JsonObject, JsonValue, as_object
from longline.models.threads import Thread, ThreadStatus
from longline.tools.caller import Caller
from longline_protocol_mcp.assistant_errors import SeveralAskedError

_SCALARS: Final = frozenset({"string", "number", "integer", "boolean"})
_ANSWER: Final = "answer"


def waiting_in(thread: Thread, graph_id: str) -> tuple[JsonObject, ...]:
    """What the graph waits for in a thread, each with `id` and `value`. Nothing while a run is at work there, which may
    be the one that brings the answer, or where another graph was at work last."""
    if thread.status is not ThreadStatus.INTERRUPTED or thread.metadata.get("graph_id") != graph_id:
        return ()
    tasks: JsonValue = orjson.loads(thread.interrupts) if thread.interrupts is not None else None
    return tuple(
        as_object(one) for asked in as_object(tasks).values() for one in (asked if isinstance(asked, list) else [])
    )


def resuming(questions: Sequence[Mapping[str, JsonValue]], answer: JsonValue) -> JsonObject:
    """The command that goes on with an answer: for the only question, or an object with one for each id. Raises
    SeveralAskedError."""
    ids = [str(question.get("id")) for question in questions]
    if isinstance(answer, dict) and answer and answer.keys() <= set(ids):
        return {"resume": answer}
    if len(ids) != 1:
        raise SeveralAskedError(ids)
    return {"resume": {ids[0]: answer}}


async def ask(caller: Caller, question: Mapping[str, JsonValue]) -> tuple[JsonValue, ...]:
    """Put the question to the person behind the caller. The answer is in a tuple, which is empty where there is none:
    it is no plain question, the caller cannot ask, or the person said no."""
    text, form = _text_of(question.get("value")), _form_of(question.get("response_schema"))
    if text is None or form is None:
        return ()
    try:
        answer = await caller.ask(text, form.schema)
    except CallerCannotError:
        return ()
    if answer.action != "accept":
        return ()
    return (answer.content if form.is_answer else answer.content.get(_ANSWER),)


def _text_of(value: JsonValue) -> str | None:
    """The words of a plain question: a text, or an object with one under `question` and nothing nested beside it."""
    if isinstance(value, str):
        return value
    if not isinstance(value, dict) or not isinstance(value.get("question"), str):
        return None
    rest = {key: one for key, one in value.items() if key != "question"}
    if any(isinstance(one, dict | list) for one in rest.values()):
        return None
    return "\n".join([str(value["question"]), *(f"{key}: {_word(one)}" for key, one in rest.items())])


def _word(value: JsonValue) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


@dataclass(frozen=True, slots=True)
class _Form:
    """What a person fills in, and whether the whole of it is the answer."""

    schema: JsonObject
    is_answer: bool


def _form_of(wanted: JsonValue) -> _Form | None:
    """The form for an answer as the graph wants it (its `response_schema`): any text if it does not say. None: a form
    cannot hold such an answer."""
    schema = as_object(wanted)
    if schema.get("type") == "object":
        return _Form(schema, is_answer=True) if _is_flat(schema) else None
    if schema and schema.get("type") not in _SCALARS:
        return None
    titled: JsonValue = {"title": "Answer", "type": "string", **schema}
    return _Form({"type": "object", "properties": {_ANSWER: titled}, "required": [_ANSWER]}, is_answer=False)


def _is_flat(schema: JsonObject) -> bool:
    fields = as_object(schema.get("properties"))
    return bool(fields) and all(as_object(field).get("type") in _SCALARS for field in fields.values())
