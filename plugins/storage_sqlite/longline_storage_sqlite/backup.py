"""`longline sqlite-backup`: a copy of the database while it is in use."""

import argparse
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from longline.commands import Command
from longline.settings import ServerSettings, Settings
from longline_storage_sqlite.errors import BackupExistsError, NothingToBackUpError, translated
from longline_storage_sqlite.storage import database_path

_PAGES_PER_STEP = 1_000  # between steps a running server may write


def backup_command() -> Command:
    """The command that makes a backup of the configured file."""
    return Command(
        name="sqlite-backup",
        help="copy the SQLite database to a file, also while a server uses it",
        run=_run,
        configure=_configure,
    )


def make_backup(source: Path, target: Path) -> None:
    """Copy a consistent state of the database. Raises StorageError; a target that exists is never overwritten."""
    if not source.is_file():
        raise NothingToBackUpError(source)
    if target.exists():
        raise BackupExistsError(target)
    partial = target.with_name(target.name + ".partial")
    try:
        with (
            translated(source),
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as reading,
            closing(sqlite3.connect(partial)) as writing,
        ):
            reading.backup(writing, pages=_PAGES_PER_STEP)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", type=Path, metavar="TARGET", help="the file to write; it must not exist yet")


def _run(arguments: argparse.Namespace, settings: Settings) -> int:
    source = database_path(settings.section(ServerSettings).database)
    make_backup(source, arguments.target)
    sys.stdout.write(f"{source} was copied to {arguments.target}\n")
    return 0
