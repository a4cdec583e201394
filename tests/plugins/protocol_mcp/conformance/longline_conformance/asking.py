"""Tools that ask: their caller's model, and the person behind it."""

import json
from collections.abc import Sequence
from typing import Final

from longline.errors import InvalidInputError
from longline.models.json import JsonObject, JsonValue
from longline.tools.caller import ModelMessage, ModelRequest
from longline.tools.content import Text
from longline.tools.tool import Tool, ToolContext
from longline_conformance.tools import NO_ARGUMENTS

_MAX_TOKENS: Final = 100
_USER: Final[JsonObject] = {
    "type": "object",
    "properties": {
        "username": {"type": "string", "description": "User's response"},
        "email": {"type": "string", "description": "User's email address"},
    },
    "required": ["username", "email"],
}
_DEFAULTS: Final[JsonObject] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": True},
    },
}
_OPTIONS: Final[list[JsonValue]] = ["option1", "option2", "option3"]
_TITLED: Final[list[JsonValue]] = [
    {"const": "value1", "title": "First Option"},
    {"const": "value2", "title": "Second Option"},
    {"const": "value3", "title": "Third Option"},
]
_ENUMS: Final[JsonObject] = {
    "type": "object",
    "properties": {
        "untitledSingle": {"type": "string", "enum": _OPTIONS},
        "titledSingle": {"type": "string", "oneOf": _TITLED},
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": _OPTIONS}},
        "titledMulti": {"type": "array", "items": {"anyOf": _TITLED}},
    },
}


def _text(arguments: JsonObject, name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str):
        raise InvalidInputError(f"{name} must be a string")
    return value


async def _sampling(arguments: JsonObject, context: ToolContext) -> JsonValue:
    messages = [ModelMessage(role="user", content=Text(_text(arguments, "prompt")))]
    reply = await context.caller.ask_model(ModelRequest(messages=messages, max_tokens=_MAX_TOKENS))
    return f"LLM response: {reply.text}"


async def _elicitation(arguments: JsonObject, context: ToolContext) -> JsonValue:
    return await _asked("User response", context, _text(arguments, "message"), _USER)


async def _defaults(arguments: JsonObject, context: ToolContext) -> JsonValue:
    return await _asked("Elicitation completed", context, "Who are you?", _DEFAULTS)


async def _enums(arguments: JsonObject, context: ToolContext) -> JsonValue:
    return await _asked("Elicitation completed", context, "What do you choose?", _ENUMS)


async def _asked(opening: str, context: ToolContext, question: str, schema: JsonObject) -> str:
    answer = await context.caller.ask(question, schema)
    return f"{opening}: action={answer.action}, content={json.dumps(answer.content)}"


def _taking(name: str) -> JsonObject:
    return {"type": "object", "properties": {name: {"type": "string"}}, "required": [name]}


ASKING: Final[Sequence[Tool]] = (
    Tool(name="test_sampling", description="Asks your model.", schema=_taking("prompt"), run=_sampling),
    Tool(name="test_elicitation", description="Asks for a user.", schema=_taking("message"), run=_elicitation),
    Tool(
        name="test_elicitation_sep1034_defaults",
        description="Asks with a default for each field.",
        schema=NO_ARGUMENTS,
        run=_defaults,
    ),
    Tool(
        name="test_elicitation_sep1330_enums",
        description="Asks with each form of choice.",
        schema=NO_ARGUMENTS,
        run=_enums,
    ),
)
