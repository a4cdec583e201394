"""Tasks at several servers on one Postgres: begun here, followed, answered and cancelled there; and after restarts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest
from a2a.client.errors import A2AClientError
from a2a.types import StreamResponse
from tests.plugins.protocol_a2a.agents import halting, scripted
from tests.plugins.protocol_a2a.talking import (
    CANCELED,
    COMPLETED,
    WAITS,
    WORKING,
    Talker,
    folded,
    said,
    states,
    talker,
    texts,
)
from tests.plugins.protocol_langgraph.served import serve_graphs
from tests.races.graphs import Gate
from tests.races.replicas import database_url, template

__all__ = ["database_url", "template"]  # fixtures

pytestmark = pytest.mark.anyio


class Servers:
    """Servers on one database, by name, and talkers to one agent of each."""

    def __init__(self, database: str, folder: Path, stack: AsyncExitStack, gate: Gate) -> None:
        self._database = database
        self._folder = folder
        self._stack = stack
        self._graphs = {"halting": halting(gate), "scripted": scripted()}

    async def talk(self, agent: str, stack: AsyncExitStack | None = None) -> Talker:
        """Start another server, and talk to it. With a stack it is stopped with that."""
        owner = stack or self._stack
        settings = {"server": {"database": self._database}}
        plugins = ("storage_postgres", "protocol_a2a")
        served = await owner.enter_async_context(serve_graphs(self._folder, self._graphs, settings, plugins=plugins))
        return await owner.enter_async_context(talker(served.url, agent))


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def servers(database_url: str, tmp_path: Path, gate: Gate) -> AsyncIterator[Servers]:
    async with AsyncExitStack() as stack:
        yield Servers(database_url, tmp_path, stack, gate)
        gate.opened.set()


@asynccontextmanager
async def _collecting(events: AsyncIterator[StreamResponse], into: list[StreamResponse]) -> AsyncIterator[None]:
    """The first event has been read; meanwhile the others are, and leaving waits for the last."""
    has_begun = asyncio.Event()

    async def collect() -> None:
        async for event in events:
            into.append(event)
            has_begun.set()

    reading = asyncio.create_task(collect())
    try:
        await asyncio.wait_for(has_begun.wait(), 30)
        yield
        await asyncio.wait_for(reading, 30)
    finally:
        reading.cancel()


async def test_a_task_that_is_streamed_here_is_seen_and_followed_there(servers: Servers, gate: Gate) -> None:
    here, there = await servers.talk("halting"), await servers.talk("halting")
    told: list[StreamResponse] = []
    async with _collecting(here.stream("hi"), told):
        await asyncio.wait_for(gate.reached.wait(), 30)
        task_id = told[0].task.id
        assert (await there.get(task_id)).status.state == WORKING
        following = there.subscribe(task_id)
        begun = await anext(following)
        assert (begun.task.status.state, texts(begun.task)) == (WORKING, ["half "])
        gate.opened.set()
        rest = [event async for event in following]
    for events in (told, [begun, *rest]):
        assert states(events)[-1] == "completed"
        assert texts(folded(events)) == ["half and half"]
    task = await there.get(task_id)
    assert task == await here.get(task_id)
    assert [found.id for found in (await there.list()).tasks] == [task_id]


async def test_a_task_that_runs_here_is_cancelled_there(servers: Servers, gate: Gate) -> None:
    here, there = await servers.talk("halting"), await servers.talk("halting")
    told: list[StreamResponse] = []
    async with _collecting(here.stream("hi"), told):
        await asyncio.wait_for(gate.reached.wait(), 30)
        assert (await there.cancel(told[0].task.id)).status.state == CANCELED
    assert states(told)[-1] == "canceled"
    assert not gate.opened.is_set()


async def test_a_question_that_is_asked_here_is_answered_there(servers: Servers) -> None:
    here, there = await servers.talk("scripted"), await servers.talk("scripted")
    task = await here.task("ask a?")
    told: list[StreamResponse] = []
    async with _collecting(here.subscribe(task.id), told):
        done = await there.task(said("yes", task_id=task.id))
    assert (done.status.state, texts(done)) == (COMPLETED, ["you said ['yes']"])
    assert texts(folded(told)) == texts(done)
    other = await here.task("ask b?")
    told.clear()
    async with _collecting(here.subscribe(other.id), told):
        assert (await there.cancel(other.id)).status.state == CANCELED
    assert states(told)[-1] == "canceled"


async def test_two_answers_at_once_at_two_servers_are_one(servers: Servers) -> None:
    here, there = await servers.talk("scripted"), await servers.talk("scripted")
    task = await here.task("ask a?|b?|c?")
    answers = [talking.task(said(word, task_id=task.id)) for talking, word in ((here, "one"), (there, "two"))]
    done = await asyncio.gather(*answers, return_exceptions=True)
    assert any(not isinstance(answer, BaseException) for answer in done)
    history = [message.parts[0].text for message in (await here.get(task.id)).history if message.role == 1]
    taken = [word for answer, word in zip(done, ("one", "two"), strict=True) if not isinstance(answer, BaseException)]
    assert sorted(history[1:]) == sorted(taken)


async def test_a_task_outlives_the_server_that_began_it(servers: Servers, gate: Gate) -> None:
    there = await servers.talk("halting")
    told: list[StreamResponse] = []
    seen: list[StreamResponse] = []
    async with AsyncExitStack() as life:
        here = await servers.talk("halting", life)
        stream = here.stream("hi")
        told.append(await anext(stream))
        task_id = told[0].task.id
        await asyncio.wait_for(gate.reached.wait(), 30)
        following = there.subscribe(task_id)
        seen.append(await anext(following))
        gate.reached.clear()
    with suppress(A2AClientError, httpx.HTTPError):
        told += [event async for event in stream]
    assert states(told)[-1] != "completed"
    await asyncio.wait_for(gate.reached.wait(), 30)
    gate.opened.set()
    seen += [event async for event in following]
    assert states(seen)[-1] == "completed"
    assert [text for text in texts(folded(seen)) if text] == ["half and half"]
    emptied = [event.artifact_update for event in seen if event.artifact_update.artifact.metadata.fields]
    assert [update.artifact.parts[0].text for update in emptied] == [""]
    assert texts(await there.get(task_id)) == ["half and half"]


async def test_tasks_and_contexts_survive_when_all_servers_were_gone(servers: Servers) -> None:
    async with AsyncExitStack() as life:
        here = await servers.talk("scripted", life)
        done = await here.task(said("hi", context_id="my words"))
        asked = await here.task("ask a?")
    there = await servers.talk("scripted")
    assert await there.get(done.id) == done
    assert (await there.get(asked.id)).status.state == WAITS
    assert texts(await there.task(said("yes", task_id=asked.id))) == ["you said ['yes']"]
    again = await there.task(said("more", context_id="my words"))
    assert (again.context_id, again.id.split(":")[0]) == ("my words", done.id.split(":")[0])
    assert [task.id for task in (await there.list(context_id="my words")).tasks] == [again.id, done.id]
