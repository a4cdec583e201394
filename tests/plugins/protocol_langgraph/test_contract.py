"""The mount keeps what the server expects of every protocol."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.plugins.protocol_langgraph.served import PLUGINS

import longline_protocol_langgraph as plugin
from longline.asgi.mount import ProtocolMount
from longline.runtime import Runtime
from longline.testing.protocol import ProtocolContract


@pytest.fixture
async def mount(anyio_backend: str, tmp_path: Path) -> AsyncIterator[ProtocolMount]:
    runtime = Runtime(PLUGINS, {"server": {"database": f"sqlite:///{tmp_path}/contract.db"}})
    async with runtime.open() as opened:
        (mount,) = plugin.register_protocols(opened.server)
        yield mount


class TestMount(ProtocolContract):
    pass
