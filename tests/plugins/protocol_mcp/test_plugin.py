"""The plugin as others see it: its mounts, what it imports when, and what it says of itself."""

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from longline.asgi.mount import ProtocolMount
from longline.errors import PluginMissingExtraError, SettingsError
from longline.plugin_host import PluginHost
from longline.runtime import Runtime
from longline.settings import CORE_SECTIONS, parse_settings
from longline.slow_imports import require_installed
from longline.testing.protocol import ProtocolContract

PLUGINS = ["protocol_mcp", "storage_sqlite"]
TOKENS = {"static_tokens": {"tokens": {"ann": "token-of-ann"}}}


def values(folder: Path, **sections: object) -> dict[str, object]:
    return {"server": {"database": f"sqlite:///{folder}/server.db"}, **sections}


class _Mounts(ProtocolContract):
    """The contract for one of the plugin's mounts; the server behind it is open."""

    number = 0

    @pytest.fixture
    async def mount(self, anyio_backend: str, tmp_path: Path) -> AsyncIterator[ProtocolMount]:
        runtime = Runtime(PLUGINS, values(tmp_path, **TOKENS))
        async with AsyncExitStack() as stack:
            opened = await stack.enter_async_context(runtime.open())
            yield sorted(runtime.host.protocols(opened.server), key=lambda mount: -len(mount.path))[self.number]


class TestMetadataMount(_Mounts):
    number = 0


class TestEndpointMount(_Mounts):
    number = 1


BOOT = """
import asyncio, sys
import httpx
from longline.runtime import Runtime

async def main():
    runtime = Runtime(["protocol_mcp", "storage_sqlite"], {"server": {"database": sys.argv[1]}})
    async with runtime.open() as opened:
        transport = httpx.ASGITransport(opened.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            for method, body in (("GET", b""), ("POST", b"no JSON"), ("DELETE", b"")):
                await http.request(method, "/mcp", content=body, headers={"content-type": "application/json"})
            print("mcp" in sys.modules, "jsonschema" in sys.modules, "langgraph.graph" in sys.modules)
            answer = await http.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "ping"})
            print(answer.status_code, "mcp" in sys.modules)

asyncio.run(main())
"""


def test_nothing_of_the_sdk_is_imported_before_somebody_speaks_the_protocol(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BOOT, f"sqlite:///{tmp_path}/server.db"], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == ["False", "False", "False", "200", "True"], done.stderr


def test_a_missing_package_is_missed_when_the_plugin_is_chosen_and_not_later() -> None:
    with pytest.raises(ModuleNotFoundError, match="No module named 'no_such_package'") as caught:
        require_installed("json", "no_such_package")
    assert caught.value.name == "no_such_package"


def test_it_names_the_line_that_installs_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("longline_protocol_mcp")]:
        monkeypatch.delitem(sys.modules, name)
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "mcp" else found(name, *rest))
    with pytest.raises(PluginMissingExtraError, match=r"run: pip install 'longline\[protocol-mcp\]'"):
        PluginHost(["protocol_mcp"])


@pytest.mark.anyio
async def test_it_says_where_it_is_and_how_many_sessions_there_are(tmp_path: Path) -> None:
    async with Runtime(PLUGINS, values(tmp_path)).open() as opened:
        counts = {"open": 0, "opened": 0, "idle_ended": 0, "displaced": 0}
        assert opened.server.describe()["mcp"] == {"path": "/mcp", "sessions": counts}
        (served,) = opened.server.protocols()
        assert (served.path, served.title) == ("/mcp", "Model Context Protocol")
    async with Runtime(PLUGINS, values(tmp_path, protocol_mcp={"sessions": "stateless"})).open() as opened:
        assert opened.server.describe()["mcp"] == {"path": "/mcp", "sessions": None}


@pytest.mark.parametrize(
    "section", [{"path": "mcp"}, {"public_url": "agents.example"}, {"sessions": "many"}, {"max_sessions": 0}]
)
def test_settings_that_cannot_work_stop_the_start(section: dict[str, object]) -> None:
    sections = [*CORE_SECTIONS, *PluginHost(["protocol_mcp"]).settings_sections()]
    with pytest.raises(SettingsError, match=f"protocol_mcp.{next(iter(section))}"):
        parse_settings({"protocol_mcp": section}, sections)
