"""The Python SDK and three servers on one database: whichever is asked, the client sees one server."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import ConflictError, NotFoundError

from tests.clients.replicas import SECONDS, Replicas, balancing, occupied, parts_of, said, thread_on

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

TRANSPORTS = pytest.mark.parametrize("transport", ["sse", "websocket"])


async def test_a_run_is_created_streamed_resumed_and_awaited_on_different_replicas(
    replicas: Replicas, clients: list[LangGraphClient]
) -> None:
    one, two, three = clients
    gates = [replicas.gate(), replicas.gate()]
    text = f"red @{gates[0].name} green @{gates[1].name} blue"
    async with occupied(replicas):
        thread_id = await thread_on(one)
        run = await one.runs.create(
            thread_id, "chat", input=said(text), stream_mode=["messages-tuple", "values"], stream_resumable=True
        )
        run_id = run["run_id"]
        waiting = asyncio.create_task(three.runs.join(thread_id, run_id))
        live = asyncio.create_task(parts_of(two.runs.join_stream(thread_id, run_id, last_event_id="-1")))
        heard = []
        async for part in two.runs.join_stream(thread_id, run_id, last_event_id="-1"):
            heard.append((part.id, part.event, part.data))
            if part.event == "messages":
                break
        gates[0].open()
        async for part in three.runs.join_stream(thread_id, run_id, last_event_id=heard[-1][0]):
            heard.append((part.id, part.event, part.data))
            if part.event == "messages":
                break
        gates[1].open()
        heard += await parts_of(one.runs.join_stream(thread_id, run_id, last_event_id=heard[-1][0]))
        whole = await live
        assert (await waiting)["messages"][-1]["content"].split() == text.split()
    assert heard == whole
    assert len({name for name, _, _ in whole}) == len(whole)
    words = [data[0]["content"] for _, event, data in whole if event == "messages"]
    assert "".join(words).split() == text.split()
    assert [await client.runs.get(thread_id, run_id) for client in clients] == [
        await one.runs.get(thread_id, run_id)
    ] * 3
    assert replicas.executed(run_id) in ([1], [2])


@pytest.mark.parametrize("resumable", [False, True])
@pytest.mark.parametrize("is_alone", [False, True])
async def test_a_stream_is_the_same_where_another_replica_executes_the_run(
    replicas: Replicas, clients: list[LangGraphClient], resumable: bool, is_alone: bool
) -> None:
    one, two, _ = clients

    async def told(client: LangGraphClient) -> tuple[str, list[Any]]:
        thread_id = None if is_alone else await thread_on(client)
        modes = ["values", "updates", "custom", "messages-tuple", "tasks", "checkpoints"]
        options: Any = {"stream_mode": modes, "stream_subgraphs": True, "stream_resumable": resumable}
        parts = await parts_of(client.runs.stream(thread_id, "nested", input={"value": "v"}, **options))
        return parts[0][2]["run_id"], sorted((event.partition(":")[0], name is None) for name, event, _ in parts)

    here = await told(two)
    async with occupied(replicas):
        there = await told(one)
        output = await one.runs.wait(None, "count", input={"x": 41})
    assert here[1] == there[1]
    assert len(here[1]) > 8
    assert output == {"x": 42}
    assert replicas.executed(there[0]) in ([1], [2])


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_a_run_is_cancelled_from_a_replica_that_has_nothing_to_do_with_it(
    replicas: Replicas, clients: list[LangGraphClient], action: Any
) -> None:
    one, two, three = clients
    gate = replicas.gate()
    async with occupied(replicas):
        thread_id = await thread_on(one)
        run = await one.runs.create(
            thread_id, "nested", input={"value": "v", "gate": gate.name}, stream_mode="custom", stream_resumable=True
        )
        async for part in three.runs.join_stream(thread_id, run["run_id"], last_event_id="-1"):
            if part.event == "custom":
                break
        streaming = asyncio.create_task(parts_of(two.runs.join_stream(thread_id, run["run_id"], last_event_id="-1")))
        waiting = asyncio.create_task(three.runs.join(thread_id, run["run_id"]))
        async with get_client(url=replicas.first.url) as fourth:
            await fourth.runs.cancel(thread_id, run["run_id"], wait=True, action=action)
        await asyncio.gather(streaming, waiting)
    if action == "rollback":
        with pytest.raises(NotFoundError):
            await three.runs.get(thread_id, run["run_id"])
    else:
        assert {(await client.runs.get(thread_id, run["run_id"]))["status"] for client in clients} == {"interrupted"}
    assert {(await client.threads.get(thread_id))["status"] for client in clients} <= {"idle", "interrupted"}


async def test_a_thread_is_followed_on_every_replica_wherever_its_runs_execute(
    replicas: Replicas, clients: list[LangGraphClient]
) -> None:
    thread_id = await thread_on(clients[0])

    async def follow(client: LangGraphClient, ends: int, **options: Any) -> list[Any]:
        found = []
        async for part in await client.threads.join_stream(thread_id, **options):
            found.append((part.id, part.event, part.data))
            ends -= part.event == "metadata" and part.data.get("status") == "run_done"
            if not ends:
                return found
        raise AssertionError("the stream of a thread ended")

    following = [asyncio.create_task(follow(client, 3, last_event_id="-1")) for client in clients]
    options: Any = {"stream_mode": ["values", "updates"], "stream_resumable": True}
    run_ids = []
    async with occupied(replicas):
        for client in clients:
            run = await client.runs.create(thread_id, "count", input={"x": 1}, **options)
            run_ids.append(run["run_id"])
            await clients[2].runs.join(thread_id, run["run_id"])
        heard = await asyncio.gather(*following)
    assert heard[0] == heard[1] == heard[2]
    ids = [name for name, _, _ in heard[0]]
    assert len(set(ids)) == len(ids)
    ends = [data["run_id"] for _, event, data in heard[0] if event == "metadata" and data.get("status") == "run_done"]
    assert ends == run_ids
    middle = ids[len(ids) // 2]
    assert await follow(clients[1], 2, last_event_id=middle) == heard[0][len(ids) // 2 + 1 :]


async def test_a_conversation_behind_a_balancer_is_one(replicas: Replicas) -> None:
    async with balancing(replicas) as (balancer, client), asyncio.timeout(SECONDS):
        assistant = await client.assistants.create("desk", name="desk", metadata={"mark": str(uuid4())})
        thread_id = await thread_on(client)
        words = []
        options: Any = {"stream_mode": ["messages-tuple", "values"], "stream_resumable": True}
        async for part in client.runs.stream(
            thread_id, assistant["assistant_id"], input=said("Hello there"), **options
        ):
            words += [part.data[0]["content"]] if part.event == "messages" else []
        assert "".join(words) == "Hello there "
        assert (await client.threads.get(thread_id))["status"] == "interrupted"
        state = await client.threads.get_state(thread_id)
        assert state["next"] == ["approve"]
        assert state["interrupts"][0]["value"] == {"question": "May I?"}
        resumed = await client.runs.wait(thread_id, assistant["assistant_id"], command={"resume": "yes"})
        assert [message["content"] for message in resumed["messages"]] == [
            "Hello there",
            "Hello there ",
            "You said yes.",
        ]
        await client.threads.update_state(thread_id, said("by hand"))
        assert (await client.threads.get_state(thread_id))["values"]["messages"][-1]["content"] == "by hand"
        assert len(await client.threads.get_history(thread_id, limit=20)) >= 5
        assert len(await client.runs.list(thread_id)) == 2
        copied = await client.threads.copy(thread_id)
        assert (await client.threads.get_state(copied["thread_id"]))["values"] == (
            await client.threads.get_state(thread_id)
        )["values"]
        await client.threads.delete(thread_id)
        for _ in replicas.all:
            with pytest.raises(NotFoundError):
                await client.threads.get(thread_id)
    assert max(balancer.counts.values()) - min(balancer.counts.values()) <= 1


async def test_runs_of_a_thread_keep_their_order_and_strategies_behind_a_balancer(replicas: Replicas) -> None:
    gate = replicas.gate()
    async with balancing(replicas) as (_, client), asyncio.timeout(SECONDS):
        thread_id = await thread_on(client)
        first = await client.runs.create(thread_id, "chat", input=said(f"0 @{gate.name}"))
        with pytest.raises(ConflictError):
            await client.runs.create(thread_id, "chat", input=said("no"), multitask_strategy="reject")
        later = [
            await client.runs.create(thread_id, "chat", input=said(str(number)), multitask_strategy="enqueue")
            for number in range(1, 6)
        ]
        gate.open()
        messages = (await client.runs.join(thread_id, later[-1]["run_id"]))["messages"]
        assert [message["content"] for message in messages[2::2]] == [str(number) for number in range(1, 6)]
        listed = [run["run_id"] for run in await client.runs.list(thread_id)]
        assert listed == [run["run_id"] for run in reversed([first, *later])]
