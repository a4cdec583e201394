"""Several servers on one database: whoever is asked, the answer is the same, and nobody waits for a poll."""

import asyncio

import orjson
import psycopg
import pytest

from longline.auth.principal import LOCAL
from longline.errors import ThreadBusyError
from longline.events import relay
from longline.models.events import EventId
from longline.models.runs import CancelRequest, RunStatus
from longline.services.run_requests import RunRequest
from tests.races.graphs import Gate, gated
from tests.races.replicas import (
    OpenReplicas,
    database_url,
    everything,
    no_net,
    occupied,
    open_replicas,
    template,
    thread_on,
)

__all__ = ["database_url", "no_net", "open_replicas", "template"]  # fixtures

pytestmark = pytest.mark.anyio

INTERRUPT = CancelRequest(action="interrupt", reason="enough")


@pytest.mark.parametrize("resumable", [False, True])
@pytest.mark.parametrize("temporary", [False, True])
async def test_a_stream_is_whole_where_another_server_executes_the_run(
    open_replicas: OpenReplicas, no_net: None, resumable: bool, temporary: bool
) -> None:
    block, gate = Gate(), Gate()
    gate.opened.set()
    async with open_replicas({"block": gated(block), "gated": gated(gate)}) as (here, _):
        async with occupied(here, "block", block):
            thread_id = None if temporary else await thread_on(here)
            request = RunRequest(
                assistant="gated", thread_id=thread_id, input={"name": "a"}, resumable=resumable,
                stream_modes=("updates", "values"),
            )  # fmt: skip
            run, reader = await here.runs.watch(LOCAL, request)
            assert run.status is RunStatus.PENDING
            events = await everything(reader)
        modes = [event.mode for event in events]
        assert modes == ["metadata", "values", "updates", "values", "updates", "values", "updates", "values"]
        assert [event.seq for event in events] == list(range(1, 9))
        assert reader.end.status is RunStatus.SUCCESS
        assert orjson.loads(reader.end.result)["steps"] == ["before", "gate of a", "after"]


async def test_who_waits_is_told_by_a_signal_when_the_run_ends_elsewhere(
    open_replicas: OpenReplicas, no_net: None
) -> None:
    block, gate = Gate(), Gate()
    async with open_replicas({"block": gated(block), "gated": gated(gate)}) as (here, _):
        async with occupied(here, "block", block):
            _, reader = await here.runs.watch(LOCAL, RunRequest(assistant="gated", input={"name": "a"}), only_end=True)
            async with asyncio.timeout(30):
                await gate.reached.wait()
            gate.opened.set()
            end = await reader.wait_for_end(30)
            reader.close()
        assert end.status is RunStatus.SUCCESS
        assert orjson.loads(end.result)["steps"] == ["before", "gate of a", "after"]


async def test_a_run_whose_creation_takes_long_is_not_taken_for_one_that_is_gone(
    open_replicas: OpenReplicas, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "_NET_SECONDS", 0.05)
    block, gate = Gate(), Gate()
    gate.opened.set()
    async with open_replicas({"block": gated(block), "gated": gated(gate)}) as (here, _):
        thread_id = await thread_on(here)
        looks, look = asyncio.Semaphore(0), here.runs._relay._look_for_ends

        async def look_and_tell(store: object) -> None:
            await look(store)
            looks.release()

        monkeypatch.setattr(here.runs._relay, "_look_for_ends", look_and_tell)
        request = RunRequest(assistant="gated", thread_id=thread_id, input={"name": "a"})
        async with occupied(here, "block", block):
            with psycopg.connect(database_url) as other:
                other.execute("SELECT 1 FROM longline.threads WHERE thread_id = %s FOR UPDATE", (thread_id,))
                watching = asyncio.create_task(here.runs.watch(LOCAL, request, only_end=True))
                async with asyncio.timeout(30):
                    while thread_id not in {run.thread_id for run in here.runs._relay._runs.values()}:
                        await asyncio.sleep(0)
                    for _ in range(10):
                        await looks.acquire()
            _, reader = await watching
            end = await reader.wait_for_end(30)
            reader.close()
        assert end.status is RunStatus.SUCCESS


