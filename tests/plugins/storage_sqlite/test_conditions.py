"""Filters in SQL, beyond what every storage must find."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from longline.models.filters import AllOf, AnyOf, Equals, matches
from longline_storage_sqlite import conditions
from longline_storage_sqlite.conditions import condition
from longline_storage_sqlite.connections import open_writer


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_writer(tmp_path / "x.db", busy_timeout_seconds=1)) as opened:
        opened.execute('CREATE TABLE t (metadata TEXT, "values" BLOB)')
        yield opened


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.text(max_size=4), stored=st.text(max_size=4), wanted=st.text(max_size=4))
@example(key="owner", stored="ann\0bob", wanted="ann")
@example(key="owner", stored="\0", wanted="")
def test_any_text_under_any_key_is_compared_as_it_is(
    connection: sqlite3.Connection, key: str, stored: str, wanted: str
) -> None:
    connection.execute("DELETE FROM t")
    document = json.dumps({key: stored}, ensure_ascii=False)
    connection.execute("INSERT INTO t VALUES (?, ?)", (document, document.encode()))
    for value in (stored, wanted):
        for part in (condition(Equals(key, value), "metadata"), condition(Equals(key, value), "values")):
            found = connection.execute("SELECT count(*) FROM t WHERE " + part.sql, part.parameters).fetchone()[0]
            assert bool(found) == matches(Equals(key, value), {key: stored})


def test_text_that_looks_like_the_json_of_another_type_does_not_match_it(connection: sqlite3.Connection) -> None:
    connection.execute("""INSERT INTO t VALUES ('{"a": {"b":1}, "c": 1, "d": true, "e": null}', NULL)""")
    for wanted in (Equals("a", '{"b":1}'), Equals("c", "1"), Equals("d", 1), Equals("d", "true"), Equals("e", "null")):
        part = condition(wanted, "metadata")
        assert connection.execute("SELECT count(*) FROM t WHERE " + part.sql, part.parameters).fetchone()[0] == 0


def test_empty_filters_need_no_column() -> None:
    assert condition(AllOf(), "metadata").sql == "1"
    assert condition(AnyOf(), "values").sql == "0"


def test_long_filters_are_not_kept_in_memory_after_their_search() -> None:
    conditions._decode_and_keep.cache_clear()
    for number in range(100):
        short, long = json.dumps(["equals", "k", number]), json.dumps(["equals", "k", f"{number}" * 100_000])
        assert conditions.document_matches(short, json.dumps({"k": number}))
        assert conditions.document_matches(long, json.dumps({"k": f"{number}" * 100_000}))
    kept = conditions._decode_and_keep.cache_info()
    assert (kept.misses, kept.currsize) == (100, 4)
