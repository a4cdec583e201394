"""Tasks as streams: what is told while they run, to who began them and to who came later."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import httpx
import pytest
from a2a.types import StreamResponse
from a2a.utils.errors import TaskNotCancelableError, UnsupportedOperationError
from tests.plugins.protocol_a2a.agents import ANSWER, GRAPHS
from tests.plugins.protocol_a2a.talking import CANCELED, WAITS, Talker, folded, said, states, talker, texts
from tests.plugins.protocol_langgraph.served import Served, serve_graphs

PLUGINS = ("storage_sqlite", "protocol_a2a")
pytestmark = pytest.mark.anyio


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serve_graphs(tmp_path, {name: make() for name, make in GRAPHS.items()}, plugins=PLUGINS) as served:
        yield served


@pytest.fixture
async def scripted(served: Served) -> AsyncIterator[Talker]:
    async with talker(served.url, "scripted") as talking:
        yield talking


async def _all(events: AsyncIterator[StreamResponse]) -> list[StreamResponse]:
    async with asyncio.timeout(30):
        return [event async for event in events]


@pytest.mark.parametrize("binding", ["JSONRPC", "HTTP+JSON"])
@pytest.mark.parametrize("agent", ["chat", "talkative"])
async def test_a_stream_adds_up_to_the_task(served: Served, agent: str, binding: str) -> None:
    async with talker(served.url, agent, binding=binding) as talking:
        events = await _all(talking.stream("hi"))
        assert states(events) == ["submitted", "working", "completed"]
        assert events[0].task.history[0].parts[0].text == "hi"
        told = folded(events)
        task = await talking.get(told.id)
        assert sorted(text for text in texts(told) if text) == sorted(texts(task))
        updates = [event.artifact_update for event in events if event.HasField("artifact_update")]
        lasts = {update.artifact.artifact_id for update in updates if update.last_chunk}
        assert lasts == {update.artifact.artifact_id for update in updates}
        emptied = [update.artifact for update in updates if update.artifact.metadata.fields]
        assert [artifact.parts[0].text for artifact in emptied] == ([""] if agent == "talkative" else [])


async def test_clients_of_0_3_get_the_text_so_far(served: Served) -> None:
    message = {"role": "user", "parts": [{"kind": "text", "text": "hi"}], "messageId": "m1"}
    body = {"jsonrpc": "2.0", "id": 1, "method": "message/stream", "params": {"message": message}}
    async with httpx.AsyncClient() as http:
        reply = await http.post(f"{served.url}/a2a/chat", json=body)
    results = [
        httpx.Response(200, content=line[5:]).json()["result"]
        for line in reply.text.splitlines()
        if line[:5] == "data:"
    ]
    kinds = [result["kind"] for result in results]
    assert kinds == ["task", *["status-update"] * (len(kinds) - 3), "artifact-update", "status-update"]
    spoken = [result["status"]["message"]["parts"][0]["text"] for result in results[1:-2]]
    assert all(ANSWER.startswith(text) for text in spoken)
    assert spoken == sorted(spoken, key=len)
    assert spoken[-1] == ANSWER
    assert results[-2]["artifact"]["parts"] == [{"kind": "text", "text": ANSWER}]
    assert (results[-1]["status"]["state"], results[-1]["final"]) == ("completed", True)


async def test_a_stream_ends_where_the_agent_asks(scripted: Talker) -> None:
    events = await _all(scripted.stream("ask a?"))
    assert states(events) == ["submitted", "working", "input_required"]
    events = await _all(scripted.stream(said("yes", task_id=events[0].task.id)))
    assert states(events) == ["submitted", "working", "completed"]
    assert texts(folded(events)) == ["you said ['yes']"]


async def test_a_subscriber_stays_from_question_to_question_to_the_end(scripted: Talker) -> None:
    task = await scripted.task("ask a?|b?")
    first = asyncio.create_task(_all(scripted.subscribe(task.id)))
    async with aclosing(scripted.subscribe(task.id)) as second:  # type: ignore[type-var]  # it is a generator
        assert (await anext(second)).task.status.state == WAITS
    await scripted.task(said("one", task_id=task.id))
    third = scripted.subscribe(task.id)
    begun = await anext(third)
    assert begun.task.status.message.parts[0].text == "b?"
    await scripted.task(said("two", task_id=task.id))
    events = await first
    assert events[0].HasField("task")
    assert [state for state in states(events) if state != "working"][-1] == "completed"
    rest = await _all(third)
    for told in (events, [begun, *rest]):
        assert texts(folded(told)) == ["you said ['one', 'two']"]
    with pytest.raises(UnsupportedOperationError):
        await _all(scripted.subscribe(task.id))


async def test_a_cancel_stops_the_graph_and_is_told_to_all(scripted: Talker) -> None:
    stream = scripted.stream("wait")
    begun = await anext(stream)
    follower = scripted.subscribe(begun.task.id)
    await anext(follower)
    assert (await scripted.cancel(begun.task.id)).status.state == CANCELED
    assert states(await _all(stream))[-1] == "canceled"
    assert states(await _all(follower))[-1] == "canceled"
    with pytest.raises(TaskNotCancelableError):
        await scripted.cancel(begun.task.id)


async def test_a_task_that_waits_is_given_up(scripted: Talker) -> None:
    task = await scripted.task("ask a?")
    follower = scripted.subscribe(task.id)
    await anext(follower)
    assert (await scripted.cancel(task.id)).status.state == CANCELED
    assert states(await _all(follower)) == ["canceled"]
    assert (await scripted.get(task.id)).status.state == CANCELED
    with pytest.raises(TaskNotCancelableError):
        await scripted.cancel(task.id)
    with pytest.raises(UnsupportedOperationError, match="canceled"):
        await scripted.task(said("yes", task_id=task.id))


async def test_a_stream_that_nobody_reads_any_more_does_not_end_its_task(scripted: Talker) -> None:
    async with aclosing(scripted.stream("ask a?")) as stream:  # type: ignore[type-var]  # it is a generator
        task = (await anext(stream)).task
    async with asyncio.timeout(30):
        while (await scripted.get(task.id)).status.state != WAITS:
            await asyncio.sleep(0.01)
