"""`longline sqlite-backup`: a whole copy, also while the file is in use."""

import argparse
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from longline.errors import StorageError
from longline.settings import CORE_SECTIONS, parse_settings
from longline.storage.protocols import Storage
from longline.testing.storage_samples import begin, ended, moment
from longline_storage_sqlite.backup import backup_command, make_backup
from longline_storage_sqlite.settings import SqliteSettings
from longline_storage_sqlite.storage import sqlite_backend

Reopen = Callable[[], AbstractAsyncContextManager[Storage]]


def run_command(database_url: str, target: Path) -> int:
    command = backup_command()
    parser = argparse.ArgumentParser()
    command.configure(parser)
    settings = parse_settings({"server": {"database": database_url}}, CORE_SECTIONS)
    return command.run(parser.parse_args([str(target)]), settings)


@pytest.mark.anyio
async def test_a_backup_of_a_file_in_use_holds_what_was_committed(
    storage: Storage, database_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = await begin(storage)
    await storage.runs.finish(run.lease, ended(values=b'{"n":1}'), at=moment(1))
    target = tmp_path / "backup.db"
    assert run_command(f"sqlite:///{database_file}", target) == 0
    assert str(target) in capsys.readouterr().out
    thread = await storage.threads.get(run.thread_id)
    async with sqlite_backend(SqliteSettings()).connect(f"sqlite:///{target}") as copied:
        assert await copied.threads.get(run.thread_id) == thread
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.anyio
async def test_a_backup_never_overwrites(storage: Storage, database_file: Path, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("mine")
    with pytest.raises(StorageError, match="exists already"):
        make_backup(database_file, target)
    assert target.read_text() == "mine"


def test_without_a_database_there_is_nothing_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such file"):
        make_backup(tmp_path / "missing.db", tmp_path / "target.db")
    assert list(tmp_path.iterdir()) == []


def test_a_database_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="names no file"):
        run_command("postgres://host/db", tmp_path / "target.db")


def test_a_target_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    source = tmp_path / "damaged.db"
    source.write_bytes(b"this is no database" * 100)
    with pytest.raises(StorageError, match="not an SQLite database"):
        make_backup(source, tmp_path / "target.db")
    assert not (tmp_path / "target.db").exists()
