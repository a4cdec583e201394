"""The SQL files: every statement is valid, says what it promises, and reads no table from end to end."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from importlib import resources
from pathlib import Path

import pytest
from langgraph.store.sqlite import SqliteStore

from longline_storage_sqlite.connections import open_writer
from longline_storage_sqlite.migrate import run_migrations
from longline_storage_sqlite.statements import load_statements

_FOLDER = resources.files("longline_storage_sqlite") / "sql" / "queries"
_NOUNS = sorted(file.name.removesuffix(".sql") for file in _FOLDER.iterdir())
_WHOLE = [(noun, name) for noun in _NOUNS for name, sql in load_statements(noun).items() if sql.endswith(";")]


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    path = tmp_path / "x.db"
    with closing(open_writer(path, busy_timeout_seconds=1)) as opened:
        run_migrations(opened, path)
        SqliteStore(opened).setup()  # tables that LangGraph makes
        opened.execute(load_statements("items")["create_vectors"])
        yield opened


@pytest.mark.parametrize("noun", _NOUNS)
def test_every_statement_has_a_name_and_a_comment_of_its_own(noun: str) -> None:
    blocks = (_FOLDER / f"{noun}.sql").read_text("utf-8").split("-- name: ")[1:]
    names = [block.splitlines()[0] for block in blocks]
    assert len(set(names)) == len(names)
    assert all(block.splitlines()[1].startswith("-- ") for block in blocks)
    assert list(load_statements(noun)) == names


@pytest.mark.parametrize(("noun", "name"), _WHOLE)
def test_every_whole_statement_finds_its_rows_by_an_index(connection: sqlite3.Connection, noun: str, name: str) -> None:
    sql = load_statements(noun)[name]
    names = set(re.findall(r":(\w+)", sql))
    parameters: object = dict.fromkeys(names, "[]") if names else ("[]",) * sql.count("?")
    plan = [row["detail"] for row in connection.execute("EXPLAIN QUERY PLAN " + sql, parameters)]  # type: ignore[arg-type]
    # A partial index holds what is unfinished only, so walking through it is what is wanted.
    walks = [step for step in plan if re.match(r"SCAN (runs|threads|events|checkpoints|writes|assistants)\b", step)]
    # A count walks along an index too, and a table WITHOUT ROWID is its own.
    assert [step for step in walks if " INDEX " not in step] == (
        ["SCAN assistants"] if noun == "counts" and walks else []
    )
