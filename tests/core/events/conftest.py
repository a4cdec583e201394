"""A real storage to read events from."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from longline.storage.protocols import Storage
from longline_storage_sqlite.settings import SqliteSettings
from longline_storage_sqlite.storage import sqlite_backend


@pytest.fixture
async def storage(anyio_backend: str, tmp_path: Path) -> AsyncIterator[Storage]:
    async with sqlite_backend(SqliteSettings()).connect(f"sqlite:///{tmp_path}/events.db") as opened:
        yield opened
