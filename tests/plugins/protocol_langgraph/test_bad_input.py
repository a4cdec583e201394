"""What does not fit is answered with the documented status and text, never with a fault, and never hangs."""

import logging
from typing import Any

import httpx
import pytest
from tests.plugins.protocol_langgraph.conftest import Serve
from tests.plugins.protocol_langgraph.graphs import counting

from longline.graphs.definition import GraphDefinition
from longline.ids import graph_assistant_id

pytestmark = pytest.mark.anyio

NOBODY = "00000000-0000-0000-0000-000000000000"
RUN = {"assistant_id": "count", "input": {"x": 1}}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "detail"),
    [
        ("GET", f"/threads/{NOBODY}", None, 404, f"Thread with ID {NOBODY} not found"),
        ("GET", "/threads/notauuid", None, 422, "Invalid thread ID: must be a UUID"),
        ("GET", f"/threads/{NOBODY}/state", None, 404, f"Thread with ID {NOBODY} not found"),
        ("GET", f"/threads/{NOBODY}/history", None, 404, f"Thread with ID {NOBODY} not found"),
        ("GET", f"/threads/{NOBODY}/storage", None, 404, f"Thread with ID {NOBODY} not found"),
        ("GET", f"/threads/{NOBODY}/runs", None, 404, f"Thread with ID {NOBODY} not found"),
        ("GET", f"/threads/{NOBODY}/runs?limit=0", None, 404, f"Thread with ID {NOBODY} not found"),
        ("GET", f"/threads/{NOBODY}/runs?status=nope", None, 404, f"Thread with ID {NOBODY} not found"),
        ("PATCH", f"/threads/{NOBODY}", {"metadata": {}}, 404, "Not Found"),
        ("DELETE", f"/threads/{NOBODY}", None, 404, f"Thread with ID {NOBODY} not found"),
        ("POST", f"/threads/{NOBODY}/copy", None, 404, f"Thread with ID {NOBODY} not found"),
        ("POST", "/threads", {"thread_id": "abc"}, 422, "Invalid thread ID: must be a UUID"),
        ("POST", "/threads/prune", {"thread_ids": [], "strategy": "keep_all"}, 422, None),
        ("POST", f"/threads/{NOBODY}/runs", RUN, 404, "Thread or assistant not found."),
        ("POST", f"/threads/{NOBODY}/runs/stream", RUN, 404, "Thread or assistant not found."),
        ("POST", f"/threads/{NOBODY}/runs/wait", RUN, 404, "Thread or assistant not found."),
        ("POST", "/runs/wait", {"assistant_id": NOBODY}, 404, "Thread or assistant not found."),
        ("POST", "/runs", {"assistant_id": "nope"}, 422, None),
        ("POST", "/runs", {**RUN, "stream_mode": "foo"}, 422, None),
        ("POST", "/runs", {**RUN, "webhook": "/ok"}, 422, "Webhook host blocked: relative URLs are not allowed"),
        ("POST", "/runs", {**RUN, "webhook": "http://127.0.0.1/x"}, 422, "Webhook host blocked: loopback IP range"),
        ("POST", "/runs/batch", [], 422, None),
        ("POST", "/runs/batch", RUN, 422, None),
        ("POST", "/runs/cancel", {}, 422, None),
        ("POST", "/runs/cancel", {"status": "pending"}, 404, "No runs found to cancel."),
        ("POST", "/runs/cancel?action=explode", {"status": "pending"}, 422, None),
        ("GET", f"/assistants/{NOBODY}", None, 404, "Not Found"),
        ("GET", "/assistants/notauuid", None, 422, "Invalid assistant ID: must be a UUID"),
        ("GET", f"/assistants/{NOBODY}/graph", None, 404, "Not Found"),
        ("GET", "/assistants/nope/graph", None, 422, None),
        ("GET", "/assistants/count/graph?xray=deep", None, 422, None),
        ("POST", f"/assistants/{NOBODY}/versions", {}, 404, f"Assistant {NOBODY} not found"),
        ("POST", f"/assistants/{NOBODY}/latest", {"version": 1}, 404, "Not Found"),
        ("POST", "/assistants", {"graph_id": "nope"}, 404, None),
        ("POST", "/assistants", {"graph_id": "see", "config": {"configurable": {"a": 1}}, "context": {"b": 1}}, 400,
         None),
        ("GET", "/nope", None, 404, "Not Found"),
        ("PUT", "/threads", {}, 405, "Method Not Allowed"),
        ("GET", f"/runs/{NOBODY}", None, 404, "Not Found"),
    ],
)  # fmt: skip
async def test_it_is_refused(
    http: httpx.AsyncClient, method: str, path: str, body: Any, status: int, detail: str | None
) -> None:
    answer = await http.request(method, path, json=body) if body is not None else await http.request(method, path)
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"detail"}
    if detail is not None:
        assert answer.json()["detail"] == detail


