"""Several runs on one thread, and cancels, against the real engine."""

import asyncio

import orjson
import pytest

from longline.auth.principal import LOCAL
from longline.errors import NotCancellableError, NotFoundError, ThreadBusyError
from longline.models.runs import CancelRequest, RunQuery, RunStatus
from longline.models.threads import ThreadStatus
from longline.services.run_requests import RunRequest
from longline.services.server import Server
from tests.races.conftest import OpenServer
from tests.races.graphs import Gate, gated

pytestmark = pytest.mark.anyio


async def _start(server: Server, thread_id: str, name: str, **fields: object):
    request = RunRequest(assistant="gated", thread_id=thread_id, input={"name": name}, **fields)
    return await server.runs.watch(LOCAL, request)


async def _end(reader):
    end = await reader.wait_for_end(10)
    reader.close()
    assert end is not None, "the run did not end within 10 s"
    return end


async def test_enqueued_runs_of_a_thread_run_one_after_the_other_in_order(open_server: OpenServer) -> None:
    gate = Gate()
    async with open_server({"gated": gated(gate)}) as server:
        thread = await server.threads.create(LOCAL)
        started = [await _start(server, thread.thread_id, name) for name in ("a", "b", "c")]
        async with asyncio.timeout(10):
            await gate.reached.wait()
        runs = await server.runs.search(LOCAL, RunQuery(thread_id=thread.thread_id))
        assert [run.status for run in runs] == ["pending", "pending", "running"]
        gate.opened.set()
        results = [orjson.loads((await _end(reader)).result) for _, reader in started]
        expected = [["before", f"gate of {name}", "after"] for name in "abc"]
        assert [result["steps"][-3:] for result in results] == expected
        assert len(results[-1]["steps"]) == 9


async def test_reject_refuses_a_second_run_and_leaves_the_first_alone(open_server: OpenServer) -> None:
    gate = Gate()
    async with open_server({"gated": gated(gate)}) as server:
        thread = await server.threads.create(LOCAL)
        _, first = await _start(server, thread.thread_id, "a")
        with pytest.raises(ThreadBusyError):
            await _start(server, thread.thread_id, "b", multitask_strategy="reject")
        gate.opened.set()
        assert (await _end(first)).status is RunStatus.SUCCESS


async def test_interrupt_keeps_the_first_runs_checkpoint_and_starts_the_second(open_server: OpenServer) -> None:
    gate = Gate()
    async with open_server({"gated": gated(gate)}) as server:
        thread = await server.threads.create(LOCAL)
        run, first = await _start(server, thread.thread_id, "a")
        async with asyncio.timeout(10):
            await gate.reached.wait()
        second_run, second = await _start(server, thread.thread_id, "b", multitask_strategy="interrupt")
        end = await _end(first)
        assert end.status is RunStatus.INTERRUPTED
        assert orjson.loads(end.result)["steps"] == ["before"]
        gate.opened.set()
        result = orjson.loads((await _end(second)).result)
        assert result["steps"] == ["before", "before", "gate of b", "after"]
        assert (await server.runs.get(LOCAL, thread.thread_id, run.run_id)).status is RunStatus.INTERRUPTED
        assert (await server.runs.get(LOCAL, thread.thread_id, second_run.run_id)).status is RunStatus.SUCCESS


