"""What one of three servers on one database is told of assistants, crons, items and feedback, all know."""

from collections import Counter
from itertools import chain
from typing import Any
from uuid import uuid4

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from tests.clients.replicas import SECONDS, Replicas, occupied, parts_of, thread_on
from tests.faults.cluster import wait_until

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

TRANSPORTS = pytest.mark.parametrize("transport", ["sse", "websocket"])


async def test_an_assistant_that_one_replica_changes_is_changed_for_all(clients: list[LangGraphClient]) -> None:
    one, two, three = clients
    assistant_id = (await one.assistants.create("tell", context={"language": "en"}))["assistant_id"]
    assert (await two.runs.wait(None, assistant_id, input={}))["language"] == "en"
    await three.assistants.update(assistant_id, context={"language": "fr"})
    for client in clients:
        assert (await client.runs.wait(None, assistant_id, input={}))["language"] == "fr"
    await two.assistants.delete(assistant_id)
    for client in clients:
        with pytest.raises(httpx.HTTPStatusError, match="404"):  # what the SDK raises for a stream
            await client.runs.wait(None, assistant_id, input={})


async def test_a_cron_that_one_replica_made_fires_once_a_tick(clients: list[LangGraphClient]) -> None:
    one, two, three = clients
    thread_id = await thread_on(one)
    cron = await one.crons.create_for_thread(
        thread_id, "count", schedule="* * * * * *", input={"x": 1}, multitask_strategy="enqueue"
    )

    async def fired() -> list[Any] | None:
        runs = await two.runs.list(thread_id, limit=50)
        return list(runs) if len(runs) >= 4 else None

    await wait_until(fired, "four ticks", SECONDS)
    await three.crons.delete(cron["cron_id"])
    runs = await one.runs.list(thread_id, limit=50)
    seconds = Counter(run["created_at"][:19] for run in runs)
    assert max(seconds.values()) == 1, seconds
    assert await two.crons.search(thread_id=thread_id) == []


async def test_an_item_that_one_replica_took_is_there_on_all(clients: list[LangGraphClient]) -> None:
    one, two, three = clients
    space = ["notes-of", str(uuid4())]
    await one.store.put_item(space, key="tea", value={"text": "green"})
    assert (await two.store.get_item(space, key="tea"))["value"] == {"text": "green"}
    found = await three.store.search_items(space)
    assert [item["key"] for item in found["items"]] == ["tea"]
    await three.store.delete_item(space, key="tea")
    assert list(chain(*[(await client.store.search_items(space))["items"] for client in clients])) == []


async def test_feedback_is_given_where_its_link_was_not_made(
    replicas: Replicas, clients: list[LangGraphClient]
) -> None:
    one, two, three = (replica.url for replica in replicas.all)
    thread_id = await thread_on(clients[0])
    async with occupied(replicas):
        streamed = clients[0].runs.stream(thread_id, "count", input={"x": 1}, feedback_keys=["good"])
        parts = await parts_of(streamed)
    (link,) = [data["good"] for _, event, data in parts if event == "feedback"]
    assert link.startswith(one)
    async with httpx.AsyncClient() as http:
        (await http.post(link.replace(one, two), json={"score": 1})).raise_for_status()
        run = f"/threads/{thread_id}/runs/{parts[0][2]['run_id']}"
        given = (await http.get(f"{three}{run}/feedback")).raise_for_status().json()
    assert [(each["key"], each["score"]) for each in given] == [("good", 1)]
