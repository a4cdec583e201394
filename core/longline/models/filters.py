"""What a caller may see, as a condition on metadata that every storage can apply by itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from longline.errors import FilterTooWideError
from longline.models.json import JsonObject, JsonValue


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
class Missing:
    """There is no metadata value under `key`, or it is null."""

    key: str


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part holds. Without parts it holds for everything."""

    parts: tuple["Filter", ...] = ()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds. Without parts it holds for nothing."""

    parts: tuple["Filter", ...] = ()


Filter: TypeAlias = Equals | ContainsAll | Missing | AllOf | AnyOf

EVERYTHING = AllOf()
NOTHING = AnyOf()

_MOST_VALUES = 1_000
_MOST_COMPARISONS = 1_000_000


def matches(condition: Filter, metadata: Mapping[str, JsonValue]) -> bool:
    """Whether metadata fulfils the condition. Storages that filter in their own language must agree with this. Raises
    FilterTooWideError where objects in lists would have to be compared a million times."""
    match condition:
        case Equals(key, value):
            return key in metadata and contains(metadata[key], value)
        case ContainsAll(key, values):
            found = metadata.get(key)
            return isinstance(found, list) and _holds_all(found, values, _Patience())
        case Missing(key):
            return metadata.get(key) is None
        case AllOf(parts):
            return all(matches(part, metadata) for part in parts)
        case AnyOf(parts):
            return any(matches(part, metadata) for part in parts)


def keys_of(condition: Filter) -> frozenset[str]:
    """The metadata keys that the condition looks at."""
    if isinstance(condition, Equals | ContainsAll | Missing):
        return frozenset({condition.key})
    return frozenset().union(*(keys_of(part) for part in condition.parts))


def contains(found: JsonValue, wanted: JsonValue) -> bool:
    """JSON containment: objects by key, lists by element, everything else (numbers by value) by equality. Raises
    FilterTooWideError."""
    return _holds(found, wanted, _Patience())


class _Patience:
    """How many comparisons of one element with another are left."""

    def __init__(self) -> None:
        self._left = _MOST_COMPARISONS

    def spend(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise FilterTooWideError


def _holds(found: JsonValue, wanted: JsonValue, patience: _Patience) -> bool:
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(k in found and _holds(found[k], v, patience) for k, v in wanted.items())
    if isinstance(wanted, list):
        return isinstance(found, list) and _holds_all(found, wanted, patience)
    return not isinstance(found, list | dict) and _scalar(found) == _scalar(wanted)


def _holds_all(found: Sequence[JsonValue], wanted: Sequence[JsonValue], patience: _Patience) -> bool:
    """Scalars are looked up; only objects and lists are compared one by one."""
    scalars = {_scalar(item) for item in wanted if not isinstance(item, list | dict)}
    if scalars:
        scalars -= {_scalar(item) for item in found if not isinstance(item, list | dict)}
    return not scalars and all(
        any(_tried(item, part, patience) for item in found if isinstance(item, type(part)))
        for part in wanted
        if isinstance(part, list | dict)
    )


def _tried(found: JsonValue, wanted: JsonValue, patience: _Patience) -> bool:
    patience.spend()
    return _holds(found, wanted, patience)


def _scalar(value: bool | float | str | None) -> tuple[bool, bool | float | str | None]:
    """A scalar as something to compare and look up: 1 is 1.0, but not true."""
    return isinstance(value, bool), value


def all_of(*parts: Filter) -> Filter:
    """The conjunction, flattened so that `EVERYTHING` costs nothing."""
    flat = [p for part in parts for p in (part.parts if isinstance(part, AllOf) else (part,))]
    return flat[0] if len(flat) == 1 else AllOf(tuple(flat))


def pairs_in(condition: Filter) -> JsonObject:
    """The pairs that metadata must contain to fulfil the condition, as far as it says so plainly: the reverse of
    `metadata_filter`."""
    match condition:
        case Equals(key, value):
            return {key: value}
        case AllOf(parts):
            return {key: value for part in parts for key, value in pairs_in(part).items()}
        case _:
            return {}


def metadata_filter(wanted: Mapping[str, JsonValue]) -> Filter:
    """The condition that metadata contains every given pair. Raises FilterTooWideError for over a thousand values."""
    if _count(list(wanted.values())) > _MOST_VALUES:
        raise FilterTooWideError
    return all_of(*(Equals(key, value) for key, value in wanted.items()))


def _count(values: Sequence[JsonValue]) -> int:
    """How many values there are, at any depth; it stops counting at too many."""
    count, waiting = 0, list(values)
    while waiting and count <= _MOST_VALUES:
        value = waiting.pop()
        count += 1
        if isinstance(value, dict | list):
            waiting.extend(value.values() if isinstance(value, dict) else value)
    return count
