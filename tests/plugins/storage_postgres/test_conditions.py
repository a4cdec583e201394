"""Filters in SQL find what `filters.matches` finds, whatever the documents hold, and indexes answer them."""

from collections.abc import Iterator

import orjson
import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row

from longline.models.filters import EVERYTHING, NOTHING, AllOf, AnyOf, ContainsAll, Equals, Filter, matches
from longline.models.json import JsonObject, JsonValue
from longline.models.threads import ThreadQuery
from longline_storage_postgres.conditions import condition
from longline_storage_postgres.searches import joined
from longline_storage_postgres.threads import _search

_WIDE = 2**63
_KEYS = st.sampled_from(["a", "b", "", "\0", "\ue000", "\ue0000", "\ue0001", "\\u0000", 'q"q', "ünï", "%s", "{}"])
_TEXTS = st.sampled_from(
    ["", "a", "1", "1e16", ":1e16,", 'x":1e17}', "\ue000", "\ue0000", "\ue0001", "😀", "\uffff"]
) | st.text(st.characters(codec="utf-8"), max_size=3)
_TEXTS |= st.sampled_from(["\0", "\0\0", "\\", "\\\0", "\\u0000", "\\\\u0000", "\\ue000"])
_WHOLE = st.sampled_from([0, 1, -1, 2**53, 2**53 + 1, 10**16, _WIDE - 1, _WIDE, _WIDE + 1, -_WIDE, 2**64 - 1])
_NEAR = _WHOLE.flatmap(lambda number: st.integers(max(-_WIDE, number - 2), min(2**64 - 1, number + 2)))
_FLOATS = st.sampled_from([1.0, -0.0, 0.1, 1e-7, 5e-324, 1e300, 1e16, 1e17, 1e18, 1e19, 1e20, 9.223372036854776e18])
_NUMBERS = _WHOLE | _NEAR | _FLOATS | _WHOLE.map(float) | st.floats(allow_nan=False, allow_infinity=False)
_SCALARS = st.none() | st.booleans() | _NUMBERS | _TEXTS


def _values(scalars: st.SearchStrategy[JsonValue]) -> st.SearchStrategy[JsonValue]:
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
        max_leaves=5,
    )


# A filter may come from Python code: it may hold what no document can.
_BEYOND: st.SearchStrategy[JsonValue] = st.sampled_from(
    [2**64, 2**64 + 1, 2**70, -(2**63) - 1, 10**400, float("nan"), float("inf"), "\ud800"]
)
_DOCUMENTS: st.SearchStrategy[JsonObject] = st.dictionaries(_KEYS, _values(_SCALARS), max_size=4)


def _twins(value: JsonValue) -> list[JsonValue]:
    """Values that equal, or nearly equal, this one."""
    others: list[JsonValue] = [False]
    match value:
        case bool():
            others = [int(value)]
        case int():
            others = [float(value), value + 1]
        case float() if value.is_integer():
            others = [int(value), int(value) + 1]
        case list():
            others = [value[:1], [*reversed(value)], {}, [{}]]
        case dict():
            others = [dict(list(value.items())[:1]), []]
        case str():
            others = [value[:-1], value + "0"]
    return [value, *others]


@st.composite
def _cases(draw: st.DrawFn) -> tuple[JsonObject, Filter]:
    """A document, and a filter that often speaks of what is in it."""
    document = draw(_DOCUMENTS)
    told = [(key, twin) for key, value in document.items() for twin in _twins(value)]
    member = st.tuples(_KEYS, _values(_SCALARS | _BEYOND))
    member = st.sampled_from(told) | member if told else member
    equals = member.map(lambda pair: Equals(*pair))
    listed = member.map(lambda pair: ContainsAll(pair[0], tuple(pair[1]) if isinstance(pair[1], list) else (pair[1],)))
    parts = st.recursive(
        equals | listed,
        lambda inner: (
            st.lists(inner, max_size=4).map(lambda parts: AllOf(tuple(parts)))
            | st.lists(inner, max_size=4).map(lambda parts: AnyOf(tuple(parts)))
        ),
        max_leaves=6,
    )
    return document, draw(parts)


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[dict[str, object]]]:
    with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as opened:
        yield opened


