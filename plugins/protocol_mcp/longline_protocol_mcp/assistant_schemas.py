"""What an assistant's tool takes: the input schema of its graph, and how arguments become a run's input."""

import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, Literal

import orjson
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types of its own
from jsonschema.exceptions import ValidationError  # type: ignore[import-untyped]
from referencing.exceptions import Unresolvable

from longline.auth.principal import SYSTEM
from longline.errors import GraphLoadError
from longline.ids import parse_uuid
from longline.models.json import JsonObject, JsonValue, as_object
from longline.services.server import Server
from longline_protocol_mcp.assistant_errors import (
    ArgumentsError,
    MessageMissingError,
    NotPortableError,
    ThreadIdError,
    TwoMessagesError,
)
from longline_protocol_mcp.validators import validator_of

logger = logging.getLogger(__name__)

Kind = Literal["chat", "object", "wrapped"]

_MESSAGE: Final[JsonObject] = {
    "type": "string",
    "title": "Messages",
    "description": "The user message to send to the agent.",
}
_OURS: Final[JsonObject] = {
    "thread_id": {
        "type": "string",
        "description": "Goes on in the conversation of an earlier answer: its thread_id.",
    },
    "resume": {"description": "With thread_id: the answer to what the agent asked there."},
}
_ALIAS: Final[JsonObject] = {"type": "string", "description": "The same as messages: give one of the two."}
_LOOSE: Final[JsonObject] = {"type": ["string", "array", "object"]}
_PLAIN_ITEMS: Final = frozenset({"string", "number", "integer", "boolean", "array", "null"})
_SHOWN_FAULTS: Final = 3
_LONGEST_FAULT: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a call says. `text` is the message of a chat where it is plain text; `resume` stands in a list, which is
    empty where none was given: null is an answer too."""

    input: JsonValue
    thread_id: str | None
    text: str | None
    resume: tuple[JsonValue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InputShape:
    """What a graph takes, as an object schema, and how it is read."""

    kind: Kind
    schema: JsonObject
    ours: frozenset[str]
    """The names of the schema that are not the graph's own."""
    _full: Draft202012Validator = field(repr=False)
    _partial: Draft202012Validator = field(repr=False)

    def read(self, arguments: JsonObject) -> Asked:
        """The call's arguments. Raises InvalidInputError, which names every fault of the first few."""
        given = _plain(arguments)
        is_answer = "resume" in self.ours and "resume" in given
        self._check(given, self._partial if is_answer else self._full)
        thread_id, own = None, {key: value for key, value in given.items() if key not in self.ours}
        if "thread_id" in self.ours and given.get("thread_id") is not None:
            thread_id = parse_uuid(str(given["thread_id"]))
            if thread_id is None:
                raise ThreadIdError
        text = None
        if self.kind == "chat":
            own, text = self._messages(given, own, is_answer=is_answer)
        value = own.get("input") if self.kind == "wrapped" else own
        return Asked(input=value, thread_id=thread_id, text=text, resume=(given["resume"],) if is_answer else ())

    def _messages(self, given: JsonObject, own: JsonObject, *, is_answer: bool) -> tuple[JsonObject, str | None]:
        said = [given[key] for key in ("messages", "message") if given.get(key) is not None and key in self._speaking]
        if not said and not is_answer:
            raise MessageMissingError
        if len(said) > 1 and said[0] != said[1]:
            raise TwoMessagesError
        if not said:
            return own, None
        return {**own, "messages": _as_messages(said[0])}, _text_of(said[0])

    @property
    def _speaking(self) -> frozenset[str]:
        return frozenset({"messages", *(self.ours & {"message"})})

    def _check(self, given: JsonObject, validator: Draft202012Validator) -> None:
        try:
            faults = list(islice(validator.iter_errors(given), _SHOWN_FAULTS))
        except Unresolvable:  # the author's schema refers to what is not in it: the graph itself will say what it takes
            return
        if faults:
            raise ArgumentsError([_shown(fault) for fault in faults])


