"""`kill -9` in the middle of a run, and what the next server makes of it."""

import json
from pathlib import Path

import httpx
import pytest

from tests.processes import ServerProcess, running, wait_for

GRAPH = """
import asyncio, operator, pathlib
from typing import Annotated
from typing_extensions import TypedDict
from langgraph.graph import START, StateGraph

HERE = pathlib.Path(__file__).parent

class State(TypedDict, total=False):
    steps: Annotated[list[str], operator.add]

def record(name):
    with (HERE / "effects.txt").open("a") as file:
        file.write(name + "\\n")

def one(state):
    record("one")
    return {"steps": ["one"]}

async def two(state):
    record("two")
    while not (HERE / "go").exists():
        await asyncio.sleep(0.01)
    return {"steps": ["two"]}

def three(state):
    record("three")
    return {"steps": ["three"]}

builder = StateGraph(State)
for node in (one, two, three):
    builder.add_node(node.__name__, node)
builder.add_edge(START, "one")
builder.add_edge("one", "two")
builder.add_edge("two", "three")
graph = builder.compile()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "steps.py").write_text(GRAPH)
    (tmp_path / "langgraph.json").write_text(
        json.dumps({"dependencies": ["."], "graphs": {"steps": "./steps.py:graph"}})
    )
    return tmp_path


def _effects(project: Path) -> list[str]:
    path = project / "effects.txt"
    return path.read_text().split() if path.exists() else []


def _killed_in_step_two(project: Path, body: dict) -> tuple[str, str]:
    """A server killed while step two runs: the thread and the run it leaves."""
    server = ServerProcess(project)
    try:
        server.wait_ready()
        thread_id = httpx.post(f"{server.url}/threads", json={"metadata": {"who": "me"}}).json()["thread_id"]
        run = httpx.post(f"{server.url}/threads/{thread_id}/runs", json={"assistant_id": "steps", "input": {}, **body})
        run_id = run.json()["run_id"]
        wait_for(lambda: "two" in _effects(project), "step two")
    finally:
        server.kill()
    return thread_id, run_id


def test_a_killed_run_goes_on_from_its_last_checkpoint_by_itself(project: Path) -> None:
    thread_id, run_id = _killed_in_step_two(project, {"stream_resumable": True, "stream_mode": ["updates", "values"]})
    (project / "go").touch()
    with running(project) as server:
        result = httpx.get(f"{server.url}/threads/{thread_id}/runs/{run_id}/join", timeout=30).json()
        assert result == {"steps": ["one", "two", "three"]}
        assert _effects(project) == ["one", "two", "two", "three"]
        run = httpx.get(f"{server.url}/threads/{thread_id}/runs/{run_id}").json()
        assert run["status"] == "success"
        stream = httpx.get(f"{server.url}/threads/{thread_id}/runs/{run_id}/stream", headers={"Last-Event-ID": "0"})
        frames = [dict(line.split(": ", 1) for line in f.split("\r\n")) for f in stream.text.split("\r\n\r\n") if f]
        assert [json.loads(f["data"])["attempt"] for f in frames if f["event"] == "metadata"] == [1, 2]
        assert len({f["id"] for f in frames}) == len(frames)
        updates = [next(iter(json.loads(f["data"]))) for f in frames if f["event"] == "updates"]
        assert updates == ["one", "two", "three"]


def test_threads_history_and_assistants_are_there_after_a_kill(project: Path) -> None:
    (project / "go").touch()
    server = ServerProcess(project)
    try:
        server.wait_ready()
        assistant = httpx.post(f"{server.url}/assistants", json={"graph_id": "steps", "name": "mine"}).json()
        thread_id = httpx.post(f"{server.url}/threads", json={}).json()["thread_id"]
        run = {"assistant_id": assistant["assistant_id"], "input": {}}
        httpx.post(f"{server.url}/threads/{thread_id}/runs/wait", json=run, timeout=30).raise_for_status()
        before = httpx.get(f"{server.url}/threads/{thread_id}/history?limit=50").json()
    finally:
        server.kill()
    with running(project) as server:
        assert httpx.get(f"{server.url}/threads/{thread_id}/history?limit=50").json() == before
        assert len(before) == 5
        found = httpx.get(f"{server.url}/assistants/{assistant['assistant_id']}").json()
        assert found == assistant


def test_a_client_that_waits_over_a_kill_can_join_the_run_that_goes_on(project: Path) -> None:
    thread_id, run_id = _killed_in_step_two(project, {})
    with running(project) as server:
        wait_for(lambda: _effects(project).count("two") == 2, "the second attempt")
        with httpx.stream(
            "GET", f"{server.url}/threads/{thread_id}/runs/{run_id}/stream?stream_mode=values", timeout=30
        ) as stream:
            (project / "go").touch()
            text = "".join(stream.iter_text())
        assert '"steps":["one","two","three"]' in text
        assert httpx.get(f"{server.url}/threads/{thread_id}").json()["status"] == "idle"


def test_a_second_server_on_the_same_file_is_refused_with_one_clear_sentence(project: Path) -> None:
    with running(project):
        second = ServerProcess(project)
        assert second.process.wait(30) == 2
        assert "in use by another Longline server" in " ".join(second.output.split())
        assert "Traceback" not in second.output
