"""Runs through LangGraph's own client: in the background, waited for, listed, cancelled, deleted."""

import asyncio
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import NotFoundError
from tests.races.graphs import Gate

pytestmark = pytest.mark.anyio


async def test_a_run_goes_on_in_the_background_until_it_is_joined(sdk: LangGraphClient, thread_id: str) -> None:
    run: Any = await sdk.runs.create(thread_id, "count", input={"x": 1}, metadata={"m": 1})
    assert (run["status"], run["multitask_strategy"], run["metadata"]["m"]) == ("pending", "enqueue", 1)
    assert await sdk.runs.join(thread_id, run["run_id"]) == {"x": 2}
    done: Any = await sdk.runs.get(thread_id, run["run_id"])
    assert done["status"] == "success"
    kwargs = done["kwargs"]
    assert (kwargs["input"], kwargs["stream_mode"], kwargs["durability"]) == ({"x": 1}, ["values"], "async")
    assert (kwargs["temporary"], kwargs["context"], kwargs["checkpoint_during"]) == (False, {}, True)
    assert kwargs["config"]["configurable"]["run_id"] == run["run_id"]
    assert kwargs["config"]["metadata"]["run_attempt"] == 1


async def test_a_client_is_told_where_its_run_is(sdk: LangGraphClient, thread_id: str) -> None:
    told: list[Any] = []
    run = await sdk.runs.create(thread_id, "count", input={"x": 1}, on_run_created=told.append)
    await sdk.runs.wait(thread_id, "count", input={"x": 1}, on_run_created=told.append)
    async for _ in sdk.runs.stream(thread_id, "count", input={"x": 1}, on_run_created=told.append):
        pass
    assert [place["thread_id"] for place in told] == [thread_id] * 3
    assert told[0]["run_id"] == run["run_id"]
    assert len({place["run_id"] for place in told}) == 3


async def test_every_call_says_where_its_run_is_found_and_followed(http: httpx.AsyncClient, thread_id: str) -> None:
    body = {"assistant_id": "count", "input": {"x": 1}}

    async def places(path: str) -> tuple[str, str | None, str]:
        answer = await http.post(path, json=body)
        assert answer.status_code == 200
        run_path = answer.headers["content-location"]
        return run_path, answer.headers.get("location"), run_path.rpartition("/")[2]

    run_path, location, run_id = await places(f"/threads/{thread_id}/runs")
    assert (run_path, location) == (f"/threads/{thread_id}/runs/{run_id}", None)
    run_path, location, run_id = await places(f"/threads/{thread_id}/runs/stream")
    assert (run_path, location) == (f"/threads/{thread_id}/runs/{run_id}", f"{run_path}/stream")
    run_path, location, run_id = await places(f"/threads/{thread_id}/runs/wait")
    assert (run_path, location) == (f"/threads/{thread_id}/runs/{run_id}", f"{run_path}/join")
    joined = await http.get(f"{run_path}/join")
    assert (joined.headers["content-location"], joined.headers["location"]) == (run_path, f"{run_path}/join")
    run_path, location, run_id = await places("/runs")
    assert (run_path, location) == (f"/runs/{run_id}", None)
    run_path, location, run_id = await places("/runs/stream")
    assert (run_path, location) == (f"/runs/{run_id}", f"{run_path}/stream")
    run_path, location, run_id = await places("/runs/wait")
    assert run_path.startswith("/threads/")
    assert location == f"{run_path}/join"


async def test_a_failure_is_told_in_the_body(http: httpx.AsyncClient, sdk: LangGraphClient, thread_id: str) -> None:
    failure = {"__error__": {"error": "ValueError", "message": "boom"}}
    answer = await http.post(f"/threads/{thread_id}/runs/wait", json={"assistant_id": "fail", "input": {}})
    assert (answer.status_code, answer.json()) == (200, failure)
    (run,) = await sdk.runs.list(thread_id)
    assert run["status"] == "error"
    assert (await http.get(f"/threads/{thread_id}/runs/{run['run_id']}/join")).json() == failure
    assert (await http.post("/runs/wait", json={"assistant_id": "fail", "input": {}})).json() == failure
    with pytest.raises(Exception, match="boom"):
        await sdk.runs.wait(thread_id, "fail", input={})


