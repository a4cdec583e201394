"""Runs: who may start, read, await and end them, and with which configuration."""

import asyncio

import orjson
import pytest
from tests.core import sample_graphs as graphs
from tests.core.conftest import OpenServer

from longline.auth.principal import LOCAL, Principal
from longline.errors import (
    ContextAndConfigurableError,
    GraphLoadError,
    NotCancellableError,
    NotFoundError,
    UnknownAssistantNameError,
)
from longline.graphs.definition import GraphDefinition
from longline.models.events import BEGINNING
from longline.models.runs import CancelRequest, RunQuery, RunStatus
from longline.models.threads import ThreadStatus
from longline.services.assistants import NewAssistant
from longline.services.run_requests import RunRequest
from longline.services.server import Server

pytestmark = pytest.mark.anyio

ANN, BOB = Principal(identity="ann", permissions=("read",), claims={"team": "x"}), Principal(identity="bob")
STOP = CancelRequest(action="interrupt", reason="enough")


async def run(server: Server, principal: Principal = ANN, **fields: object):
    run, reader = await server.runs.watch(principal, RunRequest(**{"assistant": "g", "input": {"n": 0}, **fields}))
    with reader:
        end = await reader.wait_for_end(20)
    assert end is not None
    return run, end


def waiting() -> RunRequest:
    return RunRequest(assistant="g", input={"n": 0}, after_seconds=600, keep_thread=True)


async def test_what_a_graph_is_configured_with_is_the_merged_configuration(open_server: OpenServer) -> None:
    definition = GraphDefinition(graph_id="g", origin="test", load=graphs.looking, defaults={"a": 0, "d": 0})
    async with open_server({"g": definition}) as server:
        config = {"configurable": {"a": 1, "b": 1, "api_key": "sk-1", "user_id": "root"}}
        assistant = await server.assistants.create(ANN, NewAssistant(graph_id="g", config=config))
        own = {"configurable": {"b": 2, "c": 2, "thread_id": "stolen", "langgraph_auth_user_id": "root"}}
        run_, end = await run(
            server, assistant=assistant.assistant_id, config=own, request_id="r-1", headers={"x-team": "y"}, input={}
        )
        seen = orjson.loads(end.result)["seen"]
    assert {name: seen[name] for name in "abcd"} == {"a": 1, "b": 2, "c": 2, "d": 0}
    assert seen["api_key"] == "***"
    assert (seen["run_id"], seen["thread_id"]) == (run_.run_id, run_.thread_id)
    assert (seen["user_id"], seen["langgraph_auth_user_id"]) == ("ann", "ann")
    assert seen["langgraph_auth_user"]["team"] == "x"
    assert (seen["x-team"], seen["langgraph_request_id"]) == ("y", "r-1")
    assert run_.spec.config["configurable"]["api_key"] == "***"


async def test_a_run_is_seen_through_its_thread(open_server: OpenServer) -> None:
    async with open_server({"g": graphs.steps("a")}) as server:
        thread = await server.threads.create(ANN)
        made, _ = await run(server, thread_id=thread.thread_id, metadata={"k": 1})
        assert made.metadata["owner"] == "ann"
        assert made.metadata["k"] == 1
        found = await server.runs.get(ANN, thread.thread_id, made.run_id)
        assert found.status is RunStatus.SUCCESS
        assert await server.runs.search(ANN, RunQuery(thread_id=thread.thread_id)) == [found]
        ids = (thread.thread_id, made.run_id)
        for attempt in (
            server.runs.get(BOB, *ids),
            server.runs.search(BOB, RunQuery(thread_id=thread.thread_id)),
            server.runs.join(BOB, *ids),
            server.runs.cancel(BOB, thread.thread_id, [made.run_id], STOP),
            server.runs.delete(BOB, *ids),
            server.runs.create(BOB, RunRequest(assistant="g", thread_id=thread.thread_id)),
            server.runs.create(BOB, RunRequest(assistant="g", thread_id=thread.thread_id, if_not_exists="create")),
        ):
            with pytest.raises(NotFoundError):
                await attempt
        await server.runs.delete(ANN, *ids)
        with pytest.raises(NotFoundError):
            await server.runs.get(ANN, *ids)


