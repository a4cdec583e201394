"""Push notifications of clients that speak protocol 0.3, as they stand on the wire."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from a2a.compat.v0_3.types import Task
from tests.hook import Hook
from tests.plugins.protocol_a2a.conformance import Agent
from tests.processes import wait_for


def _rpc(agent: Agent, method: str, params: dict[str, Any]) -> Any:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return httpx.post(agent.url, json=body, timeout=60).json()


def _send(agent: Agent, case: str, **configuration: Any) -> dict[str, Any]:
    parts = [{"kind": "text", "text": "hello"}]
    message = {"kind": "message", "role": "user", "messageId": f"tck-{case}-{uuid4()}", "parts": parts}
    task: dict[str, Any] = _rpc(agent, "message/send", {"message": message, "configuration": configuration})["result"]
    return task


@pytest.fixture
def task_id(agent: Agent) -> str:
    return str(_send(agent, "complete-task")["id"])


def test_a_config_is_set_read_listed_and_removed(agent: Agent, task_id: str) -> None:
    given = {"url": "https://example.com/webhook", "token": "a-token", "authentication": {"schemes": ["Bearer"]}}
    params = {"taskId": task_id, "pushNotificationConfig": given}
    made = _rpc(agent, "tasks/pushNotificationConfig/set", params)["result"]
    assert made["taskId"] == task_id
    shown = {**given, "id": task_id, "token": "***"}
    assert made["pushNotificationConfig"] == shown
    assert _rpc(agent, "tasks/pushNotificationConfig/get", {"id": task_id})["result"] == made
    listed = _rpc(agent, "tasks/pushNotificationConfig/list", {"id": task_id})["result"]
    assert listed == [made]
    for _ in range(2):
        gone = {"id": task_id, "pushNotificationConfigId": task_id}
        assert _rpc(agent, "tasks/pushNotificationConfig/delete", gone)["result"] is None
    assert _rpc(agent, "tasks/pushNotificationConfig/get", {"id": task_id})["error"]["code"] == -32001
    assert _rpc(agent, "tasks/pushNotificationConfig/list", {"id": task_id})["result"] == []


def test_a_url_to_a_private_address_is_refused_and_starts_no_task(agent: Agent, task_id: str) -> None:
    bad = {"url": "https://192.168.0.1/webhook"}
    refused = _rpc(agent, "tasks/pushNotificationConfig/set", {"taskId": task_id, "pushNotificationConfig": bad})
    assert (refused["error"]["code"], "private IP range" in refused["error"]["message"]) == (-32602, True)
    message = {"kind": "message", "role": "user", "messageId": "m1", "parts": [{"kind": "text", "text": "hello"}]}
    params = {"message": {**message, "contextId": str(uuid4())}, "configuration": {"pushNotificationConfig": bad}}
    assert _rpc(agent, "message/send", params)["error"]["code"] == -32602


def test_the_task_is_told_as_0_3_writes_it(agent: Agent) -> None:
    hook = Hook()
    try:
        config = {"url": hook.url, "authentication": {"schemes": ["Bearer"], "credentials": "the-bearer"}}
        task = _send(agent, "complete-task", pushNotificationConfig=config)
        (told,) = wait_for(lambda: hook.calls, "the notification", 60)
    finally:
        hook.close()
    assert told["authorization"] == "Bearer the-bearer"
    parsed = Task.model_validate_json(told["body"])
    assert (parsed.kind, parsed.id, parsed.status.state.value) == ("task", task["id"], "completed")
    answered = Task.model_validate(task)
    assert (parsed.artifacts, parsed.history, parsed.context_id) == (
        answered.artifacts, answered.history, answered.context_id,
    )  # fmt: skip