def _holds(connection: psycopg.Connection[dict[str, object]], document: bytes, wanted: Filter) -> set[bool]:
    """What each kind of column says."""
    found = set()
    for column, stored in (("metadata", document.decode()), ("values", document), ("value", document.decode())):
        asked = condition(wanted, column)  # type: ignore[arg-type]  # the three that there are
        kind = "bytea" if column == "values" else "text"
        row = connection.execute(
            f'SELECT coalesce({asked.sql}, FALSE) AS holds FROM (SELECT %s::{kind} AS "{column}") AS documents',
            (*asked.parameters, stored),
        ).fetchone()
        assert row is not None
        found.add(bool(row["holds"]))
    return found


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(case=({"a": _WIDE}, Equals("a", float(_WIDE))))
@example(case=({"a": float(_WIDE)}, Equals("a", _WIDE)))
@example(case=({"a": float(_WIDE)}, Equals("a", 9223372036854776000)))
@example(case=({"a": float(2**64)}, Equals("a", 2**64)))
@example(case=({"a": "\0"}, Equals("a", "\ue0000")))
@example(case=({"a": "\\u0000"}, Equals("a", "\0")))
@example(case=({"a": "1e17", "b": [1e17]}, AllOf((Equals("a", "1e17"), Equals("b", [10**17])))))
@example(case=({"a": True}, Equals("a", 1)))
@example(case=({"a": 1}, AllOf((Equals("a", 1), Equals("a", 2)))))
@example(case=({}, Equals("a", None)))
@example(case=({"a": ["x"]}, Equals("a", "x")))
@given(case=_cases())
def test_a_filter_holds_where_the_model_says_so(
    connection: psycopg.Connection[dict[str, object]], case: tuple[JsonObject, Filter]
) -> None:
    document, wanted = case
    stored = orjson.dumps(document)
    assert _holds(connection, stored, wanted) == {matches(wanted, orjson.loads(stored))}


@pytest.mark.parametrize("spelled", [rb'{"a" : "\ue000"}', b'{"a":\t"\xee\x80\x80"}', rb'{"a":"\uE000"}'])
def test_a_letter_is_the_same_however_it_is_spelled(
    connection: psycopg.Connection[dict[str, object]], spelled: bytes
) -> None:
    assert _holds(connection, spelled, Equals("a", "\ue000")) == {True}
    assert _holds(connection, spelled, Equals("a", "\0")) == {False}


@pytest.mark.parametrize("kind", [AnyOf, AllOf])
def test_a_filter_of_very_many_parts_is_applied(
    connection: psycopg.Connection[dict[str, object]], kind: type[AnyOf] | type[AllOf]
) -> None:
    parts = tuple(Equals(f"k{number}", number) for number in range(70_000))
    stored = orjson.dumps({"k69999": 69_999})
    assert _holds(connection, stored, kind(parts)) == {kind is AnyOf}


def test_nothing_holds_without_values_but_the_filter_that_holds_for_everything(
    connection: psycopg.Connection[dict[str, object]],
) -> None:
    for wanted, expected in ((EVERYTHING, True), (NOTHING, False), (Equals("a", None), None)):
        asked = condition(wanted, "values")
        row = connection.execute(
            f'SELECT ({asked.sql}) AS holds FROM (SELECT NULL::bytea AS "values") AS documents', asked.parameters
        ).fetchone()
        assert row == {"holds": expected}


_MANY_THREADS = """
INSERT INTO longline.threads (thread_id, created_at, updated_at, state_updated_at, metadata)
SELECT n::text, now() + n * interval '1 ms', now(), now(),
    json_build_object('owner', 'user-' || n %% 1000, 'graph_id', 'agent', 'n', n)::text
FROM generate_series(1, %s) AS n
"""


def _plan(connection: psycopg.Connection[dict[str, object]], query: ThreadQuery) -> str:
    search = _search(query)
    sql, parameters = joined(search.select, search.conditions)
    rows = connection.execute(
        f"EXPLAIN {sql} {search.order}", (*parameters, search.limit, search.offset), prepare=False
    ).fetchall()
    return "\n".join(str(row["QUERY PLAN"]) for row in rows)


@pytest.mark.parametrize(
    "wanted",
    [
        Equals("owner", "user-7"),
        AllOf((Equals("owner", "user-7"), Equals("graph_id", "agent"))),
        AllOf((Equals("graph_id", "agent"), AnyOf((Equals("owner", "user-7"), Equals("owner", "user-8"))))),
        Equals("n", 7),
        ContainsAll("tags", ("x",)),
    ],
    ids=["owner", "owner and more", "one of two owners", "number", "list"],
)
def test_the_threads_of_an_owner_among_many_are_found_by_the_index(
    connection: psycopg.Connection[dict[str, object]], wanted: Filter
) -> None:
    connection.execute(_MANY_THREADS, (10_000,))
    connection.execute("ANALYZE longline.threads")
    assert "threads_by_metadata" in _plan(connection, ThreadQuery(visible=wanted))


def test_what_most_threads_have_is_not_looked_up_but_walked_by_age(
    connection: psycopg.Connection[dict[str, object]],
) -> None:
    connection.execute(_MANY_THREADS, (10_000,))
    connection.execute("ANALYZE longline.threads")
    assert "threads_by_age" in _plan(connection, ThreadQuery(visible=Equals("graph_id", "agent")))