async def test_a_missing_thread_is_refused_or_made_for_the_caller(open_server: OpenServer) -> None:
    async with open_server({"g": graphs.steps("a")}) as server:
        with pytest.raises(NotFoundError, match="no thread with id 't'"):
            await server.runs.create(ANN, RunRequest(assistant="g", thread_id="t"))
        await run(server, thread_id="t", if_not_exists="create")
        assert (await server.threads.get(ANN, "t")).metadata["owner"] == "ann"
        with pytest.raises(NotFoundError):
            await server.threads.get(BOB, "t")


async def test_a_thread_of_its_own_goes_with_the_run_unless_it_is_kept(open_server: OpenServer) -> None:
    async with open_server({"g": graphs.steps("a")}) as server:
        gone, end = await run(server)
        assert orjson.loads(end.result)["notes"] == ["a"]
        with pytest.raises(NotFoundError):
            await server.threads.get(ANN, gone.thread_id)
        kept, _ = await run(server, keep_thread=True)
        assert (await server.threads.get(ANN, kept.thread_id)).metadata["owner"] == "ann"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"assistant": "nope"}, UnknownAssistantNameError),
        ({"assistant": "01a1f9f5-4441-77e5-a7ec-31c27bf929ea"}, NotFoundError),
        ({"context": {"a": 1}, "config": {"configurable": {"a": 2}}}, ContextAndConfigurableError),
    ],
)
async def test_a_request_that_cannot_be_run_is_refused_and_leaves_nothing(
    open_server: OpenServer, fields: dict[str, object], error: type[Exception]
) -> None:
    async with open_server({"g": graphs.steps("a")}) as server:
        for start in (server.runs.create, server.runs.watch):
            with pytest.raises(error):
                await start(
                    ANN, RunRequest(**{"assistant": "g", "thread_id": "t", "if_not_exists": "create", **fields})
                )
        with pytest.raises(NotFoundError):
            await server.threads.get(ANN, "t")


async def test_a_graph_that_is_known_not_to_load_takes_no_runs(open_server: OpenServer) -> None:
    def broken() -> object:
        raise ValueError("no such model")

    async with open_server({"g": GraphDefinition(graph_id="g", origin="test", load=broken)}) as server:
        _, end = await run(server)
        assert (end.status, end.failure.error) == (RunStatus.ERROR, "GraphLoadError")
        with pytest.raises(GraphLoadError, match="no such model"):
            await server.runs.create(ANN, RunRequest(assistant="g"))


async def test_a_waiting_run_is_cancelled_at_once(open_server: OpenServer) -> None:
    async with open_server({"g": graphs.steps("a")}) as server:
        made, reader = await server.runs.watch(ANN, waiting())
        assert made.status is RunStatus.PENDING
        await server.runs.cancel(ANN, made.thread_id, [made.run_id], STOP)
        with reader:
            assert (await reader.wait_for_end(5)).status is RunStatus.INTERRUPTED
        assert (await server.runs.get(ANN, made.thread_id, made.run_id)).status is RunStatus.INTERRUPTED
        with pytest.raises(NotCancellableError):
            await server.runs.cancel(ANN, made.thread_id, [made.run_id], STOP)
        with pytest.raises(NotFoundError):
            await server.runs.cancel(ANN, made.thread_id, ["nope"], STOP)


async def test_a_waiting_run_that_is_rolled_back_is_gone(open_server: OpenServer) -> None:
    async with open_server({"g": graphs.steps("a")}) as server:
        made, reader = await server.runs.watch(ANN, waiting())
        await server.runs.cancel(ANN, made.thread_id, [made.run_id], CancelRequest(action="rollback", reason="no"))
        with reader:
            assert (await reader.wait_for_end(5)).status is None
        with pytest.raises(NotFoundError):
            await server.runs.get(ANN, made.thread_id, made.run_id)


