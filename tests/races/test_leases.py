"""Leases of runs that are alive, and runs that end in unusual ways."""

import asyncio
import threading
import time

import orjson
import pytest
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from longline.auth.principal import LOCAL
from longline.models.runs import RunStatus
from longline.services.run_requests import RunRequest
from tests.races.conftest import OpenServer
from tests.races.graphs import Gate, gated

pytestmark = pytest.mark.anyio


class _State(TypedDict, total=False):
    value: object


def _single(node: object) -> object:
    builder = StateGraph(_State)
    builder.add_node("node", node)
    builder.add_edge(START, "node")
    return builder.compile()


async def _outcome(server, graph_id: str, **fields: object):
    run, reader = await server.runs.watch(LOCAL, RunRequest(assistant=graph_id, input={}, **fields))
    events = []
    async with asyncio.timeout(20):
        while batch := await reader.read(20):
            events += batch
    reader.close()
    return run, reader.end, events


async def test_a_node_that_blocks_the_event_loop_beyond_its_lease_keeps_its_run(open_server: OpenServer) -> None:
    async def block(state: _State) -> _State:
        time.sleep(1.2)  # the fault under test: nothing else of this process runs meanwhile
        return {"value": 1}

    async with open_server({"block": _single(block)}, lease_seconds=0.4, heartbeat_seconds=0.1) as server:
        thread = await server.threads.create(LOCAL)
        run, end, _ = await _outcome(server, "block", thread_id=thread.thread_id)
        assert end.status is RunStatus.SUCCESS
        assert (await server.runs.get(LOCAL, thread.thread_id, run.run_id)).attempt == 1


async def test_sync_nodes_of_as_many_runs_as_are_allowed_run_side_by_side(open_server: OpenServer) -> None:
    everyone = threading.Barrier(12, timeout=15)

    def meet(state: _State) -> _State:
        everyone.wait()
        return {"value": threading.current_thread().name}

    async with open_server({"meet": _single(meet)}, runs=12) as server:
        outcomes = await asyncio.gather(*[_outcome(server, "meet") for _ in range(12)])
        assert {end.status for _, end, _ in outcomes} == {RunStatus.SUCCESS}
        assert len({orjson.loads(end.result)["value"] for _, end, _ in outcomes}) == 12


async def test_a_graph_that_cancels_itself_ends_as_an_error_and_not_in_silence(open_server: OpenServer) -> None:
    async def give_up(state: _State) -> _State:
        raise asyncio.CancelledError("no more")

    async with open_server({"give_up": _single(give_up)}) as server:
        _, end, events = await _outcome(server, "give_up")
        assert end.status is RunStatus.ERROR
        assert events[-1].mode == "error"


async def test_state_that_has_no_json_form_ends_the_run_with_an_error_that_names_the_type(
    open_server: OpenServer,
) -> None:
    async with open_server({"huge": _single(lambda state: {"value": 1 << 80})}) as server:
        _, end, _ = await _outcome(server, "huge")
        assert (end.status, end.failure.error) == (RunStatus.ERROR, "TypeError")


async def test_a_factory_that_raises_ends_its_runs_and_leaves_the_others_alone(open_server: OpenServer) -> None:
    def broken(config: dict) -> object:
        raise LookupError("no such configuration")

    gate = Gate()
    gate.opened.set()
    async with open_server({"broken": broken, "gated": gated(gate)}) as server:
        thread = await server.threads.create(LOCAL)
        _, end, events = await _outcome(server, "broken", thread_id=thread.thread_id)
        assert (end.status, end.failure.error) == (RunStatus.ERROR, "LookupError")
        assert events[-1].mode == "error"
        _, end, _ = await _outcome(server, "gated", thread_id=thread.thread_id)
        assert end.status is RunStatus.SUCCESS


async def test_a_reader_that_falls_behind_a_kept_stream_catches_up_from_the_log(open_server: OpenServer) -> None:
    async def talk(state: _State) -> _State:
        from langgraph.config import get_stream_writer

        writer = get_stream_writer()
        for number in range(25_000):
            writer(number)
        return {"value": 1}

    async with open_server({"talk": _single(talk)}) as server:
        thread = await server.threads.create(LOCAL)
        request = RunRequest(
            assistant="talk", thread_id=thread.thread_id, input={}, resumable=True, stream_modes=("custom",)
        )
        run, slow = await server.runs.watch(LOCAL, request)
        _, other = await server.runs.join(LOCAL, thread.thread_id, run.run_id)
        async with asyncio.timeout(60):
            assert (await other.wait_for_end(60)).status is RunStatus.SUCCESS
        other.close()
        seen = []
        while batch := await slow.read(20):
            seen += [int(event.data) for event in batch if event.mode == "custom"]
        slow.close()
        assert seen == list(range(25_000))


async def test_a_run_that_ends_while_the_heartbeat_asks_is_not_taken_for_lost(
    open_server: OpenServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The heartbeat asks for a run that ends before the answer: its reader must still hear of the end."""
    quick = _single(lambda state: {"value": 1})
    async with open_server({"quick": quick}, heartbeat_seconds=0.051, runs=8) as server:
        for _ in range(12):
            outcomes = await asyncio.gather(*[_outcome(server, "quick") for _ in range(40)])
            assert {end.status for _, end, _ in outcomes} == {RunStatus.SUCCESS}
    assert "lease lost" not in caplog.messages
