"""What an `on` handler answers → the condition on metadata that storages apply."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeGuard

from longline.models.filters import AnyOf, ContainsAll, Equals, Filter, all_of
from longline.models.json import JsonValue

_JOINING: Final = ("$and", "$or")


def filter_from(answer: Mapping[object, object]) -> Filter:
    """Every entry must hold: `{"owner": "ann"}`, `{"owner": {"$eq": "ann"}}`, `{"tags": {"$contains": "a"}}` (a list
    that holds it), `{"tags": {"$contains": ["a", "b"]}}` (a list that holds all), `{"$or": [{…}, {…}]}`, `{"$and":
    […]}`. Raises ValueError for anything else: a condition that is not understood must not let anybody through."""
    return all_of(*(_entry(key, wanted) for key, wanted in answer.items()))


def _entry(key: object, wanted: object) -> Filter:
    if not isinstance(key, str):
        raise ValueError(f"the key {key!r} of a filter is not a text")  # noqa: TRY003, TRY004  # for the caller
    if key in _JOINING:
        parts = [filter_from(part) for part in _filters(key, wanted)]
        return all_of(*parts) if key == "$and" else AnyOf(tuple(parts))
    if key.startswith("$"):
        raise ValueError(f"a filter knows no operator {key!r}")  # noqa: TRY003  # for the caller
    if isinstance(wanted, Mapping):
        if not wanted:
            raise ValueError(f"the filter says nothing about {key!r}")  # noqa: TRY003  # for the caller
        return all_of(*(_operator(key, operator, operand) for operator, operand in wanted.items()))
    return Equals(key, _scalar(key, wanted))


def _operator(key: str, operator: object, operand: object) -> Filter:
    if operator == "$eq":
        return Equals(key, _scalar(key, operand))
    if operator == "$contains":
        if isinstance(operand, list | tuple | set | frozenset):
            return ContainsAll(key, tuple(_scalar(key, item) for item in operand))
        return ContainsAll(key, (_scalar(key, operand),))
    raise ValueError(f"a filter knows no operator {operator!r}: use $eq, $contains")  # noqa: TRY003  # for the caller


def _filters(key: str, wanted: object) -> Sequence[Mapping[object, object]]:
    if isinstance(wanted, list | tuple) and all(isinstance(part, Mapping) for part in wanted):
        return wanted
    raise ValueError(f"{key} takes a list of filters")  # noqa: TRY003  # for the caller


def _scalar(key: str, value: object) -> JsonValue:
    """Lists and objects are compared by what they contain, not as a whole: they cannot be meant exactly."""
    if _is_scalar(value):
        return value
    raise ValueError(f"the filter compares {key!r} with a {type(value).__name__}")  # noqa: TRY003  # for the caller


def _is_scalar(value: object) -> TypeGuard[str | int | float | bool | None]:
    return value is None or isinstance(value, str | int | float | bool)