async def test_a_stream_is_joined_and_resumed_on_any_server(open_replicas: OpenReplicas, no_net: None) -> None:
    gate = Gate()
    async with open_replicas({"gated": gated(gate)}, 3) as (one, two, three):
        thread_id = await thread_on(one)
        request = RunRequest(
            assistant="gated", thread_id=thread_id, input={"name": "a"}, resumable=True, stream_modes=("updates",)
        )
        run = await two.runs.create(LOCAL, request)
        async with asyncio.timeout(30):
            await gate.reached.wait()
        _, whole = await one.runs.join(LOCAL, thread_id, run.run_id, after=EventId(0, 0))
        _, rest = await three.runs.join(LOCAL, thread_id, run.run_id, after=EventId(1, 1))
        first = await rest.read(30)  # what was said before is known here: who comes now hears only what follows
        _, live = await three.runs.join(LOCAL, thread_id, run.run_id)
        _, waiting = await one.runs.join(LOCAL, thread_id, run.run_id, only_end=True)
        gate.opened.set()
        assert [event.seq for event in await everything(whole)] == [1, 2, 3, 4]
        assert [event.seq for event in (*first, *await everything(rest))] == [2, 3, 4]
        assert [event.seq for event in await everything(live)] == [3, 4]
        assert (await waiting.wait_for_end(30)).status is RunStatus.SUCCESS
        waiting.close()


async def test_a_stream_that_is_not_kept_is_joined_live_on_another_server(
    open_replicas: OpenReplicas, no_net: None
) -> None:
    gate = Gate()
    async with open_replicas({"gated": gated(gate)}) as (one, two):
        thread_id = await thread_on(one)
        request = RunRequest(assistant="gated", thread_id=thread_id, input={"name": "a"}, stream_modes=("updates",))
        run = await two.runs.create(LOCAL, request)
        async with asyncio.timeout(30):
            await gate.reached.wait()
        _, live = await one.runs.join(LOCAL, thread_id, run.run_id)
        await asyncio.sleep(0.2)  # the signal has to reach the worker: what it says before that, nobody reads
        gate.opened.set()
        assert [event.mode for event in await everything(live)] == ["updates", "updates"]
        assert live.end.status is RunStatus.SUCCESS


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_a_run_is_cancelled_from_any_server_and_everybody_is_told(
    open_replicas: OpenReplicas, no_net: None, action: str
) -> None:
    gate = Gate()
    async with open_replicas({"gated": gated(gate)}, 4, heartbeat_seconds=3.9) as (one, two, three, four):
        thread_id = await thread_on(one)
        request = RunRequest(assistant="gated", thread_id=thread_id, input={"name": "a"}, resumable=True)
        run, reader = await two.runs.watch(LOCAL, request)
        _, elsewhere = await three.runs.join(LOCAL, thread_id, run.run_id, after=EventId(0, 0))
        async with asyncio.timeout(30):
            await gate.reached.wait()
        await four.runs.cancel(LOCAL, thread_id, [run.run_id], CancelRequest(action=action, reason="enough"))
        status = None if action == "rollback" else RunStatus.INTERRUPTED
        local, remote = await everything(reader), await everything(elsewhere)
        assert reader.end.status is elsewhere.end.status is status
        ids = [event.event_id for event in remote]
        if (
            action == "rollback"
        ):  # what was kept of it is erased with it: a reader that had not come so far gets the rest
            assert ids == [event.event_id for event in local][-len(ids) :]
        else:
            assert ids == [event.event_id for event in local]


async def test_a_waiting_run_that_is_cancelled_elsewhere_ends_for_who_waits_here(
    open_replicas: OpenReplicas, no_net: None
) -> None:
    gate = Gate()
    async with open_replicas({"gated": gated(gate)}) as (one, two):
        thread_id = await thread_on(one)
        first = await one.runs.create(LOCAL, RunRequest(assistant="gated", thread_id=thread_id, input={}))
        waiting = RunRequest(assistant="gated", thread_id=thread_id, input={}, multitask_strategy="enqueue")
        run, reader = await one.runs.watch(LOCAL, waiting, only_end=True)
        assert run.status is RunStatus.PENDING
        await two.runs.cancel(LOCAL, thread_id, [run.run_id], INTERRUPT)
        assert (await reader.wait_for_end(30)).status is RunStatus.INTERRUPTED
        reader.close()
        await two.threads.delete(LOCAL, thread_id)
        assert first.run_id


