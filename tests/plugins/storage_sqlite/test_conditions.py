"""Filters in SQL, beyond what every storage must find."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from longline.errors import FilterTooWideError
from longline.models import filters
from longline.models.filters import AllOf, AnyOf, Equals, matches
from longline.models.json import JsonObject
from longline.models.threads import NewThread, ThreadQuery
from longline.storage.protocols import Storage
from longline.testing.storage_samples import moment
from longline_storage_sqlite import conditions
from longline_storage_sqlite.conditions import condition
from longline_storage_sqlite.connections import open_reader, open_writer
from longline_storage_sqlite.errors import ReadTooLongError
from longline_storage_sqlite.readers import Readers


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


@pytest.mark.anyio
async def test_a_read_that_takes_too_long_is_broken_off_and_the_next_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    readers = Readers([open_reader(path, busy_timeout_seconds=1)], path, most_seconds=0.05)
    endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    try:
        with pytest.raises(ReadTooLongError, match="read_seconds"):
            await readers.run(lambda connection: connection.execute(endless).fetchone())
        assert (await readers.run(lambda connection: connection.execute("SELECT 1").fetchone()))[0] == 1
    finally:
        readers.close()


@pytest.mark.anyio
async def test_a_filter_that_would_compare_for_minutes_is_refused(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata: JsonObject = {"a": [{"n": number} for number in range(2_000)]}
    await storage.threads.create(NewThread(thread_id="t", metadata=metadata, created_at=moment()))
    wanted = Equals("a", [{"n": n} for n in range(1_900, 1_940)])
    assert (await storage.threads.search(ThreadQuery(metadata=wanted))).total == 1
    monkeypatch.setattr(filters, "_MOST_COMPARISONS", 10_000)
    none = Equals("a", [{"n": -number} for number in range(1, 500)])
    assert (await storage.threads.search(ThreadQuery(metadata=none))).total == 0
    with pytest.raises(FilterTooWideError):
        await storage.threads.search(ThreadQuery(metadata=wanted))
    await storage.check()
