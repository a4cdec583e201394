"""`client.threads` of the Python SDK, against a server."""

from uuid import uuid4

import pytest
from langgraph_sdk.errors import ConflictError, NotFoundError

from tests.clients.sdk import Sdk, calls

pytestmark = pytest.mark.anyio

UNKNOWN = str(uuid4())


async def counted(sdk: Sdk, x: int = 0, **thread: object) -> str:
    """A thread on which a run has counted once."""
    thread_id = (await sdk("threads.create", **thread))["thread_id"]
    assert await sdk("runs.wait", thread_id, "count", input={"x": x}) == {"x": x + 1}
    return thread_id


@calls("threads.create", "threads.get", "threads.update", "threads.delete")
async def test_a_thread_is_created_read_changed_and_deleted(sdk: Sdk) -> None:
    made = await sdk("threads.create", metadata={"a": 1})
    thread_id = made["thread_id"]
    assert (made["status"], made["values"], made["metadata"]) == ("idle", None, {"a": 1})
    assert (await sdk("threads.get", thread_id))["thread_id"] == thread_id
    changed = await sdk("threads.update", thread_id, metadata={"b": 2})
    assert changed["metadata"] == {"a": 1, "b": 2}
    assert await sdk("threads.update", thread_id, metadata={"c": 3}, return_minimal=True) is None
    assert (await sdk("threads.get", thread_id))["metadata"] == {"a": 1, "b": 2, "c": 3}
    assert await sdk("threads.delete", thread_id) is None
    with pytest.raises(NotFoundError):
        await sdk("threads.get", thread_id)
    with pytest.raises(NotFoundError):
        await sdk("threads.update", thread_id, metadata={})


async def test_an_id_that_is_taken_is_a_conflict_unless_nothing_is_to_be_done(sdk: Sdk) -> None:
    taken = str(uuid4())
    first = await sdk("threads.create", thread_id=taken, metadata={"n": 1})
    assert first["thread_id"] == taken
    with pytest.raises(ConflictError):
        await sdk("threads.create", thread_id=taken)
    again = await sdk("threads.create", thread_id=taken, metadata={"n": 2}, if_exists="do_nothing")
    assert again["metadata"] == {"n": 1}


async def test_a_thread_can_begin_with_steps_of_another(sdk: Sdk) -> None:
    thread = await sdk(
        "threads.create",
        graph_id="ask",
        supersteps=[
            {"updates": [{"values": {"topic": "tea", "log": ["told"]}, "as_node": "__start__"}]},
            {"updates": [{"values": {"log": ["prepared elsewhere"]}, "as_node": "prepare"}]},
        ],
    )
    state = await sdk("threads.get_state", thread["thread_id"])
    assert state["values"] == {"topic": "tea", "log": ["told", "prepared elsewhere"]}
    assert state["next"] == ["ask"]


async def test_a_time_to_live_is_taken_and_shown_when_asked_for(sdk: Sdk) -> None:
    thread = await sdk("threads.create", ttl=30)
    shown = await sdk("threads.get", thread["thread_id"], include=["ttl"])
    assert shown["ttl"]["ttl_minutes"] == 30
    assert shown["ttl"]["strategy"] == "delete"
    await sdk("threads.update", thread["thread_id"], metadata={}, ttl={"ttl": 60, "strategy": "delete"})
    assert (await sdk("threads.get", thread["thread_id"], include=["ttl"]))["ttl"]["ttl_minutes"] == 60
    assert "ttl" not in await sdk("threads.get", thread["thread_id"])


@calls("threads.search", "threads.count")
async def test_threads_are_found_by_what_they_hold(sdk: Sdk) -> None:
    mark = {"mark": str(uuid4())}
    ids = [await counted(sdk, x, metadata={**mark, "n": x}) for x in (10, 20, 30)]
    empty = (await sdk("threads.create", metadata=mark))["thread_id"]

    async def found(**query: object) -> list[str]:
        return [thread["thread_id"] for thread in await sdk("threads.search", metadata=mark, **query)]

    assert await found(sort_by="created_at", sort_order="asc") == [*ids, empty]
    assert await found(limit=2, offset=1, sort_by="created_at", sort_order="asc") == ids[1:]
    assert await found(values={"x": 21}) == [ids[1]]
    assert await found(ids=[ids[2], UNKNOWN]) == [ids[2]]
    assert await found(status="interrupted") == []
    selected = await sdk("threads.search", ids=[ids[0]], select=["thread_id", "values"], extract={"n": "metadata.n"})
    assert selected == [{"thread_id": ids[0], "values": {"x": 11}, "extracted": {"n": 10}}]
    assert await sdk("threads.count", metadata=mark) == 4
    assert await sdk("threads.count", metadata=mark, values={"x": 31}) == 1
    assert await sdk("threads.count", metadata=mark, status="busy") == 0


