"""A real server with this plugin, on a database of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from longline.runtime import OpenServer, Runtime


@pytest.fixture
def anyio_backend() -> str:
    """Longline runs on asyncio."""
    return "asyncio"


@pytest.fixture
async def opened(anyio_backend: str, tmp_path: Path) -> AsyncIterator[OpenServer]:  # on its loop
    """An open server: what `longline dev` serves, without the socket."""
    database = f"sqlite:///{tmp_path / 'test.db'}"
    runtime = Runtime(["agent_tools", "hello", "storage_sqlite"], {"server": {"database": database}})
    async with runtime.open() as opened:
        yield opened