async def test_who_reads_a_run_learns_that_it_or_its_thread_was_deleted_elsewhere(
    open_replicas: OpenReplicas, no_net: None
) -> None:
    gate = Gate()
    async with open_replicas({"gated": gated(gate)}) as (one, two):
        for delete in ("run", "thread"):
            thread_id = await thread_on(one)
            run, reader = await one.runs.watch(
                LOCAL, RunRequest(assistant="gated", thread_id=thread_id, input={}), only_end=True
            )
            if delete == "run":
                await two.runs.delete(LOCAL, thread_id, run.run_id)
            else:
                await two.threads.delete(LOCAL, thread_id)
            assert (await reader.wait_for_end(30)).status is None
            reader.close()


async def test_runs_of_a_thread_keep_their_order_and_strategies_over_all_servers(open_replicas: OpenReplicas) -> None:
    gate = Gate()
    async with open_replicas({"gated": gated(gate)}, 3) as servers:
        thread_id = await thread_on(servers[0])
        readers = []
        for number in range(6):
            request = RunRequest(
                assistant="gated", thread_id=thread_id, input={"name": str(number)}, multitask_strategy="enqueue"
            )
            readers.append((await servers[number % 3].runs.watch(LOCAL, request, only_end=True))[1])
        with pytest.raises(ThreadBusyError):
            await servers[2].runs.create(
                LOCAL, RunRequest(assistant="gated", thread_id=thread_id, input={}, multitask_strategy="reject")
            )
        gate.opened.set()
        ends = [await reader.wait_for_end(30) for reader in readers]
        steps = orjson.loads(ends[-1].result)["steps"]
        assert [step for step in steps if step.startswith("gate")] == [f"gate of {number}" for number in range(6)]
        for reader in readers:
            reader.close()


@pytest.mark.parametrize("strategy", ["interrupt", "rollback"])
async def test_a_new_run_displaces_one_that_another_server_executes(
    open_replicas: OpenReplicas, no_net: None, strategy: str
) -> None:
    gate = Gate()
    async with open_replicas({"gated": gated(gate)}, heartbeat_seconds=3.9) as (one, two):
        thread_id = await thread_on(one)
        _, displaced = await one.runs.watch(
            LOCAL, RunRequest(assistant="gated", thread_id=thread_id, input={"name": "old"}), only_end=True
        )
        async with asyncio.timeout(30):
            await gate.reached.wait()
        gate.reached.clear()
        request = RunRequest(assistant="gated", thread_id=thread_id, input={"name": "new"}, multitask_strategy=strategy)
        _, reader = await two.runs.watch(LOCAL, request, only_end=True)
        status = None if strategy == "rollback" else RunStatus.INTERRUPTED
        assert (await displaced.wait_for_end(30)).status is status
        gate.opened.set()
        steps = orjson.loads((await reader.wait_for_end(30)).result)["steps"]
        kept = [] if strategy == "rollback" else ["before"]
        assert steps == [*kept, "before", "gate of new", "after"]
        displaced.close()
        reader.close()


async def test_a_run_that_a_stopping_server_hands_back_is_taken_at_a_signal(
    open_replicas: OpenReplicas, no_net: None
) -> None:
    gate = Gate()
    never = {"poll_seconds": 60.0, "lease_seconds": 120.0, "heartbeat_seconds": 40.0}
    async with open_replicas({"gated": gated(gate)}, **never) as (one, two), asyncio.timeout(30):
        _, reader = await one.runs.watch(LOCAL, RunRequest(assistant="gated", input={"name": "a"}), only_end=True)
        await gate.reached.wait()
        gate.reached.clear()
        await one.scheduler.drain(0)
        await gate.reached.wait()
        assert two.scheduler.running_count == 1
        gate.opened.set()
        assert (await reader.wait_for_end(30)).status is RunStatus.SUCCESS
        reader.close()
