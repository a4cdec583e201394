"""Crons over the wire, with LangGraph's own clients."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from langgraph_sdk import get_sync_client
from langgraph_sdk.client import LangGraphClient
from tests.plugins.protocol_langgraph.conftest import Serve
from tests.plugins.protocol_langgraph.graphs import counting, seeing
from tests.plugins.protocol_langgraph.served import Served

from longline.ids import graph_assistant_id

pytestmark = pytest.mark.anyio

YEARLY = "0 0 1 1 *"
EVERY_SECOND = "* * * * * */1"
MISSING = "00000000-0000-0000-0000-000000000000"
CRON = {"assistant_id": "count", "schedule": YEARLY}


async def test_a_new_cron_is_answered_whole(http: httpx.AsyncClient) -> None:
    body = {
        "assistant_id": "count",
        "schedule": YEARLY,
        "input": {"x": 1},
        "metadata": {"c": 1},
        "timezone": "Asia/Tokyo",
    }
    answered = await http.post("/runs/crons", json=body)
    assert answered.status_code == 200
    cron = answered.json()
    assistant_id, year = graph_assistant_id("count"), datetime.now(UTC).year
    assert cron == {
        "cron_id": cron["cron_id"], "assistant_id": assistant_id, "thread_id": None, "user_id": None, "end_time": None,
        "schedule": YEARLY, "timezone": "Asia/Tokyo",
        "payload": {**body, "assistant_id": assistant_id, "config": {"configurable": {"cron_id": cron["cron_id"]}}},
        "next_run_date": f"{year}-12-31T15:00:00+00:00", "metadata": {"c": 1}, "on_run_completed": "delete",
        "enabled": True, "created_at": cron["created_at"], "updated_at": cron["created_at"],
    }  # fmt: skip
    assert (await http.get(f"/runs/crons/{cron['cron_id']}")).json() == cron


EVERYTHING: dict[str, Any] = {
    "input": {"x": 1}, "metadata": {"c": 1}, "config": {"tags": ["t"], "recursion_limit": 9},
    "context": {"language": "fr"}, "webhook": "https://example.com/hook", "interrupt_before": ["add"],
    "interrupt_after": "*", "stream_mode": ["updates", "values"], "stream_subgraphs": True, "stream_resumable": True,
    "durability": "exit",
}  # fmt: skip


async def test_all_that_a_cron_can_be_told_is_in_its_payload(sdk: LangGraphClient, thread_id: str) -> None:
    end = datetime(2090, 1, 1, tzinfo=UTC)
    alone: Any = await sdk.crons.create(
        "count", schedule=YEARLY, end_time=end, enabled=False, timezone=ZoneInfo("Asia/Tokyo"), on_run_completed="keep",
        **EVERYTHING,
    )  # fmt: skip
    on_thread: Any = await sdk.crons.create_for_thread(
        thread_id, "count", schedule=YEARLY, end_time=end, enabled=False, timezone="Asia/Tokyo",
        multitask_strategy="reject", **EVERYTHING,
    )  # fmt: skip
    for cron in (alone, on_thread):
        told = {**EVERYTHING, "config": {**EVERYTHING["config"], "configurable": {"cron_id": cron["cron_id"]}}}
        assert {key: cron["payload"][key] for key in EVERYTHING} == told
        assert (cron["payload"]["enabled"], cron["enabled"]) == (False, False)
        assert (cron["end_time"], cron["timezone"]) == ("2090-01-01T00:00:00+00:00", "Asia/Tokyo")
    assert (alone["on_run_completed"], alone["thread_id"]) == ("keep", None)
    assert (on_thread["on_run_completed"], on_thread["thread_id"]) == (None, thread_id)
    assert on_thread["payload"]["multitask_strategy"] == "reject"


async def test_a_cron_is_changed_found_counted_and_deleted(sdk: LangGraphClient, thread_id: str) -> None:
    one: Any = await sdk.crons.create("count", schedule=YEARLY, metadata={"k": 1}, end_time=datetime(2090, 1, 1))
    two: Any = await sdk.crons.create_for_thread(thread_id, "see", schedule="0 5 * * *", metadata={"k": 2})
    ids = [two["cron_id"], one["cron_id"]]
    assert [cron["cron_id"] for cron in await sdk.crons.search()] == ids
    for wanted, expected in (
        ({"assistant_id": graph_assistant_id("see")}, ids[:1]),
        ({"thread_id": thread_id}, ids[:1]),
        ({"metadata": {"k": 1}}, ids[1:]),
        ({"metadata": {"k": 3}}, []),
    ):
        assert [cron["cron_id"] for cron in await sdk.crons.search(**wanted)] == expected
        assert await sdk.crons.count(**wanted) == len(expected)
    upward = await sdk.crons.search(sort_by="next_run_date", sort_order="asc", limit=1, select=["cron_id", "enabled"])
    assert upward == [{"cron_id": two["cron_id"], "enabled": True}]

    kept: Any = await sdk.crons.update(one["cron_id"], enabled=False)
    assert kept == {
        **one,
        "enabled": False,
        "payload": {**one["payload"], "enabled": False},
        "updated_at": kept["updated_at"],
    }
    assert [cron["cron_id"] for cron in await sdk.crons.search(enabled=False)] == ids[1:]
    changed: Any = await sdk.crons.update(
        one["cron_id"], schedule="0 0 30 2 *", timezone="Asia/Tokyo", metadata={"l": 2}, end_time=None, enabled=True,
        on_run_completed="keep", input={"x": 5}, durability="sync", stream_mode="updates",
    )  # fmt: skip
    assert (changed["schedule"], changed["timezone"]) == ("0 0 30 2 *", "Asia/Tokyo")
    assert (changed["next_run_date"], changed["end_time"], changed["enabled"]) == (None, None, True)
    assert (changed["metadata"], changed["payload"]["metadata"]) == ({"k": 1, "l": 2}, {"k": 1, "l": 2})
    assert (changed["on_run_completed"], changed["payload"]["input"]) == ("keep", {"x": 5})
    assert (changed["payload"]["durability"], changed["payload"]["stream_mode"]) == ("sync", ["updates"])

    await sdk.crons.delete(one["cron_id"])
    assert [cron["cron_id"] for cron in await sdk.crons.search()] == ids[:1]
    await sdk.threads.delete(thread_id)
    assert await sdk.crons.count() == 0


async def test_the_client_without_async_does_the_same(served: Served) -> None:
    def play() -> None:
        with get_sync_client(url=served.url, api_key=None) as client:
            thread_id = client.threads.create()["thread_id"]
            one: Any = client.crons.create("count", schedule=YEARLY, end_time=datetime(2090, 1, 1, tzinfo=UTC))
            two: Any = client.crons.create_for_thread(thread_id, "count", schedule=YEARLY)
            assert client.crons.count() == 2
            changed: Any = client.crons.update(one["cron_id"], end_time=None, enabled=False)
            assert (changed["end_time"], changed["enabled"]) == (None, False)
            assert [cron["cron_id"] for cron in client.crons.search(enabled=True)] == [two["cron_id"]]
            client.crons.delete(one["cron_id"])
            client.crons.delete(two["cron_id"])
            assert client.crons.count() == 0

    await asyncio.to_thread(play)


async def test_pages_say_how_many_there_are(http: httpx.AsyncClient) -> None:
    for _ in range(3):
        await http.post("/runs/crons", json=CRON)
    first = await http.post("/runs/crons/search", json={"limit": 2})
    assert (len(first.json()), first.headers["x-pagination-total"], first.headers["x-pagination-next"]) == (2, "3", "2")
    last = await http.post("/runs/crons/search", json={"limit": 2, "offset": 2})
    assert (len(last.json()), last.headers["x-pagination-total"]) == (1, "3")
    assert "x-pagination-next" not in last.headers


async def test_what_does_not_fit_is_refused_with_a_reason(http: httpx.AsyncClient, thread_id: str) -> None:
    made = (await http.post("/runs/crons", json=CRON)).json()
    path = f"/runs/crons/{made['cron_id']}"
    bad_schedule = "Invalid cron schedule: 'bad'. Reason: Invalid cron schedule. Ensure the schedule uses the standard"
    bad_zone = "Invalid timezone: 'X/Y'. Use IANA timezone format (e.g. 'America/New_York')."
    both = {"context": {"a": 1}, "config": {"configurable": {"a": 2}}}
    for body, status, text in (
        ({"schedule": "bad"}, 422, bad_schedule),
        ({"timezone": "X/Y"}, 422, bad_zone),
        ({"schedule": 5}, 422, "does not fit"),
        ({"end_time": "soon"}, 422, "ISO 8601"),
        ({"end_time": 5}, 422, "does not fit"),
        ({"on_run_completed": "stay"}, 422, "is not one of"),
        ({"durability": "never"}, 422, "is not one of"),
        ({"stream_mode": ["nope"]}, 422, "stream_mode"),
        ({"webhook": "http://127.0.0.1/x"}, 422, "host blocked"),
        (both, 400, "configurable and context"),
    ):
        for method, place, whole in (
            ("POST", "/runs/crons", {**CRON, **body}),
            ("PATCH", path, body),
            ("POST", f"/threads/{thread_id}/runs/crons", {**CRON, **body}),
        ):
            if "on_run_completed" in body and "threads" in place:
                continue
            refused = await http.request(method, place, json=whole)
            assert refused.status_code == status, (method, whole, refused.text)
            assert text in refused.json()["detail"]
    assert (await http.get(path)).json() == made
    for body, status, text in (
        ({"schedule": YEARLY}, 422, "required"),
        ({"assistant_id": "count"}, 422, "required"),
        ({**CRON, "assistant_id": "nope"}, 422, "Invalid assistant"),
        ({**CRON, "assistant_id": MISSING}, 404, f"Assistant '{MISSING}' not found"),
    ):
        refused = await http.post("/runs/crons", json=body)
        assert (refused.status_code, text in refused.json()["detail"]) == (status, True)
    for body in ({"limit": 0}, {"sort_by": "payload"}, {"select": ["nope"]}, {"thread_id": "x"}, {"enabled": "yes"}):
        assert (await http.post("/runs/crons/search", json=body)).status_code == 422
    lost = await http.post(f"/threads/{MISSING}/runs/crons", json=CRON)
    assert (lost.status_code, lost.json()["detail"]) == (404, f"Thread with ID {MISSING} not found")


async def test_what_is_not_there_is_not_found(http: httpx.AsyncClient) -> None:
    made = (await http.post("/runs/crons", json=CRON)).json()
    path = f"/runs/crons/{made['cron_id']}"
    gone = await http.delete(path)
    assert (gone.status_code, gone.content) == (204, b"")
    for place in (path, f"/runs/crons/{MISSING}"):
        for method in ("GET", "DELETE", "PATCH"):
            lost = await http.request(method, place, json={} if method == "PATCH" else None)
            assert (lost.status_code, lost.json()) == (404, {"detail": "Not Found"})
    assert (await http.get("/runs/crons/nope")).status_code == 422
    assert (await http.get("/runs/crons/search")).status_code == 405
    assert (await http.put(path)).headers["allow"] == "DELETE, GET, PATCH"


async def test_a_cron_fires_every_second_as_its_schedule_says(serve: Serve) -> None:
    async with serve({"see": seeing()}) as served, httpx.AsyncClient(base_url=served.url, timeout=20) as http:
        body = {"assistant_id": "see", "schedule": EVERY_SECOND, "input": {}, "on_run_completed": "keep"}
        cron = (await http.post("/runs/crons", json=body)).json()
        async with asyncio.timeout(20):
            while len(done := await _finished(http)) < 2:
                await asyncio.sleep(0.05)
        assert {thread["values"]["told"]["cron_id"] for thread in done} == {cron["cron_id"]}
        assert {thread["metadata"]["graph_id"] for thread in done} == {"see"}
        first = datetime.fromisoformat(cron["next_run_date"])
        now = datetime.fromisoformat((await http.get(f"/runs/crons/{cron['cron_id']}")).json()["next_run_date"])
        assert now - first >= timedelta(seconds=2)


async def test_a_cron_on_a_thread_fires_on_it_and_can_be_followed(serve: Serve) -> None:
    async with serve({"count": counting()}) as served, httpx.AsyncClient(base_url=served.url, timeout=20) as http:
        thread_id = (await http.post("/threads", json={})).json()["thread_id"]
        body = {"assistant_id": "count", "schedule": EVERY_SECOND, "input": {}, "stream_resumable": True}
        await http.post(f"/threads/{thread_id}/runs/crons", json=body)
        async with asyncio.timeout(20):
            while not (runs := (await http.get(f"/threads/{thread_id}/runs")).json()):
                await asyncio.sleep(0.05)
        place = f"/threads/{thread_id}/runs/{runs[-1]['run_id']}"
        assert (await http.get(f"{place}/join")).json()["x"] >= 1
        stream = await http.get(f"{place}/stream", headers={"last-event-id": "-1"})
        assert stream.text.startswith("event: metadata\r\n")


async def test_crons_are_their_makers(serve: Serve) -> None:
    settings = {"static_tokens": {"tokens": {"ann": "ann-token", "bob": "bob-token"}}}
    ann, bob = ({"authorization": f"Bearer {name}-token"} for name in ("ann", "bob"))
    async with serve({"see": seeing()}, settings) as served, httpx.AsyncClient(base_url=served.url, timeout=20) as http:
        body = {"assistant_id": "see", "schedule": EVERY_SECOND, "input": {}, "on_run_completed": "keep"}
        cron = (await http.post("/runs/crons", json=body, headers=ann)).json()
        assert (cron["user_id"], cron["metadata"]) == ("ann", {"owner": "ann"})
        path = f"/runs/crons/{cron['cron_id']}"
        assert (await http.get(path, headers=bob)).status_code == 404
        assert (await http.patch(path, json={}, headers=bob)).status_code == 404
        assert (await http.delete(path, headers=bob)).status_code == 404
        assert (await http.post("/runs/crons/count", json={}, headers=bob)).json() == 0
        async with asyncio.timeout(20):
            while not (done := await _finished(http, ann)):
                await asyncio.sleep(0.05)
        assert done[0]["values"]["told"]["langgraph_auth_user_id"] == "ann"
        assert await _finished(http, bob) == []


async def _finished(http: httpx.AsyncClient, headers: dict[str, str] | None = None) -> list[dict[str, Any]]:
    """Threads that a run has ended on."""
    found = (await http.post("/threads/search", json={"status": "idle"}, headers=headers)).json()
    return [thread for thread in found if thread["values"]]
