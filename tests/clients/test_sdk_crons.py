"""`client.crons` of the Python SDK, against a server."""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from langgraph_sdk.errors import NotFoundError, UnprocessableEntityError

from tests.clients.sdk import Sdk, calls
from tests.clients.served import Served

pytestmark = pytest.mark.anyio

YEARLY = "0 0 1 1 *"


@calls("crons.create", "crons.update", "crons.search", "crons.delete")
async def test_a_cron_is_created_changed_found_and_deleted(sdk: Sdk) -> None:
    mark = {"mark": str(uuid4())}
    made = await sdk(
        "crons.create",
        "count",
        schedule="30 6 * * *",
        input={"x": 1},
        metadata=mark,
        timezone=ZoneInfo("Europe/Berlin"),
        end_time=datetime(2100, 1, 1, tzinfo=UTC),
    )
    cron_id = made["cron_id"]
    assert (made["schedule"], made["timezone"], made["enabled"]) == ("30 6 * * *", "Europe/Berlin", True)
    assert made["payload"]["input"] == {"x": 1}
    due = datetime.fromisoformat(made["next_run_date"]).astimezone(ZoneInfo("Europe/Berlin"))
    assert (due.hour, due.minute) == (6, 30)
    changed = await sdk("crons.update", cron_id, schedule=YEARLY, timezone="UTC", enabled=False, input={"x": 5})
    assert (changed["schedule"], changed["enabled"], changed["payload"]["input"]) == (YEARLY, False, {"x": 5})
    (found,) = await sdk("crons.search", metadata=mark)
    assert found["cron_id"] == cron_id
    assert await sdk("crons.search", metadata=mark, enabled=True) == []
    assert await sdk("crons.search", metadata=mark, select=["cron_id"]) == [{"cron_id": cron_id}]
    assert await sdk("crons.delete", cron_id) is None
    with pytest.raises(NotFoundError):
        await sdk("crons.delete", cron_id)


@calls("crons.create_for_thread", "crons.count")
async def test_a_cron_of_a_thread_is_found_by_it(sdk: Sdk) -> None:
    thread_id = (await sdk("threads.create"))["thread_id"]
    made = await sdk("crons.create_for_thread", thread_id, "count", schedule=YEARLY, input={"x": 1})
    assert made["thread_id"] == thread_id
    other = await sdk("crons.create_for_thread", thread_id, "chat", schedule="0 0 2 1 *")
    assert await sdk("crons.count", thread_id=thread_id) == 2
    assert await sdk("crons.count", thread_id=thread_id, assistant_id=made["assistant_id"]) == 1
    found = await sdk("crons.search", thread_id=thread_id, sort_by="next_run_date", sort_order="asc")
    assert [cron["cron_id"] for cron in found] == [made["cron_id"], other["cron_id"]]
    assert len(await sdk("crons.search", thread_id=thread_id, limit=1, offset=1)) == 1
    for cron in (made, other):
        await sdk("crons.delete", cron["cron_id"])
    assert await sdk("crons.count", thread_id=thread_id) == 0


async def test_what_is_no_schedule_and_no_place_is_refused(sdk: Sdk) -> None:
    with pytest.raises(UnprocessableEntityError):
        await sdk("crons.create", "count", schedule="now and then")
    with pytest.raises(UnprocessableEntityError):
        await sdk("crons.create", "count", schedule=YEARLY, timezone="Nowhere/At_All")
    with pytest.raises(NotFoundError):
        await sdk("crons.create_for_thread", str(uuid4()), "count", schedule=YEARLY)


async def test_a_cron_that_is_due_leaves_a_run_behind(sdk: Sdk, served: Served) -> None:
    thread_id = (await sdk("threads.create"))["thread_id"]
    gate = served.gate()
    every_second = "* * * * * *"
    cron = await sdk(
        "crons.create_for_thread",
        thread_id,
        "nested",
        schedule=every_second,
        input={"value": "v", "gate": gate.name},
        multitask_strategy="reject",
    )
    run = await first_run(sdk, thread_id)
    await sdk("crons.delete", cron["cron_id"])
    gate.open()
    assert (await sdk("runs.join", thread_id, run["run_id"]))["value"] == "v>first>inner"


async def first_run(sdk: Sdk, thread_id: str) -> dict:
    async with asyncio.timeout(20):
        while not (runs := await sdk("runs.list", thread_id)):
            await asyncio.sleep(0.05)
    return runs[-1]
