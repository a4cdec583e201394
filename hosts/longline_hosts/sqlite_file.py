"""A look at the database file of an embedded storage that leaves it as it is."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from longline.errors import SchemaTooNewError, StorageError
from longline_storage_sqlite.errors import translated
from longline_storage_sqlite.lock import OwnerLock
from longline_storage_sqlite.migrate import migrations
from longline_storage_sqlite.storage import database_path


def look_at(url: str) -> str:
    """What a server would find there. Raises StorageInUseError, SchemaTooNewError or StorageError."""
    path = database_path(url)
    if not path.exists():
        return _look_for_room(path)
    lock = path.with_name(path.name + ".lock")
    with translated(path):
        if not lock.exists():
            return _look_inside(path)
        with closing(OwnerLock(path)):
            return _look_inside(path)


def _look_for_room(path: Path) -> str:
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise StorageError(f"{folder}: {path.name} cannot be made in there; change its permissions")  # noqa: TRY003  # it names the folder
    return f"{path} is made at the first start"


def _look_inside(path: Path) -> str:
    if not os.access(path, os.R_OK | os.W_OK):
        raise StorageError(f"{path}: the file cannot be read and written; change its permissions")  # noqa: TRY003  # the same
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as connection:
        found: int = connection.execute("PRAGMA user_version").fetchone()[0]
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    newest = migrations()[-1][0]
    if found > newest:
        raise SchemaTooNewError(str(path), found, newest)
    return f"{path} is there" + (
        f"; to run at the next start: {newest - found} of its migrations" if found < newest else ""
    )