async def test_a_first_run_without_input_is_told_so_in_the_body(http: httpx.AsyncClient, thread_id: str) -> None:
    answer = await http.post(f"/threads/{thread_id}/runs/wait", json={"assistant_id": "count"})
    assert answer.json()["__error__"]["error"] == "EmptyInputError"


async def test_runs_are_listed_newest_first_and_selected(sdk: LangGraphClient, thread_id: str) -> None:
    ids = []
    for number in range(3):
        run = await sdk.runs.create(thread_id, "count", input={"x": number})
        await sdk.runs.join(thread_id, run["run_id"])
        ids.append(run["run_id"])
    assert [run["run_id"] for run in await sdk.runs.list(thread_id)] == ids[::-1]
    assert [run["run_id"] for run in await sdk.runs.list(thread_id, limit=1, offset=1)] == [ids[1]]
    assert await sdk.runs.list(thread_id, status="pending") == []
    assert await sdk.runs.list(thread_id, select=["status"], limit=1) == [{"status": "success"}]


async def test_a_status_that_no_run_has_finds_none(
    http: httpx.AsyncClient, sdk: LangGraphClient, thread_id: str
) -> None:
    await sdk.runs.wait(thread_id, "count", input={"x": 1})
    assert (await http.get(f"/threads/{thread_id}/runs?status=zzz")).json() == []
    assert (await http.get(f"/threads/{thread_id}/runs?limit=0")).json() == []


async def test_a_missing_thread_is_made_only_if_asked(sdk: LangGraphClient) -> None:
    thread_id = "6f1f0f6e-1111-4222-8333-444455556666"
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        await sdk.runs.wait(thread_id, "count", input={"x": 1})
    assert await sdk.runs.wait(thread_id, "count", input={"x": 1}, if_not_exists="create") == {"x": 2}
    assert (await sdk.threads.get(thread_id))["values"] == {"x": 2}


async def test_a_delayed_run_waits_for_its_time(sdk: LangGraphClient, thread_id: str) -> None:
    run: Any = await sdk.runs.create(thread_id, "count", input={"x": 1}, after_seconds=1)
    thread = await sdk.threads.get(thread_id)
    assert (run["status"], thread["status"]) == ("pending", "busy")
    assert run["created_at"] > thread["created_at"]
    assert await sdk.runs.join(thread_id, run["run_id"]) == {"x": 2}


async def test_an_interrupted_run_keeps_its_last_checkpoint(sdk: LangGraphClient, thread_id: str, gate: Gate) -> None:
    run = await sdk.runs.create(thread_id, "gated", input={"name": "a"})
    async with asyncio.timeout(10):
        await gate.reached.wait()
    await sdk.runs.cancel(thread_id, run["run_id"], wait=True)
    assert (await sdk.runs.get(thread_id, run["run_id"]))["status"] == "interrupted"
    thread: Any = await sdk.threads.get(thread_id)
    assert (thread["status"], thread["values"]) == ("interrupted", {"steps": ["before"], "name": "a"})
    assert thread["error"]["error"] == "UserInterrupt"
    assert thread["error"]["message"] == "interrupt requested via POST /threads/{thread_id}/runs/{run_id}/cancel"
    with pytest.raises(NotFoundError, match="No matching runs to cancel"):
        await sdk.runs.cancel(thread_id, run["run_id"])


async def test_a_run_that_is_rolled_back_leaves_nothing(sdk: LangGraphClient, thread_id: str, gate: Gate) -> None:
    run = await sdk.runs.create(thread_id, "gated", input={"name": "a"})
    async with asyncio.timeout(10):
        await gate.reached.wait()
    await sdk.runs.cancel(thread_id, run["run_id"], wait=True, action="rollback")
    with pytest.raises(NotFoundError):
        await sdk.runs.get(thread_id, run["run_id"])
    thread: Any = await sdk.threads.get(thread_id)
    assert (thread["status"], thread["values"]) == ("idle", None)
    assert await sdk.threads.get_history(thread_id) == []
    with pytest.raises(NotFoundError, match="No runs found to cancel"):
        await sdk.runs.cancel(thread_id, run["run_id"])


async def test_a_stream_closes_silently_when_its_run_is_cancelled(
    sdk: LangGraphClient, thread_id: str, gate: Gate
) -> None:
    events: list[str] = []

    async def follow() -> None:
        stream = sdk.runs.stream(thread_id, "gated", input={}, stream_mode="updates")
        events.extend([part.event async for part in stream])

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(follow())
        await gate.reached.wait()
        (run,) = await sdk.runs.list(thread_id)
        await sdk.runs.cancel(thread_id, run["run_id"])
    assert events == ["metadata", "updates"]


