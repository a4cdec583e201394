"""Searches for items: fixed fragments joined, parameters always bound."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, LiteralString

import orjson
from langgraph.store.base import ListNamespacesOp, SearchOp
from psycopg import sql

from longline_storage_postgres.statements import load_statements
from longline_storage_postgres.vectors import with_vectors

_SQL = load_statements("items")

_WANTED: Final = {"$gt": [1], "$gte": [0, 1], "$lt": [-1], "$lte": [-1, 0]}
"""What a comparison must come to."""
_KEY: Final = re.compile(r"[a-zA-Z0-9_.-]+")
_SPECIAL: Final = re.compile(r"[.\\^$*+?()\[\]{}|]")


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for by meaning: the vector, and the schema of the extension."""

    vector: Sequence[float]
    schema: str


@dataclass(slots=True)
class _Joined:
    parts: list[sql.Composable] = field(default_factory=list)
    parameters: list[object] = field(default_factory=list)

    def add(self, statement: sql.Composable | LiteralString, *parameters: object) -> None:
        self.parts.append(statement if isinstance(statement, sql.Composable) else sql.SQL(statement))
        self.parameters += parameters

    def done(self) -> tuple[sql.Composed, Sequence[object]]:
        return sql.SQL(" ").join(self.parts), self.parameters


def search(op: SearchOp, query: Query | None) -> tuple[sql.Composed, Sequence[object]]:
    """The statement of a search, and its parameters. Raises ValueError for a filter that nobody understands."""
    joined = _Joined()
    if query is None:
        joined.add(_SQL["search"])
    else:
        joined.add(with_vectors("nearest", query.schema), list(query.vector), len(query.vector))
    if op.namespace_prefix:
        prefix = ".".join(op.namespace_prefix)
        joined.add(_SQL["in_namespace"], prefix, prefix, prefix)
    for key, wanted in (op.filter or {}).items():
        if not _KEY.fullmatch(key):
            raise ValueError(f"Invalid filter key: {key!r}")  # noqa: TRY003  # as LangGraph's stores say it
        for operator, value in wanted.items() if isinstance(wanted, dict) else [("$eq", wanted)]:
            _add_condition(joined, key.split("."), operator, value)
    joined.add(_SQL["search_order" if query is None else "nearest_order"], op.limit, op.offset)
    return joined.done()


def namespaces(op: ListNamespacesOp) -> tuple[sql.Composed, Sequence[object]]:
    """The statement of a list of namespaces, and its parameters."""
    joined = _Joined()
    joined.add(_SQL["namespaces"], op.max_depth)
    for condition in op.match_conditions or ():
        if condition.path:
            joined.add(_SQL["namespace_matches"], _pattern(condition.path, condition.match_type))
    joined.add(_SQL["namespaces_order"], op.limit, op.offset)
    return joined.done()


def _add_condition(joined: _Joined, path: Sequence[str], operator: str, value: object) -> None:
    if operator in ("$eq", "$ne") and (value is None or _is_odd(value)):
        joined.add(_SQL["is_null" if operator == "$eq" else "is_not_null"], path)
    elif operator == "$eq":
        joined.add(_SQL["equals"], path, orjson.dumps(value).decode())
    elif operator == "$ne":
        joined.add(_SQL["differs"], path, orjson.dumps(value).decode())
    elif operator not in _WANTED:
        raise ValueError(f"Unsupported operator: {operator}")  # noqa: TRY003  # as LangGraph's stores say it
    elif isinstance(value, int | float):
        joined.add(_SQL["compares_as_number"], path, path, str(float(value)), _WANTED[operator])
    else:
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        joined.add(_SQL["compares_as_text"], path, path, orjson.dumps(text).decode(), _WANTED[operator])


def _is_odd(value: object) -> bool:
    """Whether it is a number that JSON does not have, which is stored as null."""
    return isinstance(value, float) and not math.isfinite(value)


def _pattern(path: Sequence[str], match_type: str) -> str:
    """For whole parts of a namespace: `*` is any one part, a prefix may go on, a suffix may begin anywhere."""
    body = r"\.".join("[^.]+" if part == "*" else _escaped(part) for part in path)
    return rf"(^|\.){body}$" if match_type == "suffix" else rf"^{body}(\.|$)"


def _escaped(text: str) -> str:
    """A text that a regular expression of Postgres takes for itself."""
    return _SPECIAL.sub(r"\\\g<0>", text)
