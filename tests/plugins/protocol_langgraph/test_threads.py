"""Threads through LangGraph's own client: created, found, changed, copied, pruned; their state and history."""

from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import ConflictError, NotFoundError

pytestmark = pytest.mark.anyio


async def test_a_new_thread_is_idle_and_empty(sdk: LangGraphClient) -> None:
    thread: Any = await sdk.threads.create(metadata={"owner": "ann"})
    assert thread["metadata"] == {"owner": "ann"}
    assert (thread["status"], thread["values"], thread["config"]) == ("idle", None, {})
    assert thread["created_at"].endswith("+00:00")
    assert "error" not in thread
    assert await sdk.threads.get(thread["thread_id"]) == thread


async def test_an_id_is_taken_once(sdk: LangGraphClient, thread_id: str) -> None:
    with pytest.raises(ConflictError, match="already exists"):
        await sdk.threads.create(thread_id=thread_id)
    same = await sdk.threads.create(thread_id=thread_id.upper(), if_exists="do_nothing", metadata={"a": 1})
    assert (same["thread_id"], same["metadata"]) == (thread_id, {})


async def test_metadata_merges_and_may_be_left_out_of_the_answer(
    sdk: LangGraphClient, http: httpx.AsyncClient, thread_id: str
) -> None:
    await sdk.threads.update(thread_id, metadata={"a": 1})
    changed = await sdk.threads.update(thread_id, metadata={"b": 2})
    assert changed["metadata"] == {"a": 1, "b": 2}
    short = await http.patch(f"/threads/{thread_id}", json={"metadata": {"c": 3}}, headers={"prefer": "return=minimal"})
    assert (short.status_code, short.content) == (204, b"")
    assert (await sdk.threads.get(thread_id))["metadata"] == {"a": 1, "b": 2, "c": 3}


async def test_a_run_leaves_its_values_and_its_graph_on_the_thread(sdk: LangGraphClient, thread_id: str) -> None:
    await sdk.runs.wait(thread_id, "count", input={"x": 1})
    thread: Any = await sdk.threads.get(thread_id)
    assert (thread["values"], thread["status"], thread["error"]) == ({"x": 2}, "idle", None)
    assert (thread["interrupts"], thread["config"]) == ({}, {"configurable": {}})
    assert thread["metadata"]["graph_id"] == "count"


async def test_a_failed_run_leaves_its_error_on_the_thread(sdk: LangGraphClient, thread_id: str) -> None:
    await sdk.runs.wait(thread_id, "fail", input={}, raise_error=False)
    thread: Any = await sdk.threads.get(thread_id)
    assert (thread["status"], thread["error"]) == ("error", {"error": "ValueError", "message": "boom"})
    state = await sdk.threads.get_state(thread_id)
    assert state["next"] == ["bad"]
    assert state["tasks"][0]["error"] == "ValueError('boom')"


async def test_a_thread_can_be_made_with_a_state(sdk: LangGraphClient) -> None:
    steps = [
        {"updates": [{"values": {"topic": "tea"}, "as_node": "__start__"}]},
        {"updates": [{"values": {"log": ["by hand"]}, "as_node": "prepare"}]},
    ]
    thread = await sdk.threads.create(graph_id="ask", supersteps=steps)
    assert thread["values"] == {"topic": "tea", "log": ["by hand"]}
    assert thread["status"] == "interrupted"
    assert (await sdk.threads.get_state(thread["thread_id"]))["next"] == ["ask"]


async def test_search_finds_by_status_values_metadata_and_id(sdk: LangGraphClient) -> None:
    ids = [(await sdk.threads.create(metadata={"batch": 1, "n": n}))["thread_id"] for n in range(3)]
    await sdk.runs.wait(ids[0], "count", input={"x": 41})
    await sdk.runs.wait(ids[1], "ask", input={"topic": "tea"})

    async def found(**query: Any) -> list[str]:
        return [thread["thread_id"] for thread in await sdk.threads.search(**query)]

    assert await found(values={"x": 42}) == [ids[0]]
    assert await found(status="interrupted") == [ids[1]]
    assert await found(metadata={"n": 2}) == [ids[2]]
    assert set(await found(ids=[ids[0], ids[2]])) == {ids[0], ids[2]}
    assert await found(metadata={"batch": 1}, sort_by="created_at", sort_order="asc") == ids
    assert await found(metadata={"batch": 1}, sort_by="created_at", sort_order="desc", limit=1, offset=1) == [ids[1]]
    assert (await found(metadata={"batch": 1}))[0] == ids[1], "what changed last comes first"
    assert await sdk.threads.count(metadata={"batch": 1}) == 3
    assert await sdk.threads.count(status="interrupted") == 1
    assert await sdk.threads.count(values={"x": 42}) == 1


