"""Two processes at one database: who lost the lease writes nothing, and who prunes takes nothing that is needed."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Annotated, TypedDict

import psycopg
import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.graph import START, StateGraph
from langgraph.store.base import PutOp

from longline.errors import LeaseLostError
from longline.models.runs import Run
from longline.storage.protocols import Storage
from longline.testing.storage_samples import begin

Reopen = Callable[[], AbstractAsyncContextManager[Storage]]


def place_of(run: Run) -> RunnableConfig:
    return {"configurable": {"thread_id": run.thread_id, "checkpoint_ns": ""}}


async def waits_for_a_lock(url: str) -> None:
    """Until a session of ours waits for another's lock."""
    async with asyncio.timeout(20), await psycopg.AsyncConnection.connect(url, autocommit=True) as watching:
        while True:
            found = await watching.execute(
                "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if await found.fetchone() is not None:
                return


@pytest.mark.anyio
@pytest.mark.parametrize("how", ["aput", "aput_writes", "adelete_thread"])
async def test_a_write_that_met_a_claim_halfway_is_shut_out(storage: Storage, database_url: str, how: str) -> None:
    run = await begin(storage)
    saver = await storage.checkpointer(run.lease)
    stored = await saver.aput(place_of(run), empty_checkpoint(), {"source": "loop", "step": 0, "parents": {}}, {})
    writes = {
        "aput": lambda: saver.aput(stored, empty_checkpoint(), {"source": "loop", "step": 1, "parents": {}}, {}),
        "aput_writes": lambda: saver.aput_writes(stored, [("v", 1)], "task"),
        "adelete_thread": lambda: saver.adelete_thread(run.thread_id),
    }
    async with await psycopg.AsyncConnection.connect(database_url) as claiming:
        row = {"run_id": run.run_id}
        await claiming.execute("SELECT 1 FROM longline.runs WHERE run_id = %(run_id)s FOR UPDATE", row)
        writing = asyncio.create_task(writes[how]())
        await waits_for_a_lock(database_url)
        await claiming.execute(
            "UPDATE longline.runs SET attempt = attempt + 1, lease_owner = 'other' WHERE run_id = %(run_id)s", row
        )
        await claiming.commit()
    with pytest.raises(LeaseLostError):
        await writing
    (kept,) = [one async for one in (await storage.checkpointer()).alist(place_of(run))]
    assert (kept.config, kept.pending_writes) == (stored, [])


@pytest.mark.anyio
async def test_a_heartbeat_holds_up_no_write(storage: Storage, database_url: str) -> None:
    run = await begin(storage)
    saver = await storage.checkpointer(run.lease)
    async with await psycopg.AsyncConnection.connect(database_url) as renewing:
        await renewing.execute(
            "UPDATE longline.runs SET lease_expires_at = lease_expires_at + INTERVAL '1 s' WHERE run_id = %s",
            (run.run_id,),
        )
        async with asyncio.timeout(10):
            await saver.aput(place_of(run), empty_checkpoint(), {"source": "loop", "step": 0, "parents": {}}, {})


def _both(one: list[int], other: list[int]) -> list[int]:
    return [*one, *other]


class Numbers(TypedDict):
    numbers: Annotated[list[int], _both]


@pytest.mark.anyio
async def test_a_thread_that_another_process_prunes_loses_nothing(storage: Storage, reopen: Reopen) -> None:
    run = await begin(storage)
    builder = StateGraph(Numbers)
    builder.add_node("count", lambda state: {"numbers": [len(state["numbers"])]})
    builder.add_edge(START, "count")
    builder.add_conditional_edges("count", lambda state: "count" if len(state["numbers"]) < 60 else "__end__")
    graph = builder.compile(checkpointer=await storage.checkpointer(run.lease))
    async with reopen() as other:
        pruner = await other.checkpointer()
        running = asyncio.create_task(graph.ainvoke({"numbers": []}, {**place_of(run), "recursion_limit": 100}))
        while not running.done():
            await pruner.aprune([run.thread_id])
        assert (await running)["numbers"] == list(range(60))
        await pruner.aprune([run.thread_id])
        found = [one async for one in pruner.alist(place_of(run))]
    assert [one.checkpoint["channel_values"]["numbers"] for one in found] == [list(range(60))]


@pytest.mark.anyio
async def test_many_writers_of_the_same_items_all_get_through(storage: Storage, reopen: Reopen) -> None:
    async with reopen() as other:
        stores = [await storage.items(), await other.items()]
        keys = [str(number) for number in range(20)]

        async def write(number: int) -> None:
            order = keys if number % 3 else list(reversed(keys))
            ops = [PutOp(("n",), key, None if number % 5 == 4 else {"by": number}) for key in order]
            await stores[number % 2].abatch(ops)

        async with asyncio.timeout(60):
            await asyncio.gather(*(write(number) for number in range(40)))
        await stores[0].abatch([PutOp(("n",), key, {"by": -1}) for key in keys])
        assert {item.value["by"] for item in await stores[1].asearch(("n",), limit=100)} == {-1}
