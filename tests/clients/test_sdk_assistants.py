"""`client.assistants` of the Python SDK, against a server."""

from uuid import uuid4

import pytest
from langgraph_sdk.errors import ConflictError, NotFoundError

from tests.clients.sdk import Sdk, calls

pytestmark = pytest.mark.anyio


@calls("assistants.create", "assistants.get", "assistants.delete")
async def test_an_assistant_is_created_read_and_deleted(sdk: Sdk) -> None:
    made = await sdk(
        "assistants.create",
        "tell",
        context={"language": "fr"},
        metadata={"team": "north"},
        name="Reader",
        description="reads",
    )
    assert made["graph_id"] == "tell"
    assert made["version"] == 1
    assert made["name"] == "Reader"
    assert made["description"] == "reads"
    assert made["context"] == {"language": "fr"}
    assert made["metadata"] == {"team": "north"}
    assert await sdk("assistants.get", made["assistant_id"]) == made
    assert await sdk("assistants.delete", made["assistant_id"]) is None
    with pytest.raises(NotFoundError):
        await sdk("assistants.get", made["assistant_id"])


async def test_an_id_that_is_taken_is_a_conflict_unless_nothing_is_to_be_done(sdk: Sdk) -> None:
    taken = str(uuid4())
    first = await sdk("assistants.create", "tell", assistant_id=taken, name="first")
    with pytest.raises(ConflictError):
        await sdk("assistants.create", "tell", assistant_id=taken, name="second")
    again = await sdk("assistants.create", "tell", assistant_id=taken, name="second", if_exists="do_nothing")
    assert again == first


async def test_an_unknown_graph_is_not_found(sdk: Sdk) -> None:
    with pytest.raises(NotFoundError):
        await sdk("assistants.create", "nothing-of-that-name")


async def test_a_deleted_assistant_takes_its_threads_along_if_asked_to(sdk: Sdk) -> None:
    assistant = await sdk("assistants.create", "count")
    thread = await sdk("threads.create")
    await sdk("runs.wait", thread["thread_id"], assistant["assistant_id"], input={"x": 1})
    await sdk("assistants.delete", assistant["assistant_id"], delete_threads=True)
    with pytest.raises(NotFoundError):
        await sdk("threads.get", thread["thread_id"])


@calls("assistants.update", "assistants.get_versions", "assistants.set_latest")
async def test_versions_are_kept_and_one_of_them_is_made_current(sdk: Sdk) -> None:
    made = await sdk("assistants.create", "tell", config={"tags": ["one"]}, metadata={"a": 1}, name="first")
    assistant_id = made["assistant_id"]
    changed = await sdk(
        "assistants.update", assistant_id, config={"tags": ["two"]}, metadata={"b": 2}, name="second", description="now"
    )
    assert (changed["version"], changed["name"], changed["description"]) == (2, "second", "now")
    assert changed["metadata"] == {"a": 1, "b": 2}
    assert changed["config"] == {"tags": ["two"]}
    versions = await sdk("assistants.get_versions", assistant_id)
    assert [version["version"] for version in versions] == [2, 1]
    assert [v["version"] for v in await sdk("assistants.get_versions", assistant_id, limit=1, offset=1)] == [1]
    back = await sdk("assistants.set_latest", assistant_id, 1)
    assert (back["version"], back["name"], back["config"]) == (1, "first", {"tags": ["one"]})
    assert (await sdk("assistants.get", assistant_id))["version"] == 1
    with pytest.raises(NotFoundError):
        await sdk("assistants.set_latest", assistant_id, 99)


@calls("assistants.search", "assistants.count")
async def test_assistants_are_found_sorted_and_cut_to_what_is_selected(sdk: Sdk) -> None:
    mark = {"mark": str(uuid4())}
    for name in ("Beta", "Alpha", "Gamma"):
        await sdk("assistants.create", "count", name=name, metadata=mark)
    found = await sdk("assistants.search", metadata=mark, sort_by="name", sort_order="asc")
    assert [assistant["name"] for assistant in found] == ["Alpha", "Beta", "Gamma"]
    assert [a["name"] for a in await sdk("assistants.search", metadata=mark, name="gam")] == ["Gamma"]
    assert await sdk("assistants.search", metadata=mark, graph_id="tell") == []
    names = await sdk("assistants.search", metadata=mark, select=["name"], limit=1, sort_by="name", sort_order="desc")
    assert names == [{"name": "Gamma"}]
    page = await sdk("assistants.search", metadata=mark, limit=2, response_format="object")
    assert (len(page["assistants"]), page["next"]) == (2, "2")
    rest = await sdk("assistants.search", metadata=mark, limit=2, offset=2, response_format="object")
    assert (len(rest["assistants"]), rest["next"]) == (1, None)
    assert await sdk("assistants.count", metadata=mark) == 3
    assert await sdk("assistants.count", metadata=mark, name="alpha") == 1
    assert await sdk("assistants.count", metadata=mark, graph_id="tell") == 0


@calls("assistants.get_graph", "assistants.get_schemas", "assistants.get_subgraphs")
async def test_an_assistant_shows_its_graph_its_schemas_and_its_subgraphs(sdk: Sdk) -> None:
    (assistant,) = await sdk("assistants.search", graph_id="nested", metadata={"created_by": "system"})
    assistant_id = assistant["assistant_id"]
    plain = await sdk("assistants.get_graph", "nested")
    assert {node["id"] for node in plain["nodes"]} == {"__start__", "first", "child", "__end__"}
    assert {"source": "first", "target": "child"} in plain["edges"]
    opened = await sdk("assistants.get_graph", assistant_id, xray=True)
    assert "child:inner" in {node["id"] for node in opened["nodes"]}
    schemas = await sdk("assistants.get_schemas", assistant_id)
    assert schemas["graph_id"] == "nested"
    assert set(schemas["input_schema"]["properties"]) == {"value", "gate"}
    subgraphs = await sdk("assistants.get_subgraphs", assistant_id)
    assert set(subgraphs) == {"child"}
    assert set(await sdk("assistants.get_subgraphs", assistant_id, namespace="child", recurse=True)) == {"child"}
    assert await sdk("assistants.get_subgraphs", assistant_id, namespace="nothing") == {}