@pytest.mark.parametrize(("strategy", "status"), [("interrupt", RunStatus.INTERRUPTED), ("rollback", None)])
async def test_a_displaced_waiting_run_ends_for_its_readers(
    open_server: OpenServer, strategy: str, status: RunStatus | None
) -> None:
    async with open_server({"g": graphs.steps("a")}) as server:
        made, reader = await server.runs.watch(ANN, waiting())
        _, end = await run(server, thread_id=made.thread_id, multitask_strategy=strategy)
        assert end.status is RunStatus.SUCCESS
        with reader:
            assert (await reader.wait_for_end(5)).status is status


async def test_cancelling_by_status_reaches_only_what_the_caller_may_touch(open_server: OpenServer) -> None:
    async with open_server({"g": graphs.steps("a")}) as server:
        hers, his = await server.runs.create(ANN, waiting()), await server.runs.create(BOB, waiting())
        await server.runs.cancel_status(ANN, (RunStatus.PENDING,), STOP)
        assert (await server.runs.get(ANN, hers.thread_id, hers.run_id)).status is RunStatus.INTERRUPTED
        assert (await server.runs.get(BOB, his.thread_id, his.run_id)).status is RunStatus.PENDING
        with pytest.raises(NotFoundError):
            await server.runs.cancel_status(ANN, (RunStatus.PENDING,), STOP)
        await server.runs.cancel_status(LOCAL, (RunStatus.PENDING, RunStatus.RUNNING), STOP)
        assert (await server.runs.get(BOB, his.thread_id, his.run_id)).status is RunStatus.INTERRUPTED


async def test_joining_a_finished_run_gives_its_result_and_what_was_kept(open_server: OpenServer) -> None:
    async with open_server({"g": graphs.steps("a")}) as server:
        thread = await server.threads.create(ANN)
        made, _ = await run(server, thread_id=thread.thread_id, resumable=True)
        _, reader = await server.runs.join(ANN, thread.thread_id, made.run_id, after=BEGINNING)
        with reader:
            page = await reader.read(5)
            assert [event.mode for event in page] == ["metadata", "values", "values"]
            assert await reader.read(5) == []
            assert (reader.end.status, orjson.loads(reader.end.result)["notes"]) == (RunStatus.SUCCESS, ["a"])
        with pytest.raises(NotFoundError):
            await server.runs.join(ANN, thread.thread_id, "nope")
        assert not server.runs._hub.has_readers("nope")


async def test_joining_a_failed_run_gives_its_failure(open_server: OpenServer) -> None:
    async with open_server({"g": graphs.steps("a", fails="a")}) as server:
        thread = await server.threads.create(ANN)
        made, end = await run(server, thread_id=thread.thread_id)
        assert (end.status, end.failure.message) == (RunStatus.ERROR, "no a")
        _, reader = await server.runs.join(ANN, thread.thread_id, made.run_id)
        with reader:
            assert (await reader.wait_for_end(5)).failure == end.failure
        assert (await server.threads.get(ANN, thread.thread_id)).status is ThreadStatus.ERROR


async def test_a_deleted_running_run_is_dropped(open_server: OpenServer) -> None:
    reached = asyncio.Event()

    async def hang(state):
        reached.set()
        await asyncio.Event().wait()

    from langgraph.graph import START, StateGraph

    builder = StateGraph(graphs.Notes)
    builder.add_node("hang", hang)
    builder.add_edge(START, "hang")
    async with open_server({"g": builder}) as server, asyncio.timeout(20):
        thread = await server.threads.create(ANN)
        made, reader = await server.runs.watch(
            ANN, RunRequest(assistant="g", thread_id=thread.thread_id, input={"n": 0})
        )
        await reached.wait()
        await server.runs.delete(ANN, thread.thread_id, made.run_id)
        with reader:
            assert (await reader.wait_for_end(5)).status is None
        while server.scheduler.running_count:
            await asyncio.sleep(0)
