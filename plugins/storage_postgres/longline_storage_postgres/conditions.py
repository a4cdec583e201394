"""Filters as SQL, such that they find what `filters.matches` finds: containment of JSON in JSON, which indexes know."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, LiteralString, TypeAlias

import orjson

from longline.models.filters import AllOf, AnyOf, ContainsAll, Equals, Filter, Missing
from longline.models.json import JsonObject, JsonValue
from longline_storage_postgres.rows import can_be_stored
from longline_storage_postgres.statements import load_statements

Column: TypeAlias = Literal["metadata", "values", "value"]
Bound: TypeAlias = str | int | bytes | datetime | Sequence[str] | None

_SQL = load_statements("conditions")
_LEAST, _MOST = -(2**63), 2**64 - 1
"""The whole numbers that JSON texts here hold; everything beyond is a float."""
_MANY = 200  # alternatives; an index looks up this many one by one


@dataclass(frozen=True, slots=True)
class Condition:
    """A part of a WHERE clause with the values of its placeholders."""

    sql: LiteralString
    parameters: tuple[Bound, ...] = ()


def condition(wanted: Filter, column: Column) -> Condition:
    """The filter as SQL over a column of JSON objects. Without JSON in the column it does not hold."""
    match wanted:
        case AllOf():
            found = [_contains(pairs, column) for pairs in _merged(wanted)]
            return _join([*found, *(condition(part, column) for part in _others(wanted))], " AND ", "TRUE")
        case AnyOf(parts):
            return _any_of(parts, column)
        case Missing(key):
            document = _encoded({key: None}) or "{}"  # a key that cannot be stored is in no document
            return Condition(_SQL[f"{column}_missing"], (document,))
        case _:
            return _contains(_pair(wanted), column)


def text_condition(sql: LiteralString, text: str) -> Condition:
    """A condition of one text, which nothing fulfils if it cannot be stored."""
    return Condition(sql, (text,)) if can_be_stored(text) else Condition("FALSE")


def _any_of(parts: Sequence[Filter], column: Column) -> Condition:
    """Parts that are plain pairs go as one list: there may be more of them than a statement takes parameters."""
    plain = [_encoded(_pair(part)) for part in parts if isinstance(part, Equals | ContainsAll)]
    documents = [document for document in plain if document is not None]
    found = [condition(part, column) for part in parts if isinstance(part, Missing | AllOf | AnyOf)]
    if len(documents) > _MANY:
        found.append(Condition(_SQL[f"{column}_contains_one_of"], ("[" + ",".join(documents) + "]",)))
    else:
        found.extend(Condition(_SQL[f"{column}_contains"], (document,)) for document in documents)
    return _join(found, " OR ", "FALSE")


def _join(conditions: list[Condition], word: LiteralString, empty: LiteralString) -> Condition:
    if not conditions:
        return Condition(empty)
    if len(conditions) == 1:
        return conditions[0]
    sql = word.join(part.sql for part in conditions)
    return Condition("(" + sql + ")", tuple(value for part in conditions for value in part.parameters))


def _merged(wanted: AllOf) -> list[JsonObject]:
    """The pairs that are wanted together, as few objects as can be: an object has a key once."""
    objects: list[JsonObject] = []
    for part in _flat(wanted):
        if isinstance(part, Equals | ContainsAll):
            pair = _pair(part)
            key = part.key
            home = next((known for known in objects if key not in known), None)
            if home is None:
                objects.append(pair)
            else:
                home.update(pair)
    return objects


def _others(wanted: AllOf) -> list[Missing | AnyOf]:
    return [part for part in _flat(wanted) if isinstance(part, Missing | AnyOf)]


def _flat(wanted: Filter) -> list[Filter]:
    if isinstance(wanted, AllOf):
        return [inner for part in wanted.parts for inner in _flat(part)]
    return [wanted]


def _pair(wanted: Equals | ContainsAll) -> JsonObject:
    return {wanted.key: wanted.value if isinstance(wanted, Equals) else list(wanted.values)}


def _contains(pairs: JsonObject, column: Column) -> Condition:
    document = _encoded(pairs)
    return Condition("FALSE") if document is None else Condition(_SQL[f"{column}_contains"], (document,))


def _encoded(pairs: JsonObject) -> str | None:
    """The wanted pairs as JSON; None if there is something in them that no stored document can hold."""
    try:
        return orjson.dumps(_storable(pairs)).decode()
    except (_NowhereError, orjson.JSONEncodeError):  # the latter: half a character, or deeper than documents may be
        return None


class _NowhereError(Exception):
    """A number that is in no document."""


def _storable(value: JsonValue) -> JsonValue:
    """The value with its numbers as documents have them."""
    match value:
        case dict():
            return {key: _storable(member) for key, member in value.items()}
        case list():
            return [_storable(member) for member in value]
        case bool():
            return value
        case float() if not math.isfinite(value):
            raise _NowhereError
        case int() if not _LEAST <= value <= _MOST:
            return _as_float(value)
        case _:
            return value


def _as_float(value: int) -> float:
    try:
        found = float(value)
    except OverflowError:
        raise _NowhereError from None
    if found != value:
        raise _NowhereError
    return found
