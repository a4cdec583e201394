"""The balancer of deploy/, before real replicas: streams are not held back, a lost replica costs no request."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.deploy.processes import Replica, balancer, replica

GRAPHS = """
from pathlib import Path
import asyncio
from langgraph.config import get_stream_writer
from langgraph.graph import START, MessagesState, StateGraph

async def wait(state):
    get_stream_writer()("waiting")
    while not Path("go").exists():
        await asyncio.sleep(0.01)
    return {}

graph = StateGraph(MessagesState).add_node("wait", wait).add_edge(START, "wait").compile()
"""
AUTH = """
from langgraph_sdk import Auth
auth = Auth()

@auth.authenticate
async def authenticate() -> str:
    return "anybody"
"""
PROJECT = '{"graphs": {"wait": "./graphs.py:graph"}, "auth": {"path": "./anybody.py:auth"}}'


@pytest.fixture
def replicas(tmp_path: Path) -> Iterator[list[Replica]]:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        (folder / "graphs.py").write_text(GRAPHS)
        (folder / "anybody.py").write_text(AUTH)
        (folder / "langgraph.json").write_text(PROJECT)
    with (
        replica(folders[0], f"sqlite:///{folders[0] / 'longline.db'}") as one,
        replica(folders[1], f"sqlite:///{folders[1] / 'longline.db'}") as two,
    ):
        yield [one, two]


@pytest.fixture
def url(replicas: list[Replica], tmp_path: Path) -> Iterator[str]:
    with balancer(tmp_path, *(item.address for item in replicas)) as found:
        yield found


def test_an_event_comes_through_while_its_run_goes_on(url: str, replicas: list[Replica], tmp_path: Path) -> None:
    body = {"assistant_id": "wait", "input": {}, "stream_mode": "custom"}
    events: list[str] = []
    with httpx.stream("POST", f"{url}/runs/stream", json=body, timeout=60) as stream:
        for line in stream.iter_lines():
            if line.startswith("data:"):
                events.append(line)
            if '"waiting"' in line:  # the run ends only now, because this line came
                for folder in ("one", "two"):
                    (tmp_path / folder / "go").touch()
    assert '"waiting"' in events[-1]


@pytest.mark.parametrize("path", ["/a2a/wait", "/a2a/wait/message:stream", "/mcp"])
def test_a2a_and_mcp_are_not_held_back_either(url: str, replicas: list[Replica], tmp_path: Path, path: str) -> None:
    said = {"messageId": "1", "role": "ROLE_USER", "parts": [{"text": "hi"}]}
    bodies = {
        "/a2a/wait": {"jsonrpc": "2.0", "id": 1, "method": "SendStreamingMessage", "params": {"message": said}},
        "/a2a/wait/message:stream": {"message": said},
        "/mcp": {
            "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": "wait", "arguments": {"message": "hi"}, "_meta": {"progressToken": "p"}},
        },
    }  # fmt: skip
    headers = {"a2a-version": "1.0", "accept": "application/json, text/event-stream"}
    events = 0
    with httpx.stream("POST", f"{url}{path}", json=bodies[path], headers=headers, timeout=60) as stream:
        assert stream.status_code == 200
        for line in stream.iter_lines():
            events += line.startswith("data:") and len(line) > len("data: ")
            if events == 1:  # the run ends only now, because this line came
                for folder in ("one", "two"):
                    (tmp_path / folder / "go").touch()
    assert events > 1


def test_a_killed_replica_costs_no_request(url: str, replicas: list[Replica]) -> None:
    assert httpx.post(f"{url}/threads", json={}, timeout=20).status_code == 200
    replicas[0].kill()
    answers = [httpx.post(f"{url}/threads", json={}, timeout=20).status_code for _ in range(20)]
    assert answers == [200] * 20


def test_a_replica_that_is_restarted_costs_no_request(url: str, replicas: list[Replica]) -> None:
    assert replicas[1].stop() == 0
    answers = [httpx.post(f"{url}/threads", json={}, timeout=20).status_code for _ in range(20)]
    assert answers == [200] * 20


def test_without_any_replica_callers_are_told_to_come_back(url: str, replicas: list[Replica]) -> None:
    for item in replicas:
        item.kill()
    answer = httpx.get(f"{url}/info", timeout=30)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json() == {"detail": "no replica is ready"}