@calls("threads.copy", "threads.prune")
async def test_a_thread_is_copied_with_its_state_and_pruned_by_id(sdk: Sdk) -> None:
    mark = {"mark": str(uuid4())}
    thread_id = await counted(sdk, 1, metadata=mark)
    await sdk("threads.copy", thread_id)
    (copy,) = [t for t in await sdk("threads.search", metadata=mark) if t["thread_id"] != thread_id]
    assert (await sdk("threads.get_state", copy["thread_id"]))["values"] == {"x": 2}
    pruned = await sdk("threads.prune", [thread_id, UNKNOWN])
    assert pruned["pruned_count"] == 1
    with pytest.raises(NotFoundError):
        await sdk("threads.get", thread_id)
    assert (await sdk("threads.get_state", copy["thread_id"]))["values"] == {"x": 2}


async def test_pruning_may_keep_the_latest_state(sdk: Sdk) -> None:
    thread_id = await counted(sdk, 1)
    await sdk("threads.prune", [thread_id], strategy="keep_latest")
    assert len(await sdk("threads.get_history", thread_id)) == 1
    assert (await sdk("threads.get_state", thread_id))["values"] == {"x": 2}


@calls("threads.get_state", "threads.update_state", "threads.get_history")
async def test_the_state_is_read_changed_and_looked_up_in_the_past(sdk: Sdk) -> None:
    thread_id = await counted(sdk, 1)
    latest = await sdk("threads.get_state", thread_id)
    assert (latest["values"], latest["next"]) == ({"x": 2}, [])
    told = await sdk("threads.update_state", thread_id, {"x": 40}, as_node="add")
    assert (await sdk("threads.get_state", thread_id))["values"] == {"x": 40}
    assert (await sdk("threads.get_state", thread_id, checkpoint=told["checkpoint"]))["values"] == {"x": 40}
    before = await sdk("threads.get_state", thread_id, checkpoint_id=latest["checkpoint"]["checkpoint_id"])
    assert before["values"] == {"x": 2}
    fork = await sdk("threads.update_state", thread_id, {"x": 7}, as_node="add", checkpoint=latest["checkpoint"])
    forked = await sdk("threads.get_state", thread_id, checkpoint=fork["checkpoint"])
    assert forked["parent_checkpoint"]["checkpoint_id"] == latest["checkpoint"]["checkpoint_id"]

    history = await sdk("threads.get_history", thread_id)
    assert [state["values"].get("x") for state in history] == [7, 40, 2, 1, None]
    assert len(await sdk("threads.get_history", thread_id, limit=2)) == 2
    older = await sdk("threads.get_history", thread_id, before=latest["checkpoint"])
    assert [state["values"].get("x") for state in older] == [1, None]
    updates = await sdk("threads.get_history", thread_id, metadata={"source": "update"})
    assert [state["values"]["x"] for state in updates] == [7, 40]


async def test_a_state_shows_the_subgraph_that_waits_in_it(sdk: Sdk) -> None:
    thread_id = (await sdk("threads.create"))["thread_id"]
    await sdk("runs.wait", thread_id, "nested", input={"value": "ask"})
    (task,) = (await sdk("threads.get_state", thread_id, subgraphs=True))["tasks"]
    assert task["name"] == "child"
    assert task["state"]["next"] == ["inner"]
    assert task["state"]["values"] == {"value": "ask>first"}
    selected = await sdk("threads.get_state", thread_id, select=["values", "next"])
    assert (selected["values"], selected["next"]) == ({"value": "ask>first"}, ["child"])


async def test_the_state_of_an_unknown_thread_is_not_found(sdk: Sdk) -> None:
    with pytest.raises(NotFoundError):
        await sdk("threads.get_state", UNKNOWN)
    with pytest.raises(NotFoundError):
        await sdk("threads.update_state", UNKNOWN, {"x": 1})
