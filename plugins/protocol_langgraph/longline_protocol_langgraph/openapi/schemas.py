"""JSON schemas of bodies and answers, with the graphs of this server in them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from longline.models.json import JsonObject, JsonValue
from longline_protocol_langgraph.bodies.types import ASSISTANT_NAMES, GRAPH_IDS
from longline_protocol_langgraph.openapi.operation import Shape

PLACE: Final = "#/components/schemas/"
_UUID: Final[JsonObject] = {"type": "string", "format": "uuid"}
_VALIDATION: Final[JsonSchemaMode] = "validation"


class Schemas:
    """The schemas of all shapes: each by its shape, and the components that they refer to."""

    def __init__(self, shapes: Iterable[Shape], graph_ids: Sequence[str]) -> None:
        adapters = {id(shape): _adapter(shape) for shape in shapes if not isinstance(shape, dict)}
        inputs = [(key, _VALIDATION, adapter) for key, adapter in adapters.items()]
        found, definitions = TypeAdapter.json_schemas(inputs, ref_template=PLACE + "{model}")
        self._graph_ids = list(graph_ids)
        self._by_shape = {key: self._finish(schema) for (key, _), schema in found.items()}
        components = self._finish(definitions.get("$defs", {}))
        self.components: JsonObject = {_public(name): schema for name, schema in components.items()}

    def of(self, shape: Shape, *, is_partial: bool = False) -> JsonObject:
        """The schema of a shape. If it is partial, no field of the objects in it is required."""
        if isinstance(shape, dict):
            return shape
        schema = self._by_shape[id(shape)]
        return self._partial(schema) if is_partial else schema

    def _partial(self, schema: JsonObject) -> JsonObject:
        items = schema.get("items")
        if isinstance(items, dict):
            return {**schema, "items": self._partial(items)}
        name = str(schema["$ref"]).removeprefix(PLACE)
        whole = self.components[name]
        fields = {key: value for key, value in whole.items() if key != "required"} if isinstance(whole, dict) else {}
        self.components[f"{name}Fields"] = {**fields, "description": f"The fields that were asked for of a {name}."}
        return {"$ref": f"{PLACE}{name}Fields"}

    def _finish(self, schema: Mapping[str, Any]) -> JsonObject:
        finished = self._walk(dict(schema))
        return finished if isinstance(finished, dict) else {}

    def _walk(self, value: JsonValue) -> JsonValue:
        if isinstance(value, list):
            return [self._walk(entry) for entry in value]
        if not isinstance(value, dict):
            return value
        walked = {key: self._walk(entry) for key, entry in value.items() if not _is_generated_title(key, entry)}
        reference = walked.get("$ref")
        if isinstance(reference, str):
            walked["$ref"] = PLACE + _public(reference.removeprefix(PLACE))
        if walked.pop(GRAPH_IDS, False):
            walked["enum"] = list(self._graph_ids)
        if walked.pop(ASSISTANT_NAMES, False):
            text = {key: walked.pop(key) for key in ("type",) if key in walked}
            walked["anyOf"] = [_UUID, {**text, "enum": list(self._graph_ids)}]
        return walked


def _adapter(shape: type[Any] | TypeAdapter[Any]) -> TypeAdapter[Any]:
    return shape if isinstance(shape, TypeAdapter) else TypeAdapter(shape)


def _public(name: str) -> str:
    """`AssistantCreateBody` is called AssistantCreate outside."""
    return name.removesuffix("Body")


def _is_generated_title(key: str, value: JsonValue) -> bool:
    """Titles that pydantic makes of names say nothing new."""
    return key == "title" and isinstance(value, str)
