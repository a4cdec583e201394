"""How long threads stay, over HTTP, and what a sweep of a served server takes away."""

import asyncio
from datetime import datetime, timedelta

import httpx
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import ConflictError
from tests.plugins.protocol_langgraph.conftest import Serve
from tests.plugins.protocol_langgraph.graphs import asking, counting
from tests.plugins.protocol_langgraph.served import Served

SHORT = {
    "threads": {"ttl": {"default_ttl": 0.0005, "sweep_interval_minutes": 0.001}},
    "items": {"ttl": {"default_ttl": 0.0005, "refresh_on_read": False, "sweep_interval_minutes": 0.001}},
}


async def ttl_of(http: httpx.AsyncClient, thread_id: str) -> dict[str, object] | None:
    return (await http.get(f"/threads/{thread_id}", params={"include": "ttl"})).json().get("ttl")


@pytest.mark.anyio
async def test_a_thread_says_how_long_it_stays_where_that_is_asked(
    sdk: LangGraphClient, http: httpx.AsyncClient
) -> None:
    thread = await sdk.threads.create(ttl={"ttl": 60, "strategy": "keep_latest"})
    thread_id = thread["thread_id"]
    assert "ttl" not in thread
    assert "ttl" not in await sdk.threads.get(thread_id)
    shown = await sdk.threads.get(thread_id, include=["ttl"])
    ends = datetime.fromisoformat(shown["updated_at"]) + timedelta(minutes=60)
    assert shown["ttl"] == {
        "strategy": "keep_latest", "ttl_minutes": 60, "expires_at": ends.isoformat(timespec="microseconds"),
    }  # fmt: skip
    await sdk.threads.update(thread_id, metadata={"a": 1}, ttl=5)
    changed = await ttl_of(http, thread_id)
    assert (changed["strategy"], changed["ttl_minutes"]) == ("delete", 5)
    await sdk.threads.update(thread_id, metadata={"a": 2})
    assert (await ttl_of(http, thread_id))["ttl_minutes"] == 5
    assert await ttl_of(http, (await sdk.threads.create())["thread_id"]) is None


@pytest.mark.anyio
async def test_new_threads_stay_as_long_as_the_settings_say(serve: Serve) -> None:
    configured = {"threads": {"ttl": {"strategy": "keep_latest", "default_ttl": 7}}}
    async with serve({"count": counting()}, configured) as served, httpx.AsyncClient(base_url=served.url) as http:
        created = (await http.post("/threads", json={})).json()["thread_id"]
        by_run = "01234567-89ab-4def-8123-456789abcdef"
        run = {"assistant_id": "count", "input": {"x": 1}, "if_not_exists": "create"}
        await http.post(f"/threads/{by_run}/runs/wait", json=run)
        for thread_id in (created, by_run):
            found = await ttl_of(http, thread_id)
            assert (found["strategy"], found["ttl_minutes"]) == ("keep_latest", 7)
        own = (await http.post("/threads", json={"ttl": {"ttl": 1}})).json()["thread_id"]
        assert (await ttl_of(http, own))["ttl_minutes"] == 1


@pytest.mark.anyio
@pytest.mark.parametrize("ttl", [5, {"ttl": -1}, {"ttl": 1e300}, {"ttl": "5"}, {"ttl": 5, "strategy": "burn"}])
async def test_a_time_that_does_not_fit_is_refused(http: httpx.AsyncClient, ttl: object) -> None:
    assert (await http.post("/threads", json={"ttl": ttl})).status_code == 422


@pytest.mark.anyio
async def test_pruning_keeps_the_latest_state_and_passes_over_the_busy_and_the_unknown(
    sdk: LangGraphClient,
) -> None:
    idle = (await sdk.threads.create())["thread_id"]
    for number in range(3):
        await sdk.runs.wait(idle, "count", input={"x": number})
    before = await sdk.threads.get_state(idle)
    busy = (await sdk.threads.create())["thread_id"]
    await sdk.runs.create(busy, "count", input={}, after_seconds=1000)
    unknown = "01234567-89ab-4def-8123-456789abcdef"
    pruned = await sdk.threads.prune([idle, idle, busy, unknown], strategy="keep_latest")
    assert pruned == {"pruned_count": 1}
    assert [state["checkpoint_id"] for state in await sdk.threads.get_history(idle)] == [before["checkpoint_id"]]
    assert (await sdk.threads.get_state(idle))["values"] == before["values"]
    assert (await sdk.runs.wait(idle, "count", input={"x": 9}))["x"] == 10
    assert await sdk.threads.prune([idle, unknown]) == {"pruned_count": 1}


