"""`/openapi.json` says what is served: every route, what each takes, and what each answers."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema_rs
import pytest
from langgraph_sdk.client import LangGraphClient
from tests.plugins.protocol_langgraph.served import Served

from longline_protocol_langgraph.app import all_routes
from longline_protocol_langgraph.openapi.document import SECTIONS
from longline_protocol_langgraph.routes.description import served_operations
from longline_protocol_langgraph.settings import LangGraphApiSettings

pytestmark = pytest.mark.anyio

METHODS = ("get", "post", "put", "patch", "delete", "head")


@pytest.fixture
async def described(http: httpx.AsyncClient) -> dict[str, Any]:
    answer = await http.get("/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    found: dict[str, Any] = answer.json()
    return found


def operations(described: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in described["paths"].items():
        for method in METHODS:
            if method in methods:
                yield path, method, methods[method]


async def test_it_names_every_route_and_no_other(served: Served, described: dict[str, Any]) -> None:
    settings = served.server.settings.section(LangGraphApiSettings)
    routes = {(path, method.lower()) for path, method in served_operations(all_routes(served.server, settings))}
    assert {(path, method) for path, method, _ in operations(described)} == routes


async def test_every_route_is_described(described: dict[str, Any]) -> None:
    bare = [(path, method) for path, method, operation in operations(described) if "summary" not in operation]
    assert bare == []


async def test_every_description_is_of_a_route(described: dict[str, Any]) -> None:
    written = {(path, method.lower()) for one in SECTIONS for path, methods in one.paths.items() for method in methods}
    assert written == {(path, method) for path, method, _ in operations(described)}


async def test_its_parts_are_what_openapi_says(described: dict[str, Any]) -> None:
    assert described["openapi"].startswith("3.1.")
    ids = [operation["operationId"] for _, _, operation in operations(described)]
    assert len(ids) == len(set(ids))
    tags = {tag["name"] for tag in described["tags"]}
    assert {tag for _, _, operation in operations(described) for tag in operation["tags"]} == tags
    for path, _, operation in operations(described):
        named = {one["name"] for one in operation.get("parameters", []) if one["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path))
        assert operation["responses"]


async def test_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
            for inner in value.values():
                yield from references(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from references(inner)

    for reference in references(described):
        found: Any = described
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]


async def test_every_schema_is_one(described: dict[str, Any]) -> None:
    for schema in described["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})


async def test_what_stands_for_a_graph_is_one_of_this_servers(served: Served, described: dict[str, Any]) -> None:
    schemas, graphs = described["components"]["schemas"], list(served.server.graphs.graph_ids)
    assert schemas["AssistantCreate"]["properties"]["graph_id"]["enum"] == graphs
    names = schemas["ThreadRun"]["properties"]["assistant_id"]["anyOf"]
    assert names == [{"type": "string", "format": "uuid"}, {"type": "string", "enum": graphs}]
    assert "x-graph-ids" not in str(described)


async def test_bounds_and_defaults_are_those_that_are_checked(described: dict[str, Any]) -> None:
    fields = described["components"]["schemas"]["ThreadSearch"]["properties"]
    assert fields["limit"]["default"] == 10
    assert {"type": "integer", "minimum": 1, "maximum": 1000} in fields["limit"]["anyOf"]
    assert fields["sort_by"]["default"] == "updated_at"
    fields = described["components"]["schemas"]["ThreadRun"]["properties"]
    assert (fields["multitask_strategy"]["default"], fields["stream_mode"]["default"]) == ("enqueue", "values")


def validator(described: dict[str, Any], path: str, method: str, status: int) -> jsonschema_rs.Draft202012Validator:
    """What checks an answer. Fields that the schema does not name are faults here."""
    answer = described["paths"][path][method]["responses"][str(status)]
    if "$ref" in answer:
        answer = described["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    closed = {name: {"additionalProperties": False, **schema} for name, schema in _closed(described).items()}
    schema = {**answer["content"]["application/json"]["schema"], "components": {"schemas": closed}}
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


def _closed(described: dict[str, Any]) -> dict[str, Any]:
    return {name: schema for name, schema in described["components"]["schemas"].items() if "properties" in schema}


async def test_real_answers_are_as_described_to_the_last_field(
    http: httpx.AsyncClient, sdk: LangGraphClient, described: dict[str, Any]
) -> None:
    thread: Any = await sdk.threads.create(graph_id="ask", metadata={"topic": "tests"})
    assistant: Any = await sdk.assistants.create("nested", name="one", metadata={"a": 1})
    in_thread, of_assistant = f"/threads/{thread['thread_id']}", f"/assistants/{assistant['assistant_id']}"
    await http.post(f"{in_thread}/runs/wait", json={"assistant_id": "ask", "input": {"topic": "x"}})
    other: Any = await sdk.threads.create()
    await http.post(f"/threads/{other['thread_id']}/runs/wait", json={"assistant_id": "fail", "input": {"x": 1}})
    run = (await http.get(f"{in_thread}/runs")).json()[0]["run_id"]
    nobody = "00000000-0000-0000-0000-000000000000"
    asked: list[tuple[str, str, str, Any, int]] = [
        ("/threads/{thread_id}", "get", in_thread, None, 200),
        ("/threads/{thread_id}", "get", f"/threads/{other['thread_id']}", None, 200),
        ("/threads/{thread_id}", "get", f"/threads/{nobody}", None, 404),
        ("/threads/{thread_id}", "patch", in_thread, {"metadata": {"b": 1}}, 200),
        ("/threads/{thread_id}", "patch", in_thread, {"metadata": 5}, 422),
        ("/threads", "post", "/threads", {"thread_id": thread["thread_id"]}, 409),
        ("/threads/search", "post", "/threads/search", {"extract": {"t": "values.topic"}}, 200),
        ("/threads/search", "post", "/threads/search", {"select": ["thread_id"]}, 200),
        ("/threads/{thread_id}/copy", "post", f"{in_thread}/copy", {}, 200),
        ("/threads/{thread_id}/storage", "get", f"{in_thread}/storage", None, 200),
        ("/threads/{thread_id}/state", "get", f"{in_thread}/state?subgraphs=true", None, 200),
        ("/threads/{thread_id}/state", "post", f"{in_thread}/state", {"values": {"topic": "y"}}, 200),
        ("/threads/{thread_id}/history", "get", f"{in_thread}/history?limit=20", None, 200),
        ("/threads/{thread_id}/history", "get", f"/threads/{other['thread_id']}/history?limit=20", None, 200),
        ("/threads/{thread_id}/runs", "get", f"{in_thread}/runs", None, 200),
        ("/threads/{thread_id}/runs", "get", f"{in_thread}/runs?select=run_id,status", None, 200),
        ("/threads/{thread_id}/runs", "post", f"{in_thread}/runs", {"assistant_id": "ask", "input": {}}, 200),
        ("/threads/{thread_id}/runs/{run_id}", "get", f"{in_thread}/runs/{run}", None, 200),
        ("/runs/batch", "post", "/runs/batch", [{"assistant_id": "count", "input": {"x": 1}}], 200),
        ("/assistants/{assistant_id}", "get", of_assistant, None, 200),
        ("/assistants/{assistant_id}/graph", "get", f"{of_assistant}/graph?xray=true", None, 200),
        ("/assistants/{assistant_id}/schemas", "get", f"{of_assistant}/schemas", None, 200),
        ("/assistants/{assistant_id}/subgraphs", "get", f"{of_assistant}/subgraphs?recurse=true", None, 200),
        ("/assistants/{assistant_id}/versions", "post", f"{of_assistant}/versions", {}, 200),
        ("/assistants/search", "post", "/assistants/search", {}, 200),
        ("/assistants/search", "post", "/assistants/search", {"select": ["name"]}, 200),
        ("/ok", "get", "/ok?check_db=1", None, 200),
        ("/health", "get", "/health", None, 200),
        ("/ready", "get", "/ready", None, 200),
        ("/", "get", "/", None, 200),
    ]
    for path, method, url, body, status in asked:
        answer = await http.request(method, url, json=body)
        assert answer.status_code == status, (method, url, answer.text)
        found = validator(described, path, method, status)
        assert [error.message for error in found.iter_errors(answer.json())] == [], (method, url, answer.json())
