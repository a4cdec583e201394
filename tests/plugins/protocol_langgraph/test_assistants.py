"""Assistants through LangGraph's own client: configuration, versions, searches, what their graphs look like."""

from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import ConflictError, NotFoundError, UnprocessableEntityError

from longline.ids import graph_assistant_id

pytestmark = pytest.mark.anyio


async def test_an_assistants_configuration_reaches_its_graph(sdk: LangGraphClient) -> None:
    made = await sdk.assistants.create("see", config={"configurable": {"model_name": "m1"}}, name="Mine")
    assert made["context"] == {"model_name": "m1"}
    values: Any = await sdk.runs.wait(None, made["assistant_id"], input={})
    assert values["told"]["model_name"] == "m1"
    assert values["told"]["assistant_id"] == made["assistant_id"]


async def test_an_assistants_context_reaches_its_graph(sdk: LangGraphClient) -> None:
    made = await sdk.assistants.create("see", context={"language": "de"})
    values: Any = await sdk.runs.wait(None, made["assistant_id"], input={})
    assert values["context"] == {"language": "de"}
    values = await sdk.runs.wait(None, made["assistant_id"], input={}, context={"language": "fr"})
    assert values["context"] == {"language": "fr"}


async def test_every_change_is_a_version_and_any_can_be_made_current(sdk: LangGraphClient) -> None:
    made = await sdk.assistants.create("count", metadata={"team": "a"}, config={"configurable": {"k": 1}}, name="one")
    assistant_id = made["assistant_id"]
    changed = await sdk.assistants.update(
        assistant_id, metadata={"more": 1}, config={"configurable": {"k": 2}}, name="two"
    )
    assert (changed["version"], changed["metadata"]) == (2, {"team": "a", "more": 1})
    versions = await sdk.assistants.get_versions(assistant_id)
    assert [version["version"] for version in versions] == [2, 1]
    assert all("updated_at" not in version for version in versions)
    latest = await sdk.assistants.set_latest(assistant_id, 1)
    assert (latest["version"], latest["name"]) == (1, "one")
    assert latest["config"] == {"configurable": {"k": 1}}
    assert latest["context"] == {"k": 1}
    assert (await sdk.assistants.get(assistant_id))["version"] == 1
    third = await sdk.assistants.update(assistant_id, name="three")
    assert third["version"] == 3


async def test_an_id_is_taken_once(sdk: LangGraphClient) -> None:
    made = await sdk.assistants.create("count", name="first")
    with pytest.raises(ConflictError):
        await sdk.assistants.create("count", assistant_id=made["assistant_id"])
    same = await sdk.assistants.create("chat", assistant_id=made["assistant_id"], if_exists="do_nothing")
    assert (same["name"], same["graph_id"]) == ("first", "count")


async def test_every_graph_has_an_assistant_that_stays(sdk: LangGraphClient, http: httpx.AsyncClient) -> None:
    assistant_id = graph_assistant_id("count")
    assert (await sdk.assistants.get(assistant_id))["metadata"] == {"created_by": "system"}
    assert (await http.delete(f"/assistants/{assistant_id}")).status_code == 403
    assert (await sdk.assistants.get(assistant_id))["name"] == "count"


async def test_search_filters_orders_pages_and_selects(sdk: LangGraphClient, http: httpx.AsyncClient) -> None:
    for number in range(3):
        await sdk.assistants.create("count", name=f"Found {number}", metadata={"team": "a", "n": number})
    found = await sdk.assistants.search(metadata={"team": "a"}, sort_by="name", sort_order="asc")
    assert [assistant["name"] for assistant in found] == ["Found 0", "Found 1", "Found 2"]
    found = await sdk.assistants.search(name="FOUND", limit=1, offset=1, sort_by="name", sort_order="desc")
    assert [assistant["name"] for assistant in found] == ["Found 1"]
    selected: Any = await sdk.assistants.search(metadata={"n": 1}, select=["name", "version"])
    assert selected == [{"name": "Found 1", "version": 1}]
    assert await sdk.assistants.count(metadata={"team": "a"}) == 3
    page = await http.post("/assistants/search", json={"metadata": {"team": "a"}, "limit": 2})
    assert (page.headers["x-pagination-total"], page.headers["x-pagination-next"]) == ("3", "2")
    rest = await http.post("/assistants/search", json={"metadata": {"team": "a"}, "limit": 2, "offset": 2})
    assert rest.headers["x-pagination-total"] == "3"
    assert "x-pagination-next" not in rest.headers


