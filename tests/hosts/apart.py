"""A third party's storage for tests of several processes: each has a file of its own, so that all may open it."""

APART = """
import os
import pathlib
from contextlib import asynccontextmanager

from longline import hookimpl
from longline.errors import StorageError
from longline.storage.protocols import StorageBackend
from longline_storage_sqlite.settings import SqliteSettings
from longline_storage_sqlite.storage import sqlite_backend


def own(url):
    folder = pathlib.Path(url.removeprefix("apart:///"))
    if (folder / "broken").exists():
        raise StorageError("the pond is dry")
    return f"sqlite:///{folder}/{os.getpid()}.db"


@hookimpl
def register_storage_backends(settings):
    inner = sqlite_backend(settings.section(SqliteSettings))

    @asynccontextmanager
    async def connect(url):
        async with inner.connect(own(url)) as storage:
            yield storage

    async def migrate(url):
        return await inner.migrate(own(url))

    return [StorageBackend(schemes=("apart",), connect=connect, migrate=migrate, is_shared=True)]
"""
