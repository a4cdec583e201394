"""Assistants and threads with several servers at work."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack

import psycopg
import pytest
from tests.postgres import fresh_database

from longline.auth.principal import SYSTEM
from longline.errors import InvalidInputError, NotFoundError
from longline.graphs.definition import GraphDefinition
from longline.graphs.registry import GraphRegistry
from longline.ids import graph_assistant_id
from longline.models.assistants import AssistantQuery
from longline.models.threads import ThreadQuery, ThreadState, ThreadStatus
from longline.runtime import Runtime
from longline.services.server import Server
from longline.storage.protocols import Storage
from longline.testing.storage_samples import moment, sample_assistant, sample_thread
from longline.testing.storage_shared_nouns import SharedAssistantContract, SharedThreadContract
from longline_storage_postgres.backends import postgres_backend
from longline_storage_postgres.settings import PostgresSettings

_GRAPHS = ("first", "second", "third")
_PROCESSES = 10


class TestSharedAssistants(SharedAssistantContract):
    pass


class TestSharedThreads(SharedThreadContract):
    pass


@pytest.fixture
def empty_database_url(postgres_server: str) -> Iterator[str]:
    """A database that nobody has migrated."""
    with fresh_database(postgres_server) as url:
        yield url


@pytest.mark.anyio
async def test_ten_that_open_an_empty_database_at_once_all_open_it(empty_database_url: str) -> None:
    backend = postgres_backend(PostgresSettings(pool_size=2))
    async with AsyncExitStack() as stack:
        storages = await asyncio.gather(
            *(stack.enter_async_context(backend.connect(empty_database_url)) for _ in range(_PROCESSES))
        )
        for storage in storages:
            await storage.check()
    with psycopg.connect(empty_database_url) as connection:
        row = connection.execute("SELECT count(*), count(DISTINCT number) FROM longline.migrations").fetchone()
    assert row is not None
    assert row[0] == row[1] >= 1


def _runtime(url: str) -> Runtime:
    values = {"server": {"database": url, "drain_seconds": 0, "runs": 1}, "storage_postgres": {"pool_size": 2}}
    runtime = Runtime(["storage_postgres"], values)
    runtime.graphs = GraphRegistry(
        {graph_id: GraphDefinition(graph_id=graph_id, origin="the test", load=lambda: None) for graph_id in _GRAPHS}
    )
    return runtime


@pytest.mark.anyio
async def test_ten_servers_that_start_at_once_on_an_empty_database_share_the_assistants_of_their_graphs(
    empty_database_url: str,
) -> None:
    runtimes = [_runtime(empty_database_url) for _ in range(_PROCESSES)]
    ready = asyncio.Barrier(_PROCESSES)

    async def serve(runtime: Runtime) -> set[tuple[str, int]]:
        async with runtime.open() as opened:
            found = await _assistants(opened.server)
            await ready.wait()  # all are open at once
            return found

    async with asyncio.timeout(120):
        found = await asyncio.gather(*(serve(runtime) for runtime in runtimes))
    assert found == [{(graph_assistant_id(graph_id), 1) for graph_id in _GRAPHS}] * _PROCESSES


async def _assistants(server: Server) -> set[tuple[str, int]]:
    page = await server.assistants.search(SYSTEM, AssistantQuery())
    return {(assistant.assistant_id, assistant.version) for assistant in page.items}


@pytest.mark.anyio
async def test_an_id_with_a_nul_is_nobodys(storage: Storage) -> None:
    made = await storage.threads.create(sample_thread())
    state = ThreadState(status=ThreadStatus.IDLE)
    for attempt in (
        storage.threads.get("a\0"),
        storage.threads.update("a\0", metadata={}, at=moment()),
        storage.threads.set_state("a\0", state, at=moment()),
        storage.threads.copy("a\0", "b", at=moment()),
        storage.threads.delete("a\0"),
        storage.assistants.get("a\0"),
        storage.assistants.delete("a\0"),
        storage.assistants.set_latest("a\0", 1, at=moment()),
    ):
        with pytest.raises(NotFoundError):
            await attempt
    assert await storage.assistants.versions("a\0") == []
    page = await storage.threads.search(ThreadQuery(thread_ids=["a\0", made.thread_id]))
    assert [thread.thread_id for thread in page.items] == [made.thread_id]
    for query in (AssistantQuery(graph_id="a\0"), AssistantQuery(name="a\0")):
        assert (await storage.assistants.search(query)).total == 0


@pytest.mark.anyio
async def test_a_nul_in_json_is_kept_and_one_in_a_text_is_refused(storage: Storage) -> None:
    made = await storage.threads.create(sample_thread(metadata={"a\0": "\0b"}))
    assert (await storage.threads.get(made.thread_id)).metadata == {"a\0": "\0b"}
    for attempt in (
        storage.threads.create(sample_thread("a\0")),
        storage.threads.copy(made.thread_id, "a\0", at=moment()),
        storage.assistants.create(sample_assistant(name="a\0")),
    ):
        with pytest.raises(InvalidInputError):
            await attempt


@pytest.mark.anyio
async def test_a_copy_has_the_history_of_its_thread(storage: Storage, database_url: str) -> None:
    tables = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")
    with psycopg.connect(database_url, autocommit=True) as connection:
        made = await storage.threads.create(sample_thread())
        for statement in (
            "INSERT INTO longline.checkpoints (thread_id, checkpoint_id, checkpoint) VALUES (%s, 'c', '{}')",
            "INSERT INTO longline.checkpoint_blobs (thread_id, channel, version, type) VALUES (%s, 'x', '1', 'empty')",
            """INSERT INTO longline.checkpoint_writes (thread_id, checkpoint_id, task_id, idx, channel, blob)
               VALUES (%s, 'c', 't', 0, 'x', '')""",
        ):
            connection.execute(statement, (made.thread_id,))
        await storage.threads.copy(made.thread_id, "copy", at=moment(9))
        for table in tables:
            row = connection.execute(f"SELECT count(*) FROM longline.{table} WHERE thread_id = 'copy'").fetchone()
            assert row == (1,), table
        await storage.threads.delete(made.thread_id)
        for table in tables:
            row = connection.execute(f"SELECT array_agg(thread_id) FROM longline.{table}").fetchone()
            assert row == (["copy"],), table
