"""One server a module and storage, and the Python SDK's two clients on it."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from langgraph_sdk import get_client, get_sync_client
from langgraph_sdk.client import LangGraphClient

from tests.clients.node import copied_scripts, installed_packages
from tests.clients.replicas import SECONDS, Replicas, serve_replicas
from tests.clients.sdk import Sdk
from tests.clients.served import Served, serve_project
from tests.databases import Database


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def database(request: pytest.FixtureRequest) -> Database:
    """The storage of what is served."""
    chosen: Database = request.param
    return chosen


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, database: Database) -> Iterator[Served]:
    """The project of this folder, served for the tests of one module."""
    with serve_project(tmp_path_factory.mktemp("project"), database=database) as served:
        yield served


@pytest.fixture(params=["async", "sync"])
async def sdk(request: pytest.FixtureRequest, served: Served) -> AsyncIterator[Sdk]:
    """Each client of the SDK in turn. A test that says what it `calls` must have called it."""
    if request.param == "async":
        async with get_client(url=served.url) as client:
            sdk = Sdk(client)
            yield sdk
    else:
        with get_sync_client(url=served.url) as client:
            sdk = Sdk(client)
            yield sdk
    missing = set(getattr(request.function, "calls", ())) - sdk.called
    assert not missing, f"the test says that it calls {sorted(missing)}, and did not"


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    """Three servers on one database, for the tests of one module."""
    with serve_replicas(tmp_path_factory.mktemp("project")) as replicas:
        yield replicas


@pytest.fixture
async def clients(replicas: Replicas) -> AsyncIterator[list[LangGraphClient]]:
    """A client of each replica."""
    async with AsyncExitStack() as stack, asyncio.timeout(2 * SECONDS):
        yield [await stack.enter_async_context(get_client(url=replica.url)) for replica in replicas.all]


@pytest.fixture(scope="session")
def scripts() -> Iterator[Path]:
    """Our scripts for Node, with the packages that they import."""
    folder = copied_scripts(installed_packages())
    yield folder
    shutil.rmtree(folder)
