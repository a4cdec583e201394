"""A fresh file for every test."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from longline.storage.protocols import Storage
from longline_storage_sqlite.settings import SqliteSettings
from longline_storage_sqlite.storage import sqlite_backend


@pytest.fixture
def database_file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "longline.db"


@pytest.fixture
def reopen(database_file: Path) -> Callable[[], AbstractAsyncContextManager[Storage]]:
    backend = sqlite_backend(SqliteSettings())
    return lambda: backend.connect(f"sqlite:///{database_file}")


@pytest.fixture
async def storage(
    anyio_backend: str, reopen: Callable[[], AbstractAsyncContextManager[Storage]]
) -> AsyncIterator[Storage]:
    async with reopen() as opened:
        yield opened
