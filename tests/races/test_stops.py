"""Runs that are stopped at awkward moments, and graphs that end in ways a graph should not."""

import asyncio
import logging
import sys
from contextlib import asynccontextmanager

import pytest
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from longline.auth.principal import LOCAL
from longline.models.runs import CancelRequest, RunQuery, RunStatus
from longline.services.run_requests import RunRequest
from tests.races.conftest import OpenServer
from tests.races.graphs import Gate, gated

pytestmark = pytest.mark.anyio

CANCEL = CancelRequest(action="interrupt", reason="the test says so")


class _State(TypedDict, total=False):
    value: object


def _single(node: object) -> object:
    builder = StateGraph(_State)
    builder.add_node("node", node)
    builder.add_edge(START, "node")
    return builder.compile()


async def _all_ended(server, thread_id: str) -> list[RunStatus]:
    async with asyncio.timeout(10):
        while True:
            runs = await server.runs.search(LOCAL, RunQuery(thread_id=thread_id, limit=100))
            if all(run.status.is_terminal for run in runs):
                return [run.status for run in runs]
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("strategy", ["interrupt", "rollback"])
async def test_runs_that_displace_each_other_before_they_began_all_end(open_server: OpenServer, strategy: str) -> None:
    async with open_server({"quick": _single(lambda state: {"value": 1})}, runs=4) as server:
        for _ in range(25):
            thread = await server.threads.create(LOCAL)
            request = RunRequest(assistant="quick", thread_id=thread.thread_id, input={}, multitask_strategy=strategy)
            await asyncio.gather(*[server.runs.create(LOCAL, request) for _ in range(3)])
            await _all_ended(server, thread.thread_id)
        async with asyncio.timeout(10):
            while server.scheduler.running_count:
                await asyncio.sleep(0.01)


async def test_a_thread_deleted_right_after_its_run_was_created_leaves_no_slot_taken(open_server: OpenServer) -> None:
    gate = Gate()
    async with open_server({"gated": gated(gate)}, runs=2) as server:
        for _ in range(10):
            thread = await server.threads.create(LOCAL)
            await server.runs.create(LOCAL, RunRequest(assistant="gated", thread_id=thread.thread_id, input={}))
            await server.threads.delete(LOCAL, thread.thread_id)
        async with asyncio.timeout(10):
            while server.scheduler.running_count:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_node_that_exits_ends_its_run_and_not_the_server(open_server: OpenServer, is_async: bool) -> None:
    async def leave(state: _State) -> _State:
        sys.exit(3)

    def leave_in_a_thread(state: _State) -> _State:
        sys.exit(3)

    graph = _single(leave if is_async else leave_in_a_thread)
    async with open_server({"leave": graph, "quick": _single(lambda state: {"value": 1})}) as server:
        _, reader = await server.runs.watch(LOCAL, RunRequest(assistant="leave", input={}))
        end = await reader.wait_for_end(10)
        reader.close()
        assert (end.status, end.failure.error) == (RunStatus.ERROR, "GraphExitError")
        _, reader = await server.runs.watch(LOCAL, RunRequest(assistant="quick", input={}))
        assert (await reader.wait_for_end(10)).status is RunStatus.SUCCESS
        reader.close()


class _MuteError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize("error", [ValueError("caf\udce9.txt"), _MuteError()], ids=["half a character", "no message"])
async def test_an_error_that_cannot_be_told_ends_its_run_at_the_first_attempt(
    open_server: OpenServer, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("longline.runs.engine"), "disabled", True)  # no report can hold the text
    visits = []

    def fail(state: _State) -> _State:
        visits.append(1)
        raise error

    async with open_server({"fail": _single(fail)}) as server:
        _, reader = await server.runs.watch(LOCAL, RunRequest(assistant="fail", input={}))
        end = await reader.wait_for_end(10)
        reader.close()
        assert end.status is RunStatus.ERROR
        assert len(visits) == 1


async def test_what_a_factory_opened_is_closed_in_the_task_that_opened_it(open_server: OpenServer) -> None:
    gate, tasks = Gate(), []
    graph = gated(gate)

    @asynccontextmanager
    async def factory(config: dict):
        entered = asyncio.current_task()
        try:
            yield graph
        finally:
            tasks.append(asyncio.current_task() is entered)

    async with open_server({"made": factory}) as server:
        thread = await server.threads.create(LOCAL)
        run, reader = await server.runs.watch(
            LOCAL, RunRequest(assistant="made", thread_id=thread.thread_id, input={}, stream_modes=("updates",))
        )
        async with asyncio.timeout(10):
            await gate.reached.wait()
        await server.runs.cancel(LOCAL, thread.thread_id, [run.run_id], CANCEL)
        assert (await reader.wait_for_end(10)).status is RunStatus.INTERRUPTED
        reader.close()
        assert tasks
        assert all(tasks)