async def test_search_selects_fields_and_extracts_values(sdk: LangGraphClient, thread_id: str) -> None:
    await sdk.runs.wait(thread_id, "ask", input={"topic": "tea"})
    found: Any = await sdk.threads.search(
        ids=[thread_id],
        select=["thread_id", "status"],
        extract={"last": "values.log[-1]", "graph": "metadata.graph_id", "no": "values.nope[3]"},
    )
    assert found == [
        {
            "thread_id": thread_id,
            "status": "interrupted",
            "extracted": {"last": "prepared", "graph": "ask", "no": None},
        }
    ]


async def test_a_deleted_thread_is_gone(sdk: LangGraphClient, thread_id: str) -> None:
    await sdk.threads.delete(thread_id)
    with pytest.raises(NotFoundError):
        await sdk.threads.get(thread_id)
    with pytest.raises(NotFoundError):
        await sdk.threads.delete(thread_id)


async def test_pruning_counts_the_threads_that_it_removed(sdk: LangGraphClient, thread_id: str) -> None:
    unknown = "00000000-0000-0000-0000-000000000000"
    pruned: Any = await sdk.threads.prune([thread_id, unknown])
    assert pruned["pruned_count"] == 1
    with pytest.raises(NotFoundError):
        await sdk.threads.get(thread_id)


async def test_a_copy_has_the_history_and_a_life_of_its_own(sdk: LangGraphClient, thread_id: str) -> None:
    await sdk.runs.wait(thread_id, "count", input={"x": 1})
    await sdk.threads.copy(thread_id)
    (copy,) = [t for t in await sdk.threads.search() if t["thread_id"] != thread_id]
    assert copy["values"] == {"x": 2}
    assert await sdk.runs.wait(copy["thread_id"], "count", input={"x": 10}) == {"x": 11}
    assert (await sdk.threads.get_state(thread_id))["values"] == {"x": 2}
    assert len(await sdk.threads.get_history(copy["thread_id"])) == 6
    assert len(await sdk.threads.get_history(thread_id)) == 3


async def test_a_thread_without_runs_has_an_empty_state(sdk: LangGraphClient, thread_id: str) -> None:
    state: Any = await sdk.threads.get_state(thread_id)
    assert (state["values"], state["next"], state["checkpoint"]) == ({}, [], None)
    assert await sdk.threads.get_history(thread_id) == []


async def test_history_is_newest_first_and_can_be_narrowed(
    sdk: LangGraphClient, http: httpx.AsyncClient, thread_id: str
) -> None:
    await sdk.runs.wait(thread_id, "nested", input={"value": "v"})
    states = await sdk.threads.get_history(thread_id)
    assert [state["values"].get("value") for state in states] == ["v>first>inner", "v>first", "v", None]
    before = await sdk.threads.get_history(thread_id, before=states[1]["checkpoint"], limit=1)
    assert [state["checkpoint"] for state in before] == [states[2]["checkpoint"]]
    only_input = await sdk.threads.get_history(thread_id, metadata={"source": "input"})
    assert len(only_input) == 1
    assert len((await http.get(f"/threads/{thread_id}/history")).json()) == 1, "one unless asked for more"
    place = states[1]["checkpoint"]["checkpoint_id"]
    assert len((await http.get(f"/threads/{thread_id}/history?limit=9&before={place}")).json()) == 2


async def test_the_state_at_a_checkpoint_can_be_read(sdk: LangGraphClient, thread_id: str) -> None:
    await sdk.runs.wait(thread_id, "nested", input={"value": "v"})
    place = (await sdk.threads.get_history(thread_id))[1]["checkpoint"]
    by_id = await sdk.threads.get_state(thread_id, checkpoint_id=place["checkpoint_id"])
    by_place = await sdk.threads.get_state(thread_id, checkpoint=place)
    assert by_id["values"] == by_place["values"] == {"value": "v>first"}
    assert by_id["next"] == ["child"]
    assert by_id["tasks"][0]["result"] == {"value": "v>first>inner"}
    assert by_id["checkpoint"]["checkpoint_id"] == place["checkpoint_id"]


async def test_an_unknown_checkpoint_has_an_empty_state(sdk: LangGraphClient, thread_id: str) -> None:
    await sdk.runs.wait(thread_id, "count", input={"x": 1})
    unknown = "00000000-0000-0000-0000-000000000000"
    state: Any = await sdk.threads.get_state(thread_id, checkpoint_id=unknown)
    assert (state["values"], state["created_at"], state["checkpoint_id"]) == ({}, None, unknown)


