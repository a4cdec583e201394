"""Commands over HTTP: what each does, and what is said of those that cannot be done."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient
from tests.plugins.protocol_langgraph.conftest import Serve
from tests.plugins.protocol_langgraph.graphs import nested
from tests.races.graphs import Gate

pytestmark = pytest.mark.anyio


async def command(http: httpx.AsyncClient, thread_id: str, method: str, **params: Any) -> Any:
    body = {"id": 1, "method": method, "params": params}
    response = await http.post(f"/threads/{thread_id}/commands", json=body)
    assert response.status_code == 200
    return response.json()


async def finished(http: httpx.AsyncClient, thread_id: str, answer: Any) -> Any:
    assert answer["type"] == "success", answer
    return (await http.get(f"/threads/{thread_id}/runs/{answer['result']['run_id']}/join")).json()


async def test_a_run_makes_its_thread_and_is_kept(http: httpx.AsyncClient, sdk: LangGraphClient) -> None:
    thread_id = str(uuid4())
    answer = await command(http, thread_id, "run.start", assistant_id="count", input={"x": 1}, metadata={"who": "ann"})
    assert await finished(http, thread_id, answer) == {"x": 2}
    (run,) = await sdk.runs.list(thread_id)
    assert run["metadata"]["who"] == "ann"
    assert run["kwargs"]["resumable"]


async def test_state_and_its_past_are_read_and_a_run_starts_from_there(http: httpx.AsyncClient, thread_id: str) -> None:
    for x in (1, 5):
        await finished(
            http, thread_id, await command(http, thread_id, "run.start", assistant_id="count", input={"x": x})
        )
    state = (await command(http, thread_id, "state.get", namespace=[]))["result"]
    assert state["values"] == {"x": 6}
    assert (await command(http, thread_id, "state.get", namespace=[], keys=["y"]))["result"]["values"] == {}
    points = (await command(http, thread_id, "state.listCheckpoints", limit=3))["result"]["checkpoints"]
    assert points[0]["id"] == state["checkpoint"]["id"]
    older = (await command(http, thread_id, "state.listCheckpoints", before=points[0]["id"]))["result"]["checkpoints"]
    assert older[0] == points[1]
    forked = await command(http, thread_id, "state.fork", checkpoint_id=points[-1]["id"], input={"x": 40})
    assert forked["result"]["thread_id"] == thread_id
    assert await finished(http, thread_id, forked) == {"x": 41}


async def test_the_graphs_of_a_run_are_a_tree(http: httpx.AsyncClient, thread_id: str) -> None:
    started = await command(http, thread_id, "run.start", assistant_id="nested", input={"value": "v"})
    await finished(http, thread_id, started)
    tree = (await command(http, thread_id, "agent.getTree"))["result"]["tree"]
    assert (tree["graph_name"], tree["status"], tree["namespace"]) == ("nested", "completed", [])
    (child,) = tree["children"]
    assert (child["graph_name"], child["status"]) == ("child", "completed")
    by_id = await command(http, thread_id, "agent.getTree", run_id=started["result"]["run_id"])
    assert by_id["result"]["tree"] == tree


async def test_a_run_is_cancelled(http: httpx.AsyncClient, sdk: LangGraphClient, thread_id: str, gate: Gate) -> None:
    started = await command(http, thread_id, "run.start", assistant_id="gated", input={})
    run_id = started["result"]["run_id"]
    await asyncio.wait_for(gate.reached.wait(), 10)
    assert (await command(http, thread_id, "run.cancel", run_id=run_id))["result"] == {}
    await finished(http, thread_id, started)
    assert (await sdk.runs.get(thread_id, run_id))["status"] == "interrupted"


async def test_an_interrupt_is_answered_by_its_id_and_with_an_update(http: httpx.AsyncClient, thread_id: str) -> None:
    await finished(
        http, thread_id, await command(http, thread_id, "run.start", assistant_id="ask", input={"topic": "a"})
    )
    (waiting,) = (await http.get(f"/threads/{thread_id}/state")).json()["interrupts"]
    answer = await command(
        http,
        thread_id,
        "input.respond",
        interrupt_id=waiting["id"],
        namespace=[],
        response="yes",
        update={"topic": "b"},
    )
    assert answer["result"] == {}
    runs = (await http.get(f"/threads/{thread_id}/runs")).json()
    values = (await http.get(f"/threads/{thread_id}/runs/{runs[0]['run_id']}/join")).json()
    assert (values["answer"], values["topic"]) == ("yes", "b")


async def modes_of(http: httpx.AsyncClient, thread_id: str, **params: Any) -> set[str]:
    started = await command(http, thread_id, "run.start", assistant_id="nested", input={"value": "v"}, **params)
    run_id = started["result"]["run_id"]
    run = (await http.get(f"/threads/{thread_id}/runs/{run_id}")).json()
    await finished(http, thread_id, started)
    return set(run["kwargs"]["stream_mode"])


async def test_a_run_says_values_and_messages_unless_more_is_asked_for(http: httpx.AsyncClient, thread_id: str) -> None:
    usual = {"values", "messages-tuple"}
    assert await modes_of(http, thread_id) == usual
    assert await modes_of(http, thread_id, stream_mode=None) == usual
    assert await modes_of(http, thread_id, stream_mode="updates") == {*usual, "updates"}
    assert await modes_of(http, thread_id, stream_mode=["values", "messages", "tasks", "custom", "tools"]) == {
        *usual, "tasks", "custom", "tools",
    }  # fmt: skip


async def test_the_settings_can_have_every_run_say_more(serve: Serve) -> None:
    settings = {"protocol_langgraph": {"thread_run_modes": ["tasks"]}}
    async with (
        serve({"nested": nested()}, settings) as served,
        httpx.AsyncClient(base_url=served.url, timeout=20) as http,
    ):
        assert await modes_of(http, str(uuid4())) == {"values", "messages-tuple", "tasks"}
        assert await modes_of(http, str(uuid4()), stream_mode="custom") == {
            "values", "messages-tuple", "tasks", "custom",
        }  # fmt: skip


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("run.start", {}, "invalid_argument"),
        ("run.start", {"assistant_id": "nope"}, "invalid_argument"),
        ("run.start", {"assistant_id": "count", "config": 7}, "invalid_argument"),
        ("run.start", {"assistant_id": "count", "stream_mode": "nope"}, "invalid_argument"),
        ("run.start", {"assistant_id": "count", "stream_mode": ["updates", 7]}, "invalid_argument"),
        ("run.start", {"assistant_id": "count", "stream_mode": {}}, "invalid_argument"),
        ("run.cancel", {"run_id": "11111111-1111-4111-8111-111111111111"}, "no_such_run"),
        ("input.respond", {"interrupt_id": "x", "response": 1, "namespace": []}, "no_such_interrupt"),
        ("input.respond", {"responses": []}, "invalid_argument"),
        ("input.respond", {"interrupt_id": "x", "namespace": []}, "invalid_argument"),
        ("input.inject", {}, "not_supported"),
        ("subscription.subscribe", {"channels": ["values"]}, "not_supported"),
        ("state.get", {"namespace": "x"}, "invalid_argument"),
        ("state.listCheckpoints", {"limit": 0}, "invalid_argument"),
        ("state.fork", {"checkpoint_id": "nope"}, "no_such_checkpoint"),
        ("agent.getTree", {"run_id": "11111111-1111-4111-8111-111111111111"}, "no_such_run"),
        ("foo", {}, "unknown_command"),
    ],
)
async def test_what_cannot_be_done_is_answered_with_a_code(
    http: httpx.AsyncClient, thread_id: str, method: str, params: Any, code: str
) -> None:
    answer = await command(http, thread_id, method, **params)
    assert (answer["type"], answer["id"], answer["error"]) == ("error", 1, code), answer


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"method":"x"}', b'{"id":-1,"method":"x"}', b'{"id":1}'])
async def test_what_is_no_command_is_refused(http: httpx.AsyncClient, thread_id: str, body: bytes) -> None:
    response = await http.post(f"/threads/{thread_id}/commands", content=body)
    assert response.status_code == 400
    assert (response.json()["id"], response.json()["error"]) == (None, "invalid_argument")


@pytest.mark.parametrize(
    "body",
    [{}, {"channels": []}, {"channels": ["nope"]}, {"channels": ["custom:"]}, {"channels": ["values"], "since": -1},
     {"channels": ["values"], "depth": "1"}, {"channels": ["values"], "namespaces": ["x"]}],
)  # fmt: skip
async def test_a_subscription_that_does_not_fit_is_refused(http: httpx.AsyncClient, thread_id: str, body: Any) -> None:
    assert (await http.post(f"/threads/{thread_id}/stream/events", json=body)).status_code == 400


async def test_the_stream_of_a_thread_begins_before_a_run_makes_it(http: httpx.AsyncClient) -> None:
    """Only in this protocol: its clients choose the id of a thread and follow it before they start a run."""
    path = f"/threads/{(thread_id := str(uuid4()))}/stream"
    assert (await http.get(path)).status_code == 404
    body = {"channels": ["values", "lifecycle"]}
    found: list[str] = []
    async with asyncio.timeout(20), http.stream("POST", f"{path}/events", json=body) as response:
        assert response.status_code == 200
        await command(http, thread_id, "run.start", assistant_id="count", input={"x": 1})
        async for line in response.aiter_lines():
            found += [line] if line.startswith("data: ") else []
            if '"completed"' in line:
                break
    assert [f'"seq":{number},' in line for number, line in enumerate(found, 1)] == [True] * 4