async def test_many_runs_are_cancelled_by_id_and_by_status(
    sdk: LangGraphClient, http: httpx.AsyncClient, thread_id: str, gate: Gate
) -> None:
    first = await sdk.runs.create(thread_id, "gated", input={})
    second = await sdk.runs.create(thread_id, "count", input={"x": 1})
    async with asyncio.timeout(10):
        await gate.reached.wait()
    await sdk.runs.cancel_many(thread_id=thread_id, run_ids=[second["run_id"]])
    assert (await sdk.runs.get(thread_id, second["run_id"]))["status"] == "interrupted"
    await sdk.runs.cancel_many(status="running")
    await sdk.runs.join(thread_id, first["run_id"])
    assert (await sdk.runs.get(thread_id, first["run_id"]))["status"] == "interrupted"
    assert (await http.post("/runs/cancel", json={"status": "all"})).status_code == 404
    assert (await http.post("/runs/cancel", json={})).status_code == 422


async def test_a_deleted_run_is_gone_even_while_it_runs(sdk: LangGraphClient, thread_id: str, gate: Gate) -> None:
    run = await sdk.runs.create(thread_id, "gated", input={})
    async with asyncio.timeout(10):
        await gate.reached.wait()
    await sdk.runs.delete(thread_id, run["run_id"])
    with pytest.raises(NotFoundError):
        await sdk.runs.get(thread_id, run["run_id"])
    with pytest.raises(NotFoundError, match="Run not found"):
        await sdk.runs.delete(thread_id, run["run_id"])


async def test_a_thread_is_deleted_under_its_running_run(sdk: LangGraphClient, thread_id: str, gate: Gate) -> None:
    waiting = asyncio.create_task(sdk.runs.wait(thread_id, "gated", input={}))
    async with asyncio.timeout(10):
        await gate.reached.wait()
        await sdk.threads.delete(thread_id)
        assert await waiting is None
    assert await sdk.runs.wait(None, "count", input={"x": 1}) == {"x": 2}


async def test_stateless_runs_leave_no_thread_unless_it_is_kept(sdk: LangGraphClient, http: httpx.AsyncClient) -> None:
    assert await sdk.runs.wait(None, "count", input={"x": 1}) == {"x": 2}
    assert await sdk.threads.count() == 0
    assert await sdk.runs.wait(None, "count", input={"x": 5}, on_completion="keep") == {"x": 6}
    (thread,) = await sdk.threads.search()
    assert thread["values"] == {"x": 6}
    batch: Any = await sdk.runs.create_batch(
        [{"assistant_id": "count", "input": {"x": n}, "on_completion": "keep"} for n in (1, 2)]
    )
    assert [run["status"] for run in batch] == ["pending", "pending"]
    results = [(await http.get(f"/threads/{run['thread_id']}/runs/{run['run_id']}/join")).json() for run in batch]
    assert results == [{"x": 2}, {"x": 3}]


async def test_a_stateless_run_is_found_where_its_headers_say(http: httpx.AsyncClient, gate: Gate) -> None:
    made = await http.post("/runs", json={"assistant_id": "gated", "input": {}, "stream_resumable": True})
    place = made.headers["content-location"]
    async with asyncio.timeout(10):
        await gate.reached.wait()
    assert (await http.get(place)).json()["status"] == "running"
    lines: list[str] = []
    async with http.stream("GET", f"{place}/stream", headers={"Last-Event-ID": "-1"}) as stream:
        async for line in stream.aiter_lines():
            gate.opened.set()
            lines.append(line)
    assert [line for line in lines if line.startswith("event:")] == ["event: metadata", *["event: values"] * 3]
    for path in (place, f"{place}/stream", f"{place}/join"):
        assert (await http.get(path)).status_code == 404


async def test_a_kept_stateless_run_is_joined_by_its_id(http: httpx.AsyncClient) -> None:
    made = await http.post("/runs", json={"assistant_id": "count", "input": {"x": 1}, "on_completion": "keep"})
    assert (await http.get(f"{made.headers['content-location']}/join")).json() == {"x": 2}