async def test_rollback_removes_the_first_run_and_everything_it_did(open_server: OpenServer) -> None:
    gate = Gate()
    async with open_server({"gated": gated(gate)}) as server:
        thread = await server.threads.create(LOCAL)
        run, first = await _start(server, thread.thread_id, "a")
        async with asyncio.timeout(10):
            await gate.reached.wait()
        _, second = await _start(server, thread.thread_id, "b", multitask_strategy="rollback")
        assert (await _end(first)).status is None
        gate.opened.set()
        assert orjson.loads((await _end(second)).result)["steps"] == ["before", "gate of b", "after"]
        with pytest.raises(NotFoundError):
            await server.runs.get(LOCAL, thread.thread_id, run.run_id)


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_a_cancelled_run_leaves_its_thread_as_the_action_says(open_server: OpenServer, action: str) -> None:
    gate = Gate()
    async with open_server({"gated": gated(gate)}) as server:
        thread = await server.threads.create(LOCAL)
        run, reader = await _start(server, thread.thread_id, "a")
        async with asyncio.timeout(10):
            await gate.reached.wait()
        request = CancelRequest(action=action, reason="the test says so")
        await server.runs.cancel(LOCAL, thread.thread_id, [run.run_id], request)
        await _end(reader)
        left = await server.threads.get(LOCAL, thread.thread_id)
        assert left.error is not None
        assert left.error.message == "the test says so"
        if action == "interrupt":
            assert left.status is ThreadStatus.INTERRUPTED
            assert orjson.loads(left.values)["steps"] == ["before"]
            with pytest.raises(NotCancellableError):
                await server.runs.cancel(LOCAL, thread.thread_id, [run.run_id], request)
        else:
            assert left.status is ThreadStatus.IDLE
            assert left.values is None
            with pytest.raises(NotFoundError):
                await server.runs.cancel(LOCAL, thread.thread_id, [run.run_id], request)


async def test_deleting_a_thread_drops_its_running_run_and_ends_its_readers(open_server: OpenServer) -> None:
    gate = Gate()
    async with open_server({"gated": gated(gate)}) as server:
        thread = await server.threads.create(LOCAL)
        _, reader = await _start(server, thread.thread_id, "a")
        async with asyncio.timeout(10):
            await gate.reached.wait()
        await server.threads.delete(LOCAL, thread.thread_id)
        assert (await _end(reader)).status is None
        with pytest.raises(NotFoundError):
            await server.threads.get(LOCAL, thread.thread_id)


async def test_a_caller_that_goes_away_while_creating_leaves_no_run_that_nobody_executes(
    open_server: OpenServer,
) -> None:
    gate = Gate()
    gate.opened.set()
    async with open_server({"gated": gated(gate)}) as server:
        thread = await server.threads.create(LOCAL)
        creating = asyncio.create_task(_start(server, thread.thread_id, "a"))
        for _ in range(6):
            await asyncio.sleep(0)
        creating.cancel()
        with pytest.raises(asyncio.CancelledError):
            await creating
        async with asyncio.timeout(10):
            while True:
                runs = await server.runs.search(LOCAL, RunQuery(thread_id=thread.thread_id))
                if all(run.status.is_terminal for run in runs):
                    break
                await asyncio.sleep(0.01)
        assert all(run.attempt == 1 for run in runs)


async def test_no_more_runs_execute_at_once_than_the_settings_allow(open_server: OpenServer) -> None:
    gate = Gate()
    async with open_server({"gated": gated(gate)}, runs=2) as server:
        started = [
            await server.runs.watch(LOCAL, RunRequest(assistant="gated", input={"name": str(n)})) for n in range(5)
        ]
        async with asyncio.timeout(10):
            while gate.visits < 2:
                await asyncio.sleep(0.005)
        assert server.scheduler.running_count == 2
        gate.opened.set()
        ends = [await _end(reader) for _, reader in started]
        assert {end.status for end in ends} == {RunStatus.SUCCESS}


async def test_a_delayed_run_starts_when_it_is_due_and_not_before(open_server: OpenServer) -> None:
    gate = Gate()
    gate.opened.set()
    async with open_server({"gated": gated(gate)}) as server:
        run, reader = await server.runs.watch(LOCAL, RunRequest(assistant="gated", input={}, after_seconds=0.3))
        assert run.status is RunStatus.PENDING
        assert await reader.wait_for_end(0.1) is None
        assert (await _end(reader)).status is RunStatus.SUCCESS
