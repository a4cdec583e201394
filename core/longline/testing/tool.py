"""The contract of Tool."""

import copy
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import pytest

from longline.auth.principal import Principal
from longline.errors import InvalidInputError
from longline.models.json import JsonObject, JsonValue
from longline.tools.content import Audio, File, Image, Link, Text, ToolResult
from longline.tools.tool import Tool, ToolContext

# What model providers and MCP take as a tool's name.
_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
# JSON Schema 2020-12, validation vocabulary §6.1.1.
_TYPES: Final = frozenset({"null", "boolean", "object", "array", "number", "string", "integer"})
_SCHEMAS_BY_NAME: Final = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_LISTS_OF_SCHEMAS: Final = ("allOf", "anyOf", "oneOf", "prefixItems")
_BLOCKS: Final = (Text, Image, Audio, File, Link)
_SCHEMAS: Final = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolExample:
    """A tool, with arguments that it must take and arguments that it must refuse."""

    tool: Tool
    good: Sequence[JsonObject]
    bad: Sequence[JsonObject]
    context: ToolContext = field(default_factory=lambda: ToolContext(principal=Principal(identity="ann")))


@pytest.mark.anyio
class ToolContract:
    """A tool says what it takes, takes that, refuses the rest, and answers in JSON or with a ToolResult. Needs the
    fixture `example`: a ToolExample (parametrize it for several tools)."""

    def test_the_name_is_one_that_models_take(self, example: ToolExample) -> None:
        assert _NAME.fullmatch(example.tool.name)

    def test_it_says_what_it_does(self, example: ToolExample) -> None:
        assert example.tool.description.strip()

    def test_the_schema_is_a_json_schema_of_an_object(self, example: ToolExample) -> None:
        schema = example.tool.schema
        assert json.loads(json.dumps(schema, allow_nan=False)) == schema
        assert schema.get("type") == "object"
        assert list(schema_faults(schema)) == []

    def test_the_schema_names_every_good_argument(self, example: ToolExample) -> None:
        properties = example.tool.schema.get("properties")
        known = properties if isinstance(properties, dict) else {}
        required = example.tool.schema.get("required", [])
        for arguments in example.good:
            if example.tool.schema.get("additionalProperties") is False:
                assert set(arguments) <= set(known)
            assert isinstance(required, list)
            assert set(map(str, required)) <= set(arguments)

    async def test_good_arguments_give_an_answer_in_json(self, example: ToolExample) -> None:
        assert example.good, "a contract without good arguments proves nothing"
        for arguments in example.good:
            answer = await example.tool.run(copy.deepcopy(arguments), example.context)
            if isinstance(answer, ToolResult):
                assert not answer.is_error
                assert all(isinstance(block, _BLOCKS) for block in answer.content)
                answer = answer.structured
            assert json.loads(json.dumps(answer, allow_nan=False)) == answer

    def test_the_schema_of_its_answers_is_one_of_an_object(self, example: ToolExample) -> None:
        schema = example.tool.output_schema
        if schema is not None:
            assert schema.get("type") == "object"
            assert list(schema_faults(schema)) == []

    async def test_answers_have_what_their_schema_requires(self, example: ToolExample) -> None:
        schema = example.tool.output_schema
        if schema is None:
            return
        required = schema.get("required", [])
        assert isinstance(required, list)
        for arguments in example.good:
            answer = await example.tool.run(copy.deepcopy(arguments), example.context)
            found = answer.structured if isinstance(answer, ToolResult) else answer
            assert isinstance(found, dict)
            assert set(map(str, required)) <= set(found)

    async def test_bad_arguments_are_refused_as_invalid_input(self, example: ToolExample) -> None:
        assert example.bad, "a contract without bad arguments proves nothing"
        for arguments in example.bad:
            with pytest.raises(InvalidInputError):
                await example.tool.run(copy.deepcopy(arguments), example.context)

    async def test_arguments_are_left_as_they_are(self, example: ToolExample) -> None:
        for arguments in example.good:
            given = copy.deepcopy(arguments)
            await example.tool.run(given, example.context)
            assert given == arguments
        for arguments in example.bad:
            given = copy.deepcopy(arguments)
            with pytest.raises(InvalidInputError):
                await example.tool.run(given, example.context)
            assert given == arguments


def schema_faults(schema: JsonValue, place: str = "#") -> Sequence[str]:
    """What is not JSON Schema in this value, each with its place: the shape of the keywords that tools use."""
    if isinstance(schema, bool):
        return []
    if not isinstance(schema, dict):
        return [f"{place}: a schema is an object or a boolean"]
    return [*_own_faults(schema, place), *_inner_faults(schema, place)]


def _own_faults(schema: JsonObject, place: str) -> list[str]:
    faults = []
    kind = schema.get("type", "object")
    kinds = kind if isinstance(kind, list) else [kind]
    if not kinds or not all(isinstance(one, str) and one in _TYPES for one in kinds):
        faults.append(f"{place}/type: {kind!r} is none of {', '.join(sorted(_TYPES))}")
    required = schema.get("required", [])
    names = required if isinstance(required, list) else [None]
    if not all(isinstance(name, str) for name in names) or len(set(map(str, names))) != len(names):
        faults.append(f"{place}/required: must be a list of different strings")
    elif isinstance(properties := schema.get("properties"), dict) and not {*map(str, names)} <= {*properties}:
        faults.append(f"{place}/required: names what is not among the properties")
    if "enum" in schema and not isinstance(schema["enum"], list):
        faults.append(f"{place}/enum: must be a list")
    if not isinstance(schema.get("description", ""), str):
        faults.append(f"{place}/description: must be a string")
    return faults


def _inner_faults(schema: JsonObject, place: str) -> list[str]:
    faults: list[str] = []
    for keyword in _SCHEMAS:
        if keyword in schema:
            faults += schema_faults(schema[keyword], f"{place}/{keyword}")
    for keyword in _SCHEMAS_BY_NAME:
        inner = schema.get(keyword, {})
        if not isinstance(inner, dict):
            faults.append(f"{place}/{keyword}: must be an object")
            continue
        for name, part in inner.items():
            faults += schema_faults(part, f"{place}/{keyword}/{name}")
    for keyword in _LISTS_OF_SCHEMAS:
        parts = schema.get(keyword, [])
        if not isinstance(parts, list):
            faults.append(f"{place}/{keyword}: must be a list")
            continue
        for index, part in enumerate(parts):
            faults += schema_faults(part, f"{place}/{keyword}/{index}")
    return faults
