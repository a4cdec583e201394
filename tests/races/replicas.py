"""Several servers on one Postgres, in one process."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import pytest

from longline.auth.principal import LOCAL
from longline.events import relay
from longline.events.replay import RunReader
from longline.graphs.definition import GraphDefinition
from longline.graphs.registry import GraphRegistry
from longline.models.events import RunEvent
from longline.runtime import Runtime
from longline.services.run_requests import RunRequest
from longline.services.server import Server
from tests.postgres import fresh_database, migrated_template, server_url
from tests.races.graphs import Gate

OpenReplicas = Callable[..., AbstractAsyncContextManager[list[Server]]]


@pytest.fixture(scope="session")
def template() -> str:
    return migrated_template(server_url())


@pytest.fixture
def database_url(template: str) -> Iterator[str]:
    with fresh_database(server_url(), template) as url:
        yield url


@pytest.fixture
def no_net(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only signals wake readers: what would be found by looking again after a while, is not."""
    monkeypatch.setattr(relay, "_NET_SECONDS", 600.0)


@pytest.fixture
def open_replicas(database_url: str) -> OpenReplicas:
    """`open_replicas({"graph id": graph, …}, 3, runs=…)`: so many servers on one database. With a `key` each
    reads what another sealed."""

    @asynccontextmanager
    async def opened(
        graphs: dict[str, object],
        count: int = 2,
        *,
        postgres: dict[str, object] | None = None,
        key: str = "",
        **server: object,
    ) -> AsyncIterator[list[Server]]:
        values = {
            "server": {"database": database_url, "drain_seconds": 0, "runs": 2, **server},
            "storage_postgres": postgres or {},
            "secrets": {"key": key},
        }
        async with AsyncExitStack() as stack:
            servers = []
            for _ in range(count):
                runtime = Runtime(["storage_postgres"], values)
                runtime.graphs = GraphRegistry(
                    {
                        graph_id: GraphDefinition(graph_id=graph_id, origin="the test", load=lambda graph=graph: graph)
                        for graph_id, graph in graphs.items()
                    }
                )
                servers.append((await stack.enter_async_context(runtime.open())).server)
            yield servers

    return opened


async def everything(reader: RunReader) -> list[RunEvent]:
    """All events until the end, and the reader is closed."""
    events: list[RunEvent] = []
    async with asyncio.timeout(30):
        while batch := await reader.read(30):
            events += batch
    reader.close()
    return events


@asynccontextmanager
async def occupied(server: Server, graph_id: str, gate: Gate) -> AsyncIterator[None]:
    """The server has no room, so that others must execute what it takes."""
    async with asyncio.timeout(30):
        for _ in range(2):
            await server.runs.create(LOCAL, RunRequest(assistant=graph_id, input={}))
        while server.scheduler.running_count < 2:
            await gate.reached.wait()
            await asyncio.sleep(0.01)
    yield
    gate.opened.set()


async def thread_on(server: Server) -> str:
    return (await server.threads.create(LOCAL)).thread_id
