"""The JSON types that the models are made of."""

from collections.abc import Mapping
from typing import TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = dict[str, JsonValue]
FrozenObject: TypeAlias = Mapping[str, JsonValue]

# Already encoded JSON text. State values are encoded once, when a run ends, and never parsed again on the way out.
JsonBytes: TypeAlias = bytes


def as_object(value: JsonValue) -> JsonObject:
    """The object, or an empty one for anything else."""
    return value if isinstance(value, dict) else {}