async def test_a_state_is_updated_as_if_a_node_had_done_it(sdk: LangGraphClient, thread_id: str) -> None:
    await sdk.runs.wait(thread_id, "ask", input={"topic": "tea"})
    updated: Any = await sdk.threads.update_state(thread_id, {"answer": "by hand"}, as_node="ask")
    assert updated["checkpoint"]["thread_id"] == thread_id
    assert updated["checkpoint_id"] == updated["checkpoint"]["checkpoint_id"]
    state: Any = await sdk.threads.get_state(thread_id)
    assert (state["values"]["answer"], state["next"]) == ("by hand", ["finish"])
    assert state["metadata"]["source"] == "update"
    assert state["metadata"]["checkpoint_id"] == state["parent_checkpoint"]["checkpoint_id"]
    assert (await sdk.threads.get(thread_id))["values"]["answer"] == "by hand"


async def test_a_run_from_an_earlier_checkpoint_is_a_fork(sdk: LangGraphClient, thread_id: str) -> None:
    await sdk.runs.wait(thread_id, "nested", input={"value": "v"})
    place = (await sdk.threads.get_history(thread_id))[1]["checkpoint"]
    assert await sdk.runs.wait(thread_id, "nested", checkpoint=place) == {"value": "v>first>inner"}
    newest = (await sdk.threads.get_history(thread_id))[0]
    assert newest["metadata"]["checkpoint_id"] == place["checkpoint_id"]
    assert newest["metadata"]["thread_id"] == thread_id
    assert await sdk.runs.wait(thread_id, "nested", checkpoint_id=place["checkpoint_id"]) == {"value": "v>first>inner"}
    assert (
        len([s for s in await sdk.threads.get_history(thread_id, limit=50) if s["metadata"]["source"] == "fork"]) == 2
    )


async def test_the_state_of_a_subgraph_is_shown_where_it_waits(sdk: LangGraphClient, thread_id: str) -> None:
    await sdk.runs.wait(thread_id, "nested", input={"value": "v"}, interrupt_before=["child"])
    state: Any = await sdk.threads.get_state(thread_id, subgraphs=True)
    assert (state["next"], state["values"]) == (["child"], {"value": "v>first"})
    task = state["tasks"][0]
    assert task["name"] == "child"
    assert task["state"] is None or "values" in task["state"]


async def test_what_a_threads_history_takes_is_told(
    http: httpx.AsyncClient, sdk: LangGraphClient, thread_id: str
) -> None:
    empty = (await http.get(f"/threads/{thread_id}/storage")).json()
    assert empty == {
        "thread_id": thread_id,
        "total_bytes": 0,
        "checkpoints": {"count": 0, "bytes": 0},
        "channel_values": {"count": 0, "bytes": 0, "by_channel": {}},
        "pending_writes": {"count": 0, "bytes": 0},
    }
    await sdk.runs.wait(thread_id, "count", input={"x": 1})
    told = (await http.get(f"/threads/{thread_id}/storage")).json()
    assert told["checkpoints"]["count"] == 3
    assert told["channel_values"]["by_channel"]["x"]["versions"] == 2
    parts = ("checkpoints", "channel_values", "pending_writes")
    assert told["total_bytes"] == sum(told[part]["bytes"] for part in parts) > 0


async def test_a_state_can_be_read_in_parts(sdk: LangGraphClient, thread_id: str) -> None:
    await sdk.runs.wait(thread_id, "nested", input={"value": "a"})
    whole: Any = await sdk.threads.get_state(thread_id)
    found: Any = await sdk.threads.get_state(thread_id, select=["next", "created_at"])
    assert found == {"next": [], "created_at": whole["created_at"]}
    assert await sdk.threads.get_state(thread_id, select=["values.value"]) == {"values": whole["values"]}
    assert await sdk.threads.get_state(thread_id, select=["values.nothing"]) == {"values": {}}
    at: Any = await sdk.threads.get_state(thread_id, checkpoint=whole["checkpoint"], select=["values"])
    assert at == {"values": whole["values"]}
    history: Any = await sdk.threads.get_history(thread_id, limit=2, select=["next"])
    assert [set(state) for state in history] == [{"next"}, {"next"}]


async def test_a_part_that_no_state_has_is_refused(http: httpx.AsyncClient, thread_id: str) -> None:
    assert (await http.get(f"/threads/{thread_id}/state?select=zz")).status_code == 422
    assert (await http.post(f"/threads/{thread_id}/history", json={"select": ["values."]})).status_code == 422