@pytest.mark.parametrize(
    "path", ["/threads", "/runs/wait", "/runs/batch", "/assistants", "/threads/search", "/runs/cancel"]
)
@pytest.mark.parametrize(
    "body", [b"", b"{bad", b"\xff\xfe", b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 300 + b"1" + b"}" * 300]
)
async def test_what_is_no_json_is_refused(http: httpx.AsyncClient, path: str, body: bytes) -> None:
    answer = await http.post(path, content=body)
    assert (answer.status_code, answer.json()) == (422, {"detail": "Invalid JSON in request body"})


@pytest.mark.parametrize(
    "query",
    ["runs?limit=x", "runs?limit=-1", "runs?offset=1e3", "runs?select=zz", "history?limit=0", "state?subgraphs=maybe"],
)
async def test_a_parameter_that_does_not_fit_is_refused(http: httpx.AsyncClient, thread_id: str, query: str) -> None:
    answer = await http.get(f"/threads/{thread_id}/{query}")
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("Invalid query parameter")


async def test_the_state_of_a_thread_without_a_graph_cannot_be_updated(http: httpx.AsyncClient, thread_id: str) -> None:
    answer = await http.post(f"/threads/{thread_id}/state", json={"values": {"x": 1}})
    assert answer.status_code == 400
    assert f"Thread '{thread_id}' has no assigned graph ID" in answer.json()["detail"]


async def test_a_state_cannot_be_updated_as_a_node_that_is_not_there(http: httpx.AsyncClient, thread_id: str) -> None:
    await http.post(f"/threads/{thread_id}/runs/wait", json=RUN)
    answer = await http.post(f"/threads/{thread_id}/state", json={"values": {"x": 1}, "as_node": "zz"})
    assert (answer.status_code, answer.json()) == (400, {"detail": "Node zz does not exist"})


@pytest.mark.parametrize("values", [{"messages": 5}, [5], 5, "text", {"messages": [{"role": "nobody"}]}])
async def test_a_state_cannot_be_updated_with_values_that_the_graph_does_not_take(
    http: httpx.AsyncClient, values: Any
) -> None:
    thread: Any = (await http.post("/threads", json={"graph_id": "chat"})).json()
    answer = await http.post(f"/threads/{thread['thread_id']}/state", json={"values": values})
    assert (answer.status_code, set(answer.json())) == (400, {"detail"}), answer.text
    step = {"updates": [{"as_node": "model", "values": values}]}
    answer = await http.post("/threads", json={"graph_id": "chat", "supersteps": [step]})
    assert (answer.status_code, set(answer.json())) == (400, {"detail"}), answer.text


@pytest.mark.parametrize("goto", [[{"input": 1}], {"input": 1}, [{"node": ""}], [{"node": 1}]])
async def test_a_place_to_go_to_names_its_node(http: httpx.AsyncClient, thread_id: str, goto: Any) -> None:
    step = {"updates": [{"as_node": "add", "command": {"goto": goto}}]}
    for path, body in (
        ("/threads", {"graph_id": "count", "supersteps": [step]}),
        (f"/threads/{thread_id}/runs", {"assistant_id": "count", "command": {"goto": goto}}),
    ):
        answer = await http.post(path, json=body)
        assert (answer.status_code, set(answer.json())) == (422, {"detail"}), answer.text


@pytest.mark.parametrize(
    "body",
    [
        {"metadata": {"step": 2**63}},
        {"before": {"checkpoint_id": {"a": 1}}},
        {"before": {"checkpoint_id": 5}},
        {"before": {"configurable": {"checkpoint_id": ["a"]}}},
        {"before": {"checkpoint_ns": {}}},
        {"before": {"checkpoint_map": {"": 5}}},
        {"checkpoint": {"checkpoint_id": {"a": 1}}},
        {"checkpoint": {"checkpoint_map": {"": {"a": 1}}}},
    ],
)
async def test_a_history_is_asked_for_by_what_can_be_compared(
    http: httpx.AsyncClient, thread_id: str, body: Any
) -> None:
    await http.post(f"/threads/{thread_id}/runs/wait", json=RUN)
    answer = await http.post(f"/threads/{thread_id}/history", json=body)
    assert (answer.status_code, set(answer.json())) == (422, {"detail"}), answer.text


@pytest.mark.parametrize(
    "bad",
    [
        {"assistant_id": "nope"},
        {"assistant_id": NOBODY},
        {**RUN, "stream_mode": "foo"},
        {**RUN, "webhook": "/ok"},
        {"assistant_id": "see", "input": {}, "context": {"a": 1}, "config": {"configurable": {"a": 1}}},
    ],
)
async def test_a_batch_with_one_bad_entry_starts_nothing(http: httpx.AsyncClient, bad: Any) -> None:
    kept = {**RUN, "on_completion": "keep"}
    answer = await http.post("/runs/batch", json=[kept, kept, bad])
    assert answer.status_code in {400, 404, 422}, answer.text
    assert (await http.post("/threads/count", json={})).json() == 0
    assert len((await http.post("/runs/batch", json=[kept, kept])).json()) == 2
    assert (await http.post("/threads/count", json={})).json() == 2