@pytest.mark.anyio
async def test_an_interrupted_thread_goes_on_after_it_was_pruned(sdk: LangGraphClient) -> None:
    thread_id = (await sdk.threads.create())["thread_id"]
    await sdk.runs.wait(thread_id, "ask", input={"topic": "tea"})
    assert await sdk.threads.prune([thread_id], strategy="keep_latest") == {"pruned_count": 1}
    result = await sdk.runs.wait(thread_id, "ask", command={"resume": "yes"})
    assert (result["answer"], result["log"]) == ("yes", ["prepared", "asked", "finished"])


@pytest.mark.anyio
async def test_a_served_server_sweeps_while_it_is_used(serve: Serve) -> None:
    async with (
        asyncio.timeout(60),
        serve({"ask": asking()}, SHORT) as served,
        get_client(url=served.url, api_key=None) as sdk,
    ):
        thread_id = (await sdk.threads.create())["thread_id"]
        await sdk.runs.wait(thread_id, "ask", input={"topic": "tea"})
        await sdk.store.put_item(["n"], "k", {"x": 1})
        kept = (await sdk.threads.create(ttl=1000))["thread_id"]
        while thread_id in [thread["thread_id"] for thread in await sdk.threads.search()]:
            await asyncio.sleep(0.02)
        while await sdk.store.get_item(["n"], "k") is not None:
            await asyncio.sleep(0.02)
        assert [thread["thread_id"] for thread in await sdk.threads.search()] == [kept]


@pytest.mark.anyio
@pytest.mark.parametrize(("method", "path"), [("GET", "stream"), ("POST", "stream/events")])
async def test_who_follows_a_thread_is_told_that_its_time_is_up(serve: Serve, method: str, path: str) -> None:
    body = {"channels": ["values"]} if method == "POST" else None
    sweeping = {"threads": {"ttl": {"sweep_interval_minutes": 0.001}}}
    async with (
        asyncio.timeout(30),
        serve({"count": counting()}, sweeping) as served,
        httpx.AsyncClient(base_url=served.url, timeout=20) as http,
    ):
        thread_id = (await http.post("/threads", json={})).json()["thread_id"]
        async with http.stream(method, f"/threads/{thread_id}/{path}", json=body) as response:
            assert response.status_code == 200
            changed = await http.patch(f"/threads/{thread_id}", json={"ttl": {"ttl": 0.0001}})
            assert changed.status_code == 200, changed.text
            assert [line async for line in response.aiter_lines() if line and line[0] != ":"] == []
        assert (await http.get(f"/threads/{thread_id}")).status_code == 404


@pytest.mark.anyio
async def test_a_state_update_that_is_refused_leaves_no_checkpoint(
    served: Served, sdk: LangGraphClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread_id = (await sdk.threads.create())["thread_id"]
    await sdk.runs.wait(thread_id, "count", input={"x": 1})
    before = await sdk.threads.get_history(thread_id)
    runner = served.server.threads._runner
    state_writes = runner.state_writes

    async def and_then_a_run_comes(of: str) -> object:
        await sdk.runs.create(of, "count", input={}, after_seconds=1000)
        return await state_writes(of)

    monkeypatch.setattr(runner, "state_writes", and_then_a_run_comes)
    with pytest.raises(ConflictError):
        await sdk.threads.update_state(thread_id, {"x": 5})
    ours = [state for state in await sdk.threads.get_history(thread_id) if state["metadata"]["source"] == "update"]
    assert (len(before), ours) == (3, [])


@pytest.mark.anyio
async def test_a_run_that_comes_right_after_a_state_update_does_not_undo_it(
    served: Served, sdk: LangGraphClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread_id = (await sdk.threads.create())["thread_id"]
    await sdk.runs.wait(thread_id, "count", input={"x": 1})
    remember = served.server.threads._remember

    async def after_a_run(graph: object, of: str) -> None:
        await sdk.runs.create(of, "count", input={}, after_seconds=1000)
        await remember(graph, of)

    monkeypatch.setattr(served.server.threads, "_remember", after_a_run)
    updated = await sdk.threads.update_state(thread_id, {"x": 5})
    assert updated["checkpoint"]["checkpoint_id"]
    assert 5 in [state["values"].get("x") for state in await sdk.threads.get_history(thread_id)]
