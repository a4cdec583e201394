"""What is left of a running run that is cancelled, displaced, taken over or that cancels itself."""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from langgraph.graph import START, StateGraph
from tests.core.conftest import OpenServer
from tests.core.sample_graphs import Notes

from longline.auth.principal import LOCAL
from longline.errors import NotFoundError, StorageError
from longline.models.events import BEGINNING
from longline.models.runs import CancelRequest, Claim, RunStatus
from longline.models.threads import ThreadStatus
from longline.services.run_requests import RunRequest
from longline.services.server import Server
from longline.testing.storage_samples import ended, moment

pytestmark = pytest.mark.anyio

STOP = CancelRequest(action="interrupt", reason="enough")
UNDO = CancelRequest(action="rollback", reason="never mind")


@dataclass
class Gate:
    """A graph whose second step waits until it is let through."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    def graph(self) -> object:
        async def wait(state: Notes) -> Notes:
            self.reached.set()
            await self.opened.wait()
            return {"notes": ["waited"]}

        builder = StateGraph(Notes)
        builder.add_node("first", lambda state: {"notes": ["first"]})
        builder.add_node("wait", wait)
        builder.add_edge(START, "first")
        builder.add_edge("first", "wait")
        return builder.compile()


async def start(server: Server, gate: Gate, **fields: Any) -> Any:
    """A run that has reached the gate, with a reader of it."""
    thread = await server.threads.create(LOCAL)
    request = RunRequest(**{"assistant": "g", "thread_id": thread.thread_id, "input": {"n": 0}, **fields})
    run, reader = await server.runs.watch(LOCAL, request)
    async with asyncio.timeout(20):
        await gate.reached.wait()
    return run, reader


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("resumable", [False, True])
async def test_an_interrupted_run_keeps_its_last_checkpoint(open_server: OpenServer, resumable: bool) -> None:
    gate = Gate()
    async with open_server({"g": gate.graph()}) as server:
        run, reader = await start(server, gate, resumable=resumable)
        await server.runs.cancel(LOCAL, run.thread_id, [run.run_id], STOP)
        with reader:
            end = await reader.wait_for_end(20)
        assert (end.status, orjson.loads(end.result)["notes"], end.failure) == (RunStatus.INTERRUPTED, ["first"], None)
        assert (await server.runs.get(LOCAL, run.thread_id, run.run_id)).status is RunStatus.INTERRUPTED
        thread = await server.threads.get(LOCAL, run.thread_id)
        assert thread.status is ThreadStatus.INTERRUPTED
        assert (thread.error.error, thread.error.message) == ("UserInterrupt", "enough")
        assert (await server.threads.state(LOCAL, run.thread_id)).next == ("wait",)


async def test_a_rolled_back_run_leaves_nothing_behind(open_server: OpenServer) -> None:
    gate = Gate()
    async with open_server({"g": gate.graph()}) as server:
        run, reader = await start(server, gate)
        await server.runs.cancel(LOCAL, run.thread_id, [run.run_id], UNDO)
        with reader:
            assert (await reader.wait_for_end(20)).status is None
        with pytest.raises(NotFoundError):
            await server.runs.get(LOCAL, run.thread_id, run.run_id)
        thread = await server.threads.get(LOCAL, run.thread_id)
        assert (thread.status, thread.values, thread.error.error) == (ThreadStatus.IDLE, None, "UserRollback")
        assert (await server.threads.footprint(LOCAL, run.thread_id)).checkpoint_count == 0


@pytest.mark.parametrize(
    ("strategy", "status", "notes"),
    [("interrupt", RunStatus.INTERRUPTED, ["first", "first", "waited"]), ("rollback", None, ["first", "waited"])],
)
async def test_a_newer_run_displaces_the_running_one_and_goes_on_from_what_it_left(
    open_server: OpenServer, strategy: str, status: RunStatus | None, notes: list[str]
) -> None:
    gate = Gate()
    async with open_server({"g": gate.graph()}) as server:
        run, reader = await start(server, gate)
        newer = RunRequest(assistant="g", thread_id=run.thread_id, input={"n": 1}, multitask_strategy=strategy)
        _, second = await server.runs.watch(LOCAL, newer)
        with reader, second:
            assert (await reader.wait_for_end(20)).status is status
            gate.opened.set()
            end = await second.wait_for_end(20)
        assert (end.status, orjson.loads(end.result)["notes"]) == (RunStatus.SUCCESS, notes)


async def test_a_graph_that_cancels_itself_ends_as_an_error(open_server: OpenServer) -> None:
    async def cancel(state: Notes) -> Notes:
        raise asyncio.CancelledError("by myself")

    builder = StateGraph(Notes)
    builder.add_node("cancel", cancel)
    builder.add_edge(START, "cancel")
    async with open_server({"g": builder}) as server:
        run, reader = await server.runs.watch(LOCAL, RunRequest(assistant="g", input={"n": 0}, keep_thread=True))
        with reader:
            end = await reader.wait_for_end(20)
        assert end.status is RunStatus.ERROR
        assert "CancelledError" in end.failure.message
        assert (await server.threads.get(LOCAL, run.thread_id)).status is ThreadStatus.ERROR


async def test_a_run_that_another_worker_took_over_stores_nothing_more(
    open_server: OpenServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()
    quick = {"lease_seconds": 0.5, "heartbeat_seconds": 0.1, "poll_seconds": 60}
    async with open_server({"g": gate.graph()}, **quick) as server:
        run, reader = await start(server, gate, resumable=True)
        queue = server.scheduler._queue

        def away(*arguments: Any, **options: Any) -> Any:
            raise StorageError("cut off")

        with monkeypatch.context() as patch:
            patch.setattr(queue, "keep", away)
            taken: list[Any] = []
            async with asyncio.timeout(20):
                while not taken:
                    await asyncio.sleep(0.05)
                    taken = list(await queue.claim(Claim(owner="other", lease_seconds=600), limit=1))
        with caplog.at_level(logging.WARNING):
            await until(lambda: server.scheduler.running_count == 0)
        assert "lease lost" in [record.message for record in caplog.records]
        found = await server.runs.get(LOCAL, run.thread_id, run.run_id)
        assert (found.status, found.attempt, found.lease_owner) == (RunStatus.RUNNING, 2, "other")
        await queue.finish(taken[0].lease, ended(values=b'{"notes":["theirs"]}'), at=moment(1))
        assert (await server.runs.get(LOCAL, run.thread_id, run.run_id)).status is RunStatus.SUCCESS
        events = await server.runs._storage.events.read(run.run_id, after=BEGINNING, limit=99)
        assert {event.attempt for event in events} == {1}
        reader.close()


async def test_deleting_the_thread_of_a_running_run_ends_it_for_its_readers(open_server: OpenServer) -> None:
    gate = Gate()
    async with open_server({"g": gate.graph()}) as server:
        run, reader = await start(server, gate)
        await server.threads.delete(LOCAL, run.thread_id)
        with reader:
            assert (await reader.wait_for_end(20)).status is None
        await until(lambda: server.scheduler.running_count == 0)
        with pytest.raises(NotFoundError):
            await server.threads.get(LOCAL, run.thread_id)
