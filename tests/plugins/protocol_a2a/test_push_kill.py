"""`kill -9` between the end of a task and its notification: the next server makes it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.hook import Hook
from tests.processes import ServerProcess, running, wait_for

GRAPH = """
from typing_extensions import TypedDict
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt

class State(TypedDict, total=False):
    x: int

builder = StateGraph(State)
builder.add_node("ask", lambda state: {"x": len(str(interrupt("what next?")))})
builder.add_edge(START, "ask")
graph = builder.compile()
"""
TOKEN = "the-secret-token-of-the-client"
BEARER = "the-secret-bearer-of-the-client"


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.close()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "ask.py").write_text(GRAPH)
    (tmp_path / "langgraph.json").write_text(json.dumps({"dependencies": ["."], "graphs": {"ask": "./ask.py:graph"}}))
    return tmp_path


def _rpc(server: ServerProcess, method: str, params: dict[str, Any]) -> Any:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    answer = httpx.post(f"{server.url}/a2a/ask", json=body, headers={"A2A-Version": "1.0"}, timeout=60).json()
    assert "error" not in answer, answer
    return answer["result"]


def _send(server: ServerProcess, hook: Hook) -> str:
    message = {"role": "ROLE_USER", "messageId": "m1", "parts": [{"data": {"x": 1}}]}
    authentication = {"scheme": "Bearer", "credentials": BEARER}
    config = {"url": hook.url, "token": TOKEN, "authentication": authentication}
    sent = _rpc(server, "SendMessage", {"message": message, "configuration": {"taskPushNotificationConfig": config}})
    return str(sent["task"]["id"])


def test_a_server_that_is_killed_before_the_notification_makes_it_after_the_next_start(
    project: Path, hook: Hook
) -> None:
    hook.is_stuck.set()
    server = ServerProcess(project)
    try:
        server.wait_ready()
        task_id = _send(server, hook)
        wait_for(lambda: hook.calls, "the first call", 60)
    finally:
        server.kill()
    hook.is_stuck.clear()
    with running(project) as server:
        first, second = wait_for(lambda: hook.calls if len(hook.calls) == 2 else None, "the second call", 60)
        shown = json.dumps(_rpc(server, "ListTaskPushNotificationConfigs", {"taskId": task_id}))
        _rpc(server, "CancelTask", {"id": task_id})
        third = wait_for(lambda: hook.calls[2] if len(hook.calls) == 3 else None, "the end", 60)
    assert [first["longline-attempt"], second["longline-attempt"]] == ["1", "2"]
    assert (first["body"], first["longline-delivery"]) == (second["body"], second["longline-delivery"])
    told = [json.loads(one["body"])["task"] for one in (second, third)]
    assert [task["id"] for task in told] == [task_id] * 2
    assert [task["status"]["state"] for task in told] == ["TASK_STATE_INPUT_REQUIRED", "TASK_STATE_CANCELED"]
    assert {(one["authorization"], one["x-a2a-notification-token"]) for one in hook.calls} == {
        (f"Bearer {BEARER}", TOKEN)
    }
    files = b"".join(file.read_bytes() for file in project.rglob("*") if file.is_file())
    for secret in (TOKEN, BEARER):
        assert secret not in shown
        assert secret.encode() not in files
