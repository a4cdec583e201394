"""A server with graphs of the test's own, on a real SQLite file, without HTTP."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from longline.graphs.definition import GraphDefinition
from longline.graphs.registry import GraphRegistry
from longline.runtime import Runtime
from longline.services.server import Server

OpenServer = Callable[..., AbstractAsyncContextManager[Server]]


@pytest.fixture
def open_server(tmp_path: Path) -> OpenServer:
    """`open_server({"graph id": builder, …}, runs=…)`: opening it twice in turn is a restart on the same file."""

    @asynccontextmanager
    async def opened(graphs: dict[str, object], **server: object) -> AsyncIterator[Server]:
        values = {"server": {"database": f"sqlite:///{tmp_path}/server.db", "drain_seconds": 0, **server}}
        runtime = Runtime(["storage_sqlite"], values)
        runtime.graphs = GraphRegistry(
            {
                graph_id: GraphDefinition(graph_id=graph_id, origin="the test", load=lambda graph=graph: graph)
                for graph_id, graph in graphs.items()
            }
        )
        async with runtime.open() as open_server:
            yield open_server.server

    return opened
