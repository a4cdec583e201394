"""`kill -9` between the end of a run and its webhook: the next server delivers it."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.hook import Hook
from tests.processes import ServerProcess, running, wait_for

GRAPH = """
from typing_extensions import TypedDict
from langgraph.graph import START, StateGraph

class State(TypedDict, total=False):
    x: int

builder = StateGraph(State)
builder.add_node("add", lambda state: {"x": state["x"] + 1})
builder.add_edge(START, "add")
graph = builder.compile()
"""


def told(hook: Hook) -> list[dict]:
    """What was told so far, with the number of the attempt."""
    return [{**json.loads(call["body"]), "attempt": call["longline-attempt"]} for call in hook.calls]


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.close()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "count.py").write_text(GRAPH)
    config = {
        "dependencies": ["."],
        "graphs": {"count": "./count.py:graph"},
        "webhooks": {"url": {"disable_loopback": False}},
    }
    (tmp_path / "langgraph.json").write_text(json.dumps(config))
    return tmp_path


@pytest.mark.parametrize("path", ["/runs/wait", "/threads/{}/runs/wait"])
def test_a_server_that_is_killed_before_the_delivery_makes_it_after_the_next_start(
    project: Path, hook: Hook, path: str
) -> None:
    hook.is_stuck.set()
    server = ServerProcess(project)
    try:
        server.wait_ready()
        thread_id = httpx.post(f"{server.url}/threads", json={}).json()["thread_id"]
        body = {"assistant_id": "count", "input": {"x": 1}, "webhook": hook.url}
        answer = httpx.post(f"{server.url}{path.format(thread_id)}", json=body, timeout=60)
        assert answer.json() == {"x": 2}
        wait_for(lambda: hook.calls, "the first call", 60)
    finally:
        server.kill()
    hook.is_stuck.clear()
    with running(project):
        wait_for(lambda: len(hook.calls) == 2, "the second call", 60)
    first, second = told(hook)
    assert [first.pop("attempt"), second.pop("attempt")] == ["1", "2"]
    assert first.pop("webhook_sent_at") < second.pop("webhook_sent_at")
    assert first == second
    assert (first["status"], first["values"]) == ("success", {"x": 2})


def test_a_run_that_is_resumed_after_a_kill_tells_once(project: Path, hook: Hook) -> None:
    (project / "count.py").write_text(
        GRAPH.replace('lambda state: {"x": state["x"] + 1}', "wait").replace(
            "class State",
            "import asyncio, pathlib\nHERE = pathlib.Path(__file__).parent\n"
            "async def wait(state):\n"
            "    (HERE / 'began').touch()\n"
            "    while not (HERE / 'go').exists():\n"
            "        await asyncio.sleep(0.01)\n"
            "    return {'x': 9}\n\nclass State",
            1,
        )
    )
    server = ServerProcess(project)
    try:
        server.wait_ready()
        body = {"assistant_id": "count", "input": {"x": 1}, "webhook": hook.url}
        run_id = httpx.post(f"{server.url}/runs", json=body).json()["run_id"]
        wait_for((project / "began").exists, "the node", 60)
    finally:
        server.kill()
    (project / "go").touch()
    with running(project) as server:
        wait_for(lambda: hook.calls, "the call", 60)
        httpx.post(f"{server.url}/runs/wait", json=body, timeout=60).raise_for_status()
        wait_for(lambda: len(hook.calls) == 2, "the call of another run", 60)
    assert [call["run_id"] == run_id for call in told(hook)] == [True, False]
    assert told(hook)[0]["kwargs"]["config"]["metadata"]["run_attempt"] == 2
