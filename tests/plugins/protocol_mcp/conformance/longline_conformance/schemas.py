"""A tool whose schema has the keywords of JSON Schema 2020-12 that servers tend to lose."""

from collections.abc import Sequence
from typing import Final

from longline.models.json import JsonObject, JsonValue
from longline.tools.tool import Tool, ToolContext

_SCHEMA: Final[JsonObject] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


async def _echo(arguments: JsonObject, context: ToolContext) -> JsonValue:
    return arguments


SCHEMAS: Final[Sequence[Tool]] = (
    Tool(name="json_schema_2020_12_tool", description="Says what it was given.", schema=_SCHEMA, run=_echo),
)
