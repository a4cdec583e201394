"""Messages of the protocol ↔ messages of a graph's state, as JSON: what LangChain makes of them, and what it had.

Imports the protocol's SDK: only what answers a request imports this module.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

from a2a.types import Message, Part, Role, SendMessageRequest
from google.protobuf.json_format import MessageToDict, ParseDict

from longline.models.json import JsonObject, JsonValue
from longline_protocol_a2a.names import derived_id
from longline_protocol_a2a.parts import to_block, to_parts

KWARGS_KEY: Final = "a2a"
"""The key of a message's `additional_kwargs` that has what is this protocol's."""


def to_human(request: SendMessageRequest, *, human_id: str) -> JsonObject:
    """A caller's message for a graph, which knows it as `human_id`, with what the caller said beside it."""
    message = request.message
    blocks = [to_block(part) for part in message.parts]
    content: JsonValue = [block for block, _ in blocks]
    if len(blocks) == 1 and blocks[0][0]["type"] == "text":
        content = blocks[0][0]["text"]
    said = _said(message, [facts for _, facts in blocks])
    if human_id != message.message_id:
        said["message_id"] = message.message_id
    if request.configuration.accepted_output_modes:
        said["accepted_output_modes"] = list(request.configuration.accepted_output_modes)
    if request.HasField("metadata"):
        said["request_metadata"] = MessageToDict(request.metadata)
    human: JsonObject = {"type": "human", "id": human_id, "content": content}
    return {**human, "additional_kwargs": {KWARGS_KEY: said}} if said else human


def to_message(found: JsonObject, *, task_id: str, context_id: str, role: "Role") -> Message:
    """A state's message as the protocol shows it."""
    kwargs = found.get("additional_kwargs")
    told = kwargs.get(KWARGS_KEY) if isinstance(kwargs, dict) else None
    said: JsonObject = told if isinstance(told, dict) else {}
    message = Message(
        message_id=str(said.get("message_id") or found.get("id") or derived_id("message", task_id, str(found)[:500])),
        task_id=task_id,
        context_id=context_id,
        role=role,
        parts=parts_of(found),
        extensions=_strings(said.get("extensions")),
        reference_task_ids=_strings(said.get("reference_task_ids")),
    )
    if isinstance(metadata := said.get("metadata"), dict):
        ParseDict(metadata, message.metadata)
    return message


def parts_of(found: JsonObject) -> list[Part]:
    """The parts of a state's message."""
    kwargs = found.get("additional_kwargs")
    told = kwargs.get(KWARGS_KEY) if isinstance(kwargs, dict) else None
    facts = told.get("parts") if isinstance(told, dict) else None
    return to_parts(found.get("content"), facts if isinstance(facts, list) else ())


def digest_of(message: Message) -> str:
    """What two deliveries of one message have in common."""
    told = Message()
    told.CopyFrom(message)
    told.ClearField("task_id")
    told.ClearField("context_id")
    return hashlib.sha256(told.SerializeToString(deterministic=True)).hexdigest()


def _said(message: Message, facts: Sequence[JsonObject]) -> JsonObject:
    said: JsonObject = {}
    if any(facts):
        said["parts"] = list(facts)
    if message.HasField("metadata"):
        said["metadata"] = MessageToDict(message.metadata)
    if message.extensions:
        said["extensions"] = list(message.extensions)
    if message.reference_task_ids:
        said["reference_task_ids"] = list(message.reference_task_ids)
    return said


def _strings(value: JsonValue) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
