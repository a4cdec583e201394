"""Filters as SQL: strings, booleans and null by SQLite's own functions, everything else by `filters.matches`."""

import re
from dataclasses import dataclass
from functools import lru_cache
from threading import local
from typing import Literal, TypeAlias

import orjson

from longline.errors import LonglineError
from longline.models.filters import AllOf, AnyOf, ContainsAll, Equals, Filter, Missing, matches
from longline.models.json import JsonValue
from longline_storage_sqlite.statements import load_statements

Column: TypeAlias = Literal["metadata", "values", "value"]
Bound: TypeAlias = str | int | bytes | None

_SQL = load_statements("conditions")
# Which escapes a quoted label of a JSON path knows differs between versions of SQLite; these labels need none.
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_.\- ]+")
_KINDS = {True: "true", False: "false", None: "null"}
# SQLite refuses expressions nested deeper than 1000, and nests a chain of ANDs as deep as it is long.
_MOST_PARTS = 100
_LONGEST_KEPT = 64 * 1024  # characters of an encoded filter; longer ones would stay in memory after their search


_raised = local()


@dataclass(frozen=True, slots=True)
class Condition:
    """A part of a WHERE clause with the values of its question marks."""

    sql: str
    parameters: tuple[Bound, ...] = ()


def condition(wanted: Filter, column: Column) -> Condition:
    """The filter as SQL over a column of JSON objects."""
    if _count_parts(wanted) > _MOST_PARTS:
        return _by_function(wanted, column)
    return _translate(wanted, column)


def document_matches(encoded_filter: str, document: str | bytes | None) -> bool:
    """The SQL function behind filters that SQLite cannot express: false for what is no JSON object."""
    if document is None:
        return False
    value = orjson.loads(document)
    try:
        return isinstance(value, dict) and matches(_decode_filter(encoded_filter), value)
    except LonglineError as error:
        _raised.error = error
        raise


def take_error() -> LonglineError | None:
    """What `document_matches` raised in this thread: SQLite itself only says that something was."""
    error: LonglineError | None = getattr(_raised, "error", None)
    _raised.error = None
    return error


def _count_parts(wanted: Filter) -> int:
    if isinstance(wanted, AllOf | AnyOf):
        return 1 + sum(_count_parts(part) for part in wanted.parts)
    return 1


def _translate(wanted: Filter, column: Column) -> Condition:
    match wanted:
        case AllOf(parts):
            return _join([_translate(part, column) for part in parts], " AND ", "1")
        case AnyOf(parts):
            return _join([_translate(part, column) for part in parts], " OR ", "0")
        case Equals(key, str() as value) if _PLAIN_KEY.fullmatch(key):
            return Condition(_SQL[f"{column}_text"], (_encoded(wanted), _path(key), _path(key), value))
        case Equals(key, bool() | None as value) if _PLAIN_KEY.fullmatch(key):
            return Condition(_SQL[f"{column}_kind"], (_path(key), _KINDS[value]))
        case Missing(key) if _PLAIN_KEY.fullmatch(key):
            return Condition(_SQL[f"{column}_missing"], (_path(key),))
        case _:
            return _by_function(wanted, column)


def _join(conditions: list[Condition], word: str, empty: str) -> Condition:
    if not conditions:
        return Condition(empty)
    sql = word.join(part.sql for part in conditions)
    return Condition("(" + sql + ")", tuple(value for part in conditions for value in part.parameters))


def _path(key: str) -> str:
    return f'$."{key}"'


def _by_function(wanted: Filter, column: Column) -> Condition:
    return Condition(_SQL[f"{column}_other"], (_encoded(wanted),))


def _encoded(wanted: Filter) -> str:
    return orjson.dumps(_encode_filter(wanted)).decode()


def _encode_filter(wanted: Filter) -> list[object]:
    match wanted:
        case Equals(key, value):
            return ["equals", key, value]
        case ContainsAll(key, values):
            return ["contains_all", key, values]
        case Missing(key):
            return ["missing", key]
        case AllOf(parts):
            return ["all_of", [_encode_filter(part) for part in parts]]
        case AnyOf(parts):
            return ["any_of", [_encode_filter(part) for part in parts]]


def _decode_filter(encoded: str) -> Filter:
    return _decode(encoded) if len(encoded) > _LONGEST_KEPT else _decode_and_keep(encoded)


def _decode(encoded: str) -> Filter:
    return _build_filter(orjson.loads(encoded))


_decode_and_keep = lru_cache(maxsize=4)(_decode)  # one search asks the same for each of its rows


def _build_filter(encoded: JsonValue) -> Filter:
    match encoded:
        case ["equals", str() as key, value]:
            return Equals(key, value)
        case ["contains_all", str() as key, list() as values]:
            return ContainsAll(key, tuple(values))
        case ["missing", str() as key]:
            return Missing(key)
        case ["all_of", list() as parts]:
            return AllOf(tuple(_build_filter(part) for part in parts))
        case ["any_of", list() as parts]:
            return AnyOf(tuple(_build_filter(part) for part in parts))
        case _:
            raise ValueError(encoded)
