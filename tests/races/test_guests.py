"""A guest on the servers' database: what is created there executes there, and nothing else does."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import orjson
import psycopg
import pytest

from longline.auth.principal import LOCAL
from longline.graphs.definition import GraphDefinition
from longline.graphs.registry import GraphRegistry
from longline.models.runs import CancelRequest, RunStatus
from longline.runtime import Runtime
from longline.services.run_requests import RunRequest
from longline.services.server import Server
from longline.tasks import BackgroundTask
from tests.races.graphs import Gate, gated
from tests.races.replicas import (
    OpenReplicas,
    database_url,
    everything,
    occupied,
    open_replicas,
    template,
    thread_on,
)

__all__ = ["database_url", "open_replicas", "template"]  # fixtures

pytestmark = pytest.mark.anyio

OpenGuest = Callable[..., AbstractAsyncContextManager[Server]]
STEPS = ["before", "gate of nobody", "after"]


@pytest.fixture
def started() -> list[str]:
    """The background tasks that guests have started."""
    return []


@pytest.fixture
def open_guest(database_url: str, started: list[str], monkeypatch: pytest.MonkeyPatch) -> OpenGuest:
    """`open_guest({"graph id": graph, …}, …)`: a guest on the same database, with settings of the server's section."""

    async def start() -> None:
        started.append("sweep")

    @asynccontextmanager
    async def opened(graphs: dict[str, object], **server: object) -> AsyncIterator[Server]:
        runtime = Runtime(["storage_postgres"], {"server": {"database": database_url, "drain_seconds": 0, **server}})
        runtime.graphs = GraphRegistry(
            {
                graph_id: GraphDefinition(graph_id=graph_id, origin="the test", load=lambda graph=graph: graph)
                for graph_id, graph in graphs.items()
            }
        )
        monkeypatch.setattr(runtime.host, "background_tasks", lambda server: [BackgroundTask(name="sweep", run=start)])
        async with runtime.open(only_own_runs=True) as guest:
            yield guest.server

    return opened


def open_gate() -> Gate:
    gate = Gate()
    gate.opened.set()
    return gate


async def test_it_leaves_alone_what_others_queued_and_executes_its_own(
    open_replicas: OpenReplicas, open_guest: OpenGuest, started: list[str]
) -> None:
    block, theirs, its = Gate(), open_gate(), open_gate()
    async with open_replicas({"block": gated(block), "g": gated(theirs)}, 1) as (server,):
        async with occupied(server, "block", block):
            queued, queue_reader = await server.runs.watch(LOCAL, RunRequest(assistant="g", input={}))
            async with open_guest({"g": gated(its)}) as guest:
                for _ in range(2):  # who takes from the queue looks at the start, and whenever a run has ended
                    _, reader = await guest.runs.watch(LOCAL, RunRequest(assistant="g", input={}))
                    await everything(reader)
                    assert reader.end.status is RunStatus.SUCCESS
                    assert orjson.loads(reader.end.result)["steps"] == STEPS
                assert guest.scheduler.running_count == 0
            left = await server.runs.get(LOCAL, queued.thread_id, queued.run_id)
            assert (left.status, left.attempt) == (RunStatus.PENDING, 0)
        await everything(queue_reader)
        assert queue_reader.end.status is RunStatus.SUCCESS
    assert (theirs.visits, its.visits) == (1, 2)
    assert started == []


async def test_its_lease_is_renewed_while_others_look_for_work(
    open_replicas: OpenReplicas, open_guest: OpenGuest, database_url: str
) -> None:
    gate = Gate()
    lease = {"lease_seconds": 1.0, "heartbeat_seconds": 0.2, "poll_seconds": 0.1}
    async with open_replicas({"g": gated(open_gate())}, 1, **lease), open_guest({"g": gated(gate)}, **lease) as guest:
        _, reader = await guest.runs.watch(LOCAL, RunRequest(assistant="g", input={}))
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
            sql = "SELECT lease_expires_at > created_at + interval '3 seconds' FROM longline.runs"
            async with asyncio.timeout(30):
                while (await (await connection.execute(sql)).fetchone()) != (True,):
                    await asyncio.sleep(0.05)
        gate.opened.set()
        events = await everything(reader)
        assert reader.end.status is RunStatus.SUCCESS
    assert {event.attempt for event in events} == {1}


async def test_others_can_cancel_its_run(open_replicas: OpenReplicas, open_guest: OpenGuest) -> None:
    gate = Gate()
    async with open_replicas({"g": gated(open_gate())}, 1) as (server,), open_guest({"g": gated(gate)}) as guest:
        run, reader = await guest.runs.watch(LOCAL, RunRequest(assistant="g", input={}))
        async with asyncio.timeout(30):
            await gate.reached.wait()
        await server.runs.cancel(LOCAL, run.thread_id, [run.run_id], CancelRequest(action="interrupt", reason="enough"))
        await everything(reader)
        assert reader.end.status is RunStatus.INTERRUPTED


async def test_a_run_that_it_leaves_unfinished_goes_on_at_a_server(
    open_replicas: OpenReplicas, open_guest: OpenGuest
) -> None:
    its, theirs = Gate(), open_gate()
    async with open_replicas({"g": gated(theirs)}, 1, lease_seconds=600.0) as (server,):
        thread_id = await thread_on(server)
        async with open_guest({"g": gated(its)}, lease_seconds=600.0) as guest:
            run = await guest.runs.create(LOCAL, RunRequest(assistant="g", thread_id=thread_id, input={}))
            async with asyncio.timeout(30):
                await its.reached.wait()
        _, reader = await server.runs.join(LOCAL, thread_id, run.run_id)
        await everything(reader)
        assert reader.end.status is RunStatus.SUCCESS
        assert orjson.loads(reader.end.result)["steps"] == STEPS
    assert (its.visits, theirs.visits) == (1, 1)


async def test_a_run_on_a_busy_thread_waits_for_a_server_and_is_read_all_the_same(
    open_replicas: OpenReplicas, open_guest: OpenGuest
) -> None:
    block, its, theirs = Gate(), open_gate(), open_gate()
    async with open_replicas({"block": gated(block), "g": gated(theirs)}, 1) as (server,):
        thread_id = await thread_on(server)
        await server.runs.create(LOCAL, RunRequest(assistant="block", thread_id=thread_id, input={}))
        async with open_guest({"g": gated(its)}) as guest:
            run, reader = await guest.runs.watch(LOCAL, RunRequest(assistant="g", thread_id=thread_id, input={}))
            assert run.status is RunStatus.PENDING
            block.opened.set()
            events = await everything(reader)
            assert reader.end.status is RunStatus.SUCCESS
    assert events[0].mode == "metadata"
    assert (its.visits, theirs.visits) == (0, 1)