async def test_a_deleted_assistant_is_gone_with_its_threads_if_asked(sdk: LangGraphClient, thread_id: str) -> None:
    made = await sdk.assistants.create("count")
    await sdk.runs.wait(thread_id, made["assistant_id"], input={"x": 1})
    await sdk.assistants.delete(made["assistant_id"], delete_threads=True)
    with pytest.raises(NotFoundError):
        await sdk.assistants.get(made["assistant_id"])
    with pytest.raises(NotFoundError):
        await sdk.threads.get(thread_id)


async def test_threads_stay_where_only_the_assistant_is_deleted(sdk: LangGraphClient, thread_id: str) -> None:
    made = await sdk.assistants.create("count")
    await sdk.runs.wait(thread_id, made["assistant_id"], input={"x": 1})
    await sdk.assistants.delete(made["assistant_id"])
    assert (await sdk.threads.get(thread_id))["values"] == {"x": 2}


async def test_a_graph_is_drawn_and_its_inside_too_if_asked(sdk: LangGraphClient) -> None:
    drawn: Any = await sdk.assistants.get_graph("nested")
    assert [node["id"] for node in drawn["nodes"]] == ["__start__", "first", "child", "__end__"]
    assert {"source": "first", "target": "child"} in drawn["edges"]
    assert drawn["nodes"][1] == {"id": "first", "type": "runnable", "data": {"name": "first"}}
    inside: Any = await sdk.assistants.get_graph(graph_assistant_id("nested"), xray=True)
    assert "child:inner" in [node["id"] for node in inside["nodes"]] or len(inside["nodes"]) == len(drawn["nodes"])


async def test_a_graphs_schemas_are_told(sdk: LangGraphClient) -> None:
    told: Any = await sdk.assistants.get_schemas(graph_assistant_id("see"))
    assert told["graph_id"] == "see"
    assert set(told["input_schema"]["properties"]) == {"told", "context"}
    assert told["state_schema"]["title"] == "see_state"
    assert told["state_schema"]["properties"]["context"]["default"] is None
    assert told["context_schema"]["properties"] == {"language": {"title": "Language", "type": "string"}}
    assert told["config_schema"] == told["context_schema"]
    without: Any = await sdk.assistants.get_schemas(graph_assistant_id("count"))
    assert (without["config_schema"], without["context_schema"]) == ({}, None)


async def test_the_schemas_of_a_chat_name_its_messages(sdk: LangGraphClient) -> None:
    told: Any = await sdk.assistants.get_schemas(graph_assistant_id("chat"))
    for schema in ("input_schema", "output_schema", "state_schema"):
        assert "messages" in told[schema]["properties"]


async def test_subgraphs_are_listed_by_namespace(sdk: LangGraphClient) -> None:
    assistant_id = graph_assistant_id("nested")
    found: Any = await sdk.assistants.get_subgraphs(assistant_id)
    assert set(found) == {"child"}
    assert set(found["child"]["output_schema"]["properties"]) == {"value"}
    assert set(await sdk.assistants.get_subgraphs(assistant_id, namespace="child", recurse=True)) == {"child"}
    assert await sdk.assistants.get_subgraphs(assistant_id, namespace="nope") == {}


async def test_only_the_drawing_takes_a_graphs_id_for_an_assistants(sdk: LangGraphClient) -> None:
    for call in (sdk.assistants.get, sdk.assistants.get_schemas, sdk.assistants.get_subgraphs):
        with pytest.raises(UnprocessableEntityError, match="Invalid assistant ID"):
            await call("chat")