class GraphSchemas:
    """The shapes of the graphs' inputs, each made once."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._known: dict[str, InputShape] = {}

    async def of(self, graph_id: str) -> InputShape:
        """The shape of a graph's input: any object, where it cannot tell. Raises UnknownGraphError and GraphLoadError
        for a graph that no run can use."""
        shape = self._known.get(graph_id)
        if shape is not None:
            return shape
        self._server.graphs.require(graph_id)
        try:
            async with await self._server.assistants.open_graph(SYSTEM, graph_id) as (graph, _, _):
                with warnings.catch_warnings():  # pydantic warns about field names that the graph's author chose
                    warnings.simplefilter("ignore")
                    shape = self._known[graph_id] = input_shape(graph.get_input_jsonschema())
        except GraphLoadError:
            self._server.graphs.require(graph_id)  # it is not broken: its factory just cannot be asked like this
            return input_shape(None)
        except Exception as error:  # types of a graph's author: anything may happen
            logger.debug("schema not available", extra={"graph_id": graph_id}, exc_info=error)
            shape = self._known[graph_id] = input_shape(None)
        return shape


def input_shape(schema: JsonObject | None) -> InputShape:
    """The shape of a tool for a graph whose input has this schema (None: it has none that can be told)."""
    given = _resolved(schema or {"type": "object"})
    if given.get("type") != "object":
        definitions = {"$defs": given.pop("$defs")} if "$defs" in given else {}
        told: JsonObject = {"type": "object", "properties": {"input": given}, "required": ["input"], **definitions}
        return _shape("wrapped", told, told, _OURS)
    if not _is_chat(given):
        return _shape("object", given, given, _OURS)
    required = [name for name in _list(given.get("required")) if name != "messages"]
    properties = as_object(given.get("properties"))
    told = {**given, "properties": {**properties, "messages": _MESSAGE}, "required": ["messages", *required]}
    loose: JsonObject = {**told, "properties": {**properties, "messages": _LOOSE}, "required": list(required)}
    return _shape("chat", _without_unused(told), loose, {"message": _ALIAS, **_OURS})


def _shape(kind: Kind, told: JsonObject, accepted: JsonObject, ours: Mapping[str, JsonValue]) -> InputShape:
    theirs = as_object(told.get("properties"))
    added = {name: value for name, value in ours.items() if name not in theirs}
    full = _with_properties(accepted, {name: {} if name == "resume" else {"type": "string"} for name in added})
    return InputShape(
        kind=kind,
        schema=_with_properties(told, added),
        ours=frozenset(added),
        _full=_validator(full),
        _partial=_validator({key: value for key, value in full.items() if key != "required"}),
    )


def _with_properties(schema: JsonObject, added: Mapping[str, JsonValue]) -> JsonObject:
    return {**schema, "properties": {**as_object(schema.get("properties")), **added}}


def _validator(schema: JsonObject) -> Draft202012Validator:
    """It knows no other documents: nothing is fetched for a `$ref`."""
    return validator_of(schema)


def _resolved(schema: JsonObject) -> JsonObject:
    """A copy whose root is no reference: that of a class that holds itself is one."""
    definitions = as_object(schema.get("$defs"))
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    target = as_object(definitions.get(name))
    return {**target, "$defs": definitions} if target else dict(schema)


def _is_chat(schema: JsonObject) -> bool:
    """Whether the graph takes a list of messages, as LangGraph's chat graphs do."""
    messages = as_object(as_object(schema.get("properties")).get("messages"))
    items = as_object(messages.get("items"))
    return bool(messages) and messages.get("type", "array") == "array" and items.get("type") not in _PLAIN_ITEMS


def _without_unused(schema: JsonObject) -> JsonObject:
    """Without definitions that nothing in it refers to: those of messages are thirty times as long as the rest."""
    definitions = as_object(schema.get("$defs"))
    rest = {key: value for key, value in schema.items() if key != "$defs"}
    used: set[str] = set()
    waiting = [name for name in definitions if _refers(rest, name)]
    while waiting:
        name = waiting.pop()
        if name not in used:
            used.add(name)
            waiting.extend(other for other in definitions if _refers(definitions[name], other))
    kept: JsonObject = {name: value for name, value in definitions.items() if name in used}
    return {**rest, "$defs": kept} if kept else rest


def _refers(value: JsonValue, name: str) -> bool:
    return orjson.dumps(f"#/$defs/{name}") in orjson.dumps(value)


def _as_messages(said: JsonValue) -> list[JsonValue]:
    if isinstance(said, str):
        return [{"role": "user", "content": said}]
    return said if isinstance(said, list) else [said]


def _text_of(said: JsonValue) -> str | None:
    if isinstance(said, list) and len(said) == 1:
        return _text_of(said[0])
    if isinstance(said, dict):
        content = said.get("content")
        return content if isinstance(content, str) and said.get("role", said.get("type")) in ("user", "human") else None
    return said if isinstance(said, str) else None


def _plain(arguments: JsonObject) -> JsonObject:
    """The arguments as JSON that every storage takes: numbers of 64 bits, texts without halves of characters."""
    try:
        plain: JsonObject = orjson.loads(orjson.dumps(arguments))
    except TypeError:
        raise NotPortableError from None
    return plain


def _shown(fault: ValidationError) -> str:
    place = ".".join(str(part) for part in fault.absolute_path)
    text = fault.message if len(fault.message) <= _LONGEST_FAULT else f"{fault.message[:_LONGEST_FAULT]}…"
    return f"{place}: {text}" if place else text


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []
