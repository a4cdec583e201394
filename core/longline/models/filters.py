"""What a caller may see, as a condition on metadata that every storage can apply by itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from longline.models.json import JsonValue


@dataclass(frozen=True, slots=True)
class Equals:
    """The metadata value under `key` contains `value`: equal scalars, objects by their given keys, lists by element."""

    key: str
    value: JsonValue


@dataclass(frozen=True, slots=True)
class ContainsAll:
    """The metadata value under `key` is a list that holds every one of `values`."""

    key: str
    values: tuple[JsonValue, ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part holds. Without parts it holds for everything."""

    parts: tuple["Filter", ...] = ()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds. Without parts it holds for nothing."""

    parts: tuple["Filter", ...] = ()


Filter: TypeAlias = Equals | ContainsAll | AllOf | AnyOf

EVERYTHING = AllOf()
NOTHING = AnyOf()


def matches(condition: Filter, metadata: Mapping[str, JsonValue]) -> bool:
    """Whether metadata fulfils the condition. Storages that filter in their own language must agree with this."""
    match condition:
        case Equals(key, value):
            return key in metadata and contains(metadata[key], value)
        case ContainsAll(key, values):
            found = metadata.get(key)
            return isinstance(found, list) and all(any(contains(item, v) for item in found) for v in values)
        case AllOf(parts):
            return all(matches(part, metadata) for part in parts)
        case AnyOf(parts):
            return any(matches(part, metadata) for part in parts)


def keys_of(condition: Filter) -> frozenset[str]:
    """The metadata keys that the condition looks at."""
    if isinstance(condition, Equals | ContainsAll):
        return frozenset({condition.key})
    return frozenset().union(*(keys_of(part) for part in condition.parts))


def contains(found: JsonValue, wanted: JsonValue) -> bool:
    """JSON containment: objects by key, lists by element, everything else (numbers by value) by equality."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(k in found and contains(found[k], v) for k, v in wanted.items())
    if isinstance(wanted, list):
        return isinstance(found, list) and all(any(contains(item, w) for item in found) for w in wanted)
    if isinstance(wanted, bool) or isinstance(found, bool):
        return found is wanted
    return found == wanted


def all_of(*parts: Filter) -> Filter:
    """The conjunction, flattened so that `EVERYTHING` costs nothing."""
    flat = [p for part in parts for p in (part.parts if isinstance(part, AllOf) else (part,))]
    return flat[0] if len(flat) == 1 else AllOf(tuple(flat))


def metadata_filter(wanted: Mapping[str, JsonValue]) -> Filter:
    """The condition that metadata contains every given pair."""
    return all_of(*(Equals(key, value) for key, value in wanted.items()))
