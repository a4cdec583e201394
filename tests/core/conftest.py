"""Time that tests move, plugins that are really installed, and whole servers without a socket."""

import asyncio
import selectors
import sys
import textwrap
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import ModuleType

import pytest
from tests.core.hook_page import example_of

from longline.graphs.definition import GraphDefinition
from longline.graphs.registry import GraphRegistry
from longline.plugin_host import PluginHost
from longline.runs.listeners import RunListener
from longline.runtime import Runtime
from longline.services.server import Server


class _Jump(selectors.DefaultSelector):
    """A selector that never waits: where nothing is ready, time passes at once."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0

    def select(self, timeout: float | None = None):
        ready = super().select(0)
        if not ready and timeout is None:
            ready = super().select(10)  # a thread is at work; nothing is due
        elif not ready and timeout > 0:
            self.passed += timeout
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer as soon as nobody has anything to do. Not for threads."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.passed


@pytest.fixture
def jumping() -> tuple[str, dict[str, object]]:
    """What `anyio_backend` returns in a module whose tests wait for long times."""
    return ("asyncio", {"loop_factory": JumpingLoop})


InstallPlugin = Callable[..., str]


@pytest.fixture
def install_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InstallPlugin]:
    """`install_plugin(name, source)` writes a package and its metadata as pip would and makes both importable. Further
    arguments: `module`, `distribution`, `version`, `extras`, and `files` (other modules of the package)."""
    site = tmp_path / "site-packages"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    before = set(sys.modules)

    def install(
        name: str,
        source: str,
        *,
        module: str | None = None,
        distribution: str | None = None,
        version: str = "1.2.3",
        files: dict[str, str] | None = None,
        extras: list[str] | None = None,
    ) -> str:
        module = module or f"longline_example_{name}"
        distribution = distribution or module.replace("_", "-")
        package = site / module
        package.mkdir()
        (package / "__init__.py").write_text(textwrap.dedent(source), encoding="utf-8")
        for file, text in (files or {}).items():
            (package / file).write_text(textwrap.dedent(text), encoding="utf-8")
        info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        head = [f"Name: {distribution}", f"Version: {version}", *(f"Provides-Extra: {extra}" for extra in extras or [])]
        (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", *head, ""]))
        (info / "entry_points.txt").write_text(f"[longline]\n{name} = {module}\n")
        return module

    yield install
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(site)):
            del sys.modules[name]


LoadExample = Callable[..., tuple[PluginHost, ModuleType]]


@pytest.fixture
def load_example(install_plugin: InstallPlugin) -> LoadExample:
    """The example of a hook, installed and chosen: the host with it, and its module."""

    def install(hook: str) -> tuple[PluginHost, ModuleType]:
        module = install_plugin(hook, example_of(hook))
        return PluginHost([hook]), __import__(module)

    return install


OpenServer = Callable[..., AbstractAsyncContextManager[Server]]


@pytest.fixture
def open_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OpenServer:
    """`open_server({"graph id": a graph or what makes one, …}, runs=…)` over a real SQLite file. Opening it twice in
    turn is a restart. `listeners` are told of its runs; `key` seals its secrets."""

    @asynccontextmanager
    async def opened(
        graphs: dict[str, object] | None = None,
        *,
        listeners: Sequence[RunListener] = (),
        key: str = "",
        **server: object,
    ) -> AsyncIterator[Server]:
        values = {
            "server": {"database": f"sqlite:///{tmp_path}/server.db", "drain_seconds": 0, **server},
            "secrets": {"key": key},
        }
        runtime = Runtime(["storage_sqlite"], values)
        definitions = {
            graph_id: graph
            if isinstance(graph, GraphDefinition)
            else GraphDefinition(graph_id=graph_id, origin="the test", load=lambda graph=graph: graph)
            for graph_id, graph in (graphs or {}).items()
        }
        runtime.graphs = GraphRegistry(definitions)
        monkeypatch.setattr(runtime.host, "run_listeners", lambda settings: list(listeners))
        async with runtime.open() as open_server:
            yield open_server.server

    return opened