async def test_context_and_configurable_cannot_both_be_given(http: httpx.AsyncClient) -> None:
    body = {"assistant_id": "see", "input": {}, "context": {"language": "pl"}, "config": {"configurable": {"a": 1}}}
    answer = await http.post("/runs/wait", json=body)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("Cannot specify both configurable and context.")


async def test_ids_may_be_in_capitals(http: httpx.AsyncClient, thread_id: str) -> None:
    assert (await http.get(f"/threads/{thread_id.upper()}")).json()["thread_id"] == thread_id


async def test_a_trailing_slash_is_redirected_away(http: httpx.AsyncClient) -> None:
    answer = await http.get("/assistants/agent/")
    assert (answer.status_code, answer.headers["location"]) == (307, f"{http.base_url}/assistants/agent")


async def test_a_wrong_method_is_told_the_right_ones(http: httpx.AsyncClient, thread_id: str) -> None:
    assert (await http.put(f"/threads/{thread_id}")).headers["allow"] == "DELETE, GET, PATCH"


async def test_a_body_beyond_the_bound_is_refused_and_one_within_it_taken(serve: Serve) -> None:
    settings = {"server": {"max_body_mib": 1}}
    async with serve({"count": counting()}, settings) as served, httpx.AsyncClient(base_url=served.url) as http:
        big = await http.post("/runs/wait", json={**RUN, "metadata": {"a": "x" * 2_000_000}})
        assert (big.status_code, set(big.json())) == (413, {"detail"})
        good = await http.post("/runs/wait", json={**RUN, "metadata": {"a": "x" * 900_000}})
        assert good.json() == {"x": 2}


def unimportable() -> object:
    raise ImportError("no module of this name")


def failing_factory(config: Any) -> object:
    raise RuntimeError("cannot be built today")


async def test_a_graph_that_cannot_be_imported_is_named_in_every_answer_and_logged_once(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    broken = GraphDefinition(graph_id="broken", origin="./broken.py:graph", load=unimportable)
    async with (
        serve({"broken": broken, "count": counting()}) as served,
        httpx.AsyncClient(base_url=served.url, timeout=20) as http,
    ):
        await served.server.graphs.load_all()
        for method, path, body in (
            ("POST", "/runs/wait", {"assistant_id": "broken", "input": {}}),
            ("POST", "/assistants", {"graph_id": "broken"}),
            ("GET", "/assistants/broken/graph", None),
            ("GET", f"/assistants/{graph_assistant_id('broken')}/schemas", None),
        ):
            answer = await http.request(method, path, json=body)
            assert answer.status_code == 424
            assert "graph 'broken' cannot be loaded: ImportError: no module of this name" in answer.json()["detail"]
        assert (await http.post("/runs/wait", json=RUN)).json() == {"x": 2}
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == ["graph not loaded"]


async def test_a_graph_that_cannot_be_built_ends_its_runs_and_refuses_to_be_looked_at(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        serve({"factory": failing_factory}) as served,
        httpx.AsyncClient(base_url=served.url, timeout=20) as http,
    ):
        ran = await http.post("/runs/wait", json={"assistant_id": "factory", "input": {}})
        assert (ran.status_code, ran.json()) == (
            200,
            {"__error__": {"error": "RuntimeError", "message": "cannot be built today"}},
        )
        drawn = await http.get("/assistants/factory/graph")
        assert drawn.status_code == 424
        assert "RuntimeError: cannot be built today" in drawn.json()["detail"]
        thread = (await http.post("/threads", json={"metadata": {"graph_id": "factory"}})).json()
        assert (await http.get(f"/threads/{thread['thread_id']}/state")).status_code == 424
    errors = [record.message for record in caplog.records if record.levelno >= logging.ERROR]
    assert errors == ["graph not made", "graph not made"]


async def test_an_unforeseen_fault_says_nothing_and_is_logged_once(
    serve: Serve, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def explode(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a detail from inside")

    async with serve({"count": counting()}) as served, httpx.AsyncClient(base_url=served.url) as http:
        monkeypatch.setattr(served.server.threads._store, "get", explode)
        answer = await http.get(f"/threads/{NOBODY}")
        assert (answer.status_code, answer.text) == (500, "Internal Server Error")
        assert answer.headers["content-type"].startswith("text/plain")
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.message == "request failed"
    assert record.exc_info is not None
    assert record.__dict__["path"] == "/threads/{thread_id}"
