"""Graphs go on over an outage of the database, and stop where they have to."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, LiteralString, TypedDict

import psycopg
import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.graph import END, START, StateGraph
from langgraph.store.base import BaseStore
from tests.postgres import OwnServer, own_server

from longline.errors import LeaseLostError, StorageAwayError
from longline.models.runs import Run
from longline.storage.protocols import Storage
from longline.testing.storage_samples import begin
from longline_storage_postgres.backends import postgres_backend
from longline_storage_postgres.patience import Patience
from longline_storage_postgres.settings import PostgresSettings

AWAY = "database away, running graphs wait for it"
BACK = "database back"


@pytest.fixture(scope="module")
def shared_server() -> Iterator[OwnServer]:
    with own_server() as server:
        yield server


@pytest.fixture
def server(shared_server: OwnServer) -> Iterator[OwnServer]:
    """A server that is there at the beginning and at the end."""
    yield shared_server
    shared_server.stop("immediate")
    shared_server.start()


@asynccontextmanager
async def opened(server: OwnServer) -> AsyncIterator[Storage]:
    settings = PostgresSettings(pool_wait_seconds=0.2)
    async with postgres_backend(settings).connect(server.url) as storage:
        yield storage


async def stop(server: OwnServer) -> None:
    await asyncio.to_thread(server.stop, "immediate")


async def start(server: OwnServer) -> None:
    await asyncio.to_thread(server.start)


async def told(caplog: pytest.LogCaptureFixture, message: str) -> None:
    """Until it was said."""
    async with asyncio.timeout(20):
        while message not in caplog.messages:
            await asyncio.sleep(0.01)


def place_of(run: Run) -> RunnableConfig:
    return {"configurable": {"thread_id": run.thread_id, "checkpoint_ns": ""}}


def _both(one: list[str], other: list[str]) -> list[str]:
    return [*one, *other]


class Steps(TypedDict):
    steps: Annotated[list[str], _both]


@pytest.mark.anyio
async def test_a_graph_goes_on_over_a_restart_of_the_database(
    server: OwnServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(server) as storage:
        run = await begin(storage)
        store = await storage.items()

        async def crash(_: Steps) -> Steps:
            await stop(server)
            return {"steps": ["crash"]}

        async def remember(_: Steps, store: BaseStore) -> Steps:
            await store.aput(("n",), "k", {"remembered": True})
            return {"steps": ["remember"]}

        builder = StateGraph(Steps)
        builder.add_node("crash", crash)
        builder.add_node("remember", remember)
        builder.add_edge(START, "crash")
        builder.add_edge("crash", "remember")
        builder.add_edge("remember", END)
        graph = builder.compile(checkpointer=await storage.checkpointer(run.lease), store=store)
        running = asyncio.create_task(graph.ainvoke({"steps": []}, place_of(run)))
        await told(caplog, AWAY)
        assert not running.done()
        await start(server)
        async with asyncio.timeout(30):
            assert (await running)["steps"] == ["crash", "remember"]
        history = [one async for one in (await storage.checkpointer()).alist(place_of(run))]
        assert history[0].checkpoint["channel_values"]["steps"] == ["crash", "remember"]
        item = await store.aget(("n",), "k")
        assert item is not None
    messages = [message for message in caplog.messages if message in (AWAY, BACK)]
    assert messages[:2] == [AWAY, BACK]
    assert messages == [AWAY, BACK] * (len(messages) // 2)


@pytest.mark.anyio
async def test_reads_of_a_graph_wait_and_those_of_callers_do_not(
    server: OwnServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(server) as storage:
        run = await begin(storage)
        bound, free = await storage.checkpointer(run.lease), await storage.checkpointer()
        stored = await bound.aput(place_of(run), empty_checkpoint(), {"source": "loop", "step": 0, "parents": {}}, {})
        items = await storage.items()
        await stop(server)
        for attempt in (
            free.aget_tuple(stored), free.aput_writes(stored, [("v", 1)], "task"), items.aget(("n",), "k"),
        ):  # fmt: skip
            with pytest.raises(StorageAwayError):
                await attempt
        assert caplog.messages.count(AWAY) == 0
        waiting = [
            asyncio.create_task(bound.aget_tuple(stored)),
            asyncio.create_task(bound.aget_delta_channel_history(config=stored, channels=["v"])),
            asyncio.create_task(bound.aput_writes(stored, [("v", 2)], "task")),
            asyncio.create_task(bound.acopy_thread(run.thread_id, "copy")),
        ]
        await told(caplog, AWAY)
        await start(server)
        async with asyncio.timeout(30):
            found, *_ = await asyncio.gather(*waiting)
        assert found is not None
        copied = await free.aget_tuple({"configurable": {"thread_id": "copy"}})
        assert copied is not None
    assert caplog.messages.count(AWAY) == 1


@pytest.mark.anyio
async def test_a_lease_that_was_lost_meanwhile_ends_the_wait(
    server: OwnServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(server) as storage:
        run = await begin(storage)
        saver = await storage.checkpointer(run.lease)
        _configure(server, "ALTER SYSTEM SET default_transaction_read_only = on")
        await stop(server)
        putting = asyncio.create_task(
            saver.aput(place_of(run), empty_checkpoint(), {"source": "loop", "step": 0, "parents": {}}, {})
        )
        await told(caplog, AWAY)
        await start(server)  # it only reads, as a standby that is not the primary yet
        with psycopg.connect(server.url, options="-c default_transaction_read_only=off") as connection:
            connection.execute(
                "UPDATE longline.runs SET attempt = attempt + 1, lease_owner = 'other' WHERE run_id = %s", (run.run_id,)
            )
        assert not putting.done()
        _configure(server, "ALTER SYSTEM RESET default_transaction_read_only")
        async with asyncio.timeout(30):
            with pytest.raises(LeaseLostError):
                await putting
        assert await (await storage.checkpointer()).aget_tuple(place_of(run)) is None


def _configure(server: OwnServer, statement: LiteralString) -> None:
    with psycopg.connect(server.url, autocommit=True, options="-c default_transaction_read_only=off") as connection:
        connection.execute(statement)
        connection.execute("SELECT pg_reload_conf()")


@pytest.mark.anyio
async def test_a_cancelled_graph_waits_no_longer(server: OwnServer, caplog: pytest.LogCaptureFixture) -> None:
    async with opened(server) as storage:
        run = await begin(storage)
        saver = await storage.checkpointer(run.lease)
        await stop(server)
        reading = asyncio.create_task(saver.aget_tuple(place_of(run)))
        await told(caplog, AWAY)
        reading.cancel()
        async with asyncio.timeout(10):
            with pytest.raises(asyncio.CancelledError):
                await reading


@pytest.mark.anyio
async def test_patience_has_its_limit_and_is_for_what_passes_only(caplog: pytest.LogCaptureFixture) -> None:
    tries = []

    async def away() -> None:
        tries.append(1)
        raise StorageAwayError("gone")

    with pytest.raises(StorageAwayError):
        await Patience("here").until_done(away, 0.1)
    assert len(tries) > 1
    with caplog.at_level(logging.WARNING), pytest.raises(ZeroDivisionError):
        await Patience("here").until_done(_broken)


@pytest.mark.anyio
async def test_an_attempt_that_began_before_the_database_was_back_is_no_second_outage(
    caplog: pytest.LogCaptureFixture,
) -> None:
    patience = Patience("here")
    begun, is_back = asyncio.Event(), asyncio.Event()
    tries = []

    async def away_at_first() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise StorageAwayError("gone")

    async def slow() -> None:
        if not is_back.is_set():
            begun.set()
            await is_back.wait()
            raise StorageAwayError("gone")

    waiting = asyncio.create_task(patience.until_done(slow))
    await begun.wait()
    await patience.until_done(away_at_first)
    is_back.set()
    await waiting
    assert [message for message in caplog.messages if message in (AWAY, BACK)] == [AWAY, BACK]


async def _broken() -> float:
    return 1 / 0
