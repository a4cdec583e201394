"""MUST requirements of A2A 1.0 on errors, versions and the two bindings: sections 3.3.2, 3.6, 5, 9 and 11.

Each test names the requirements of the conformance suite (branch 1.0-dev) that it stands for."""

import json
from uuid import uuid4

import httpx
import pytest
from tests.plugins.protocol_a2a.test_must_core import COMPLETED
from tests.plugins.protocol_a2a.wires import ERRORS, Answer, Json, JsonRpc, Rest, Wire, said

_METHODS = (
    "SendMessage",
    "SendStreamingMessage",
    "GetTask",
    "ListTasks",
    "CancelTask",
    "SubscribeToTask",
    "CreateTaskPushNotificationConfig",
    "GetTaskPushNotificationConfig",
    "ListTaskPushNotificationConfigs",
    "DeleteTaskPushNotificationConfig",
    "GetExtendedAgentCard",
)
_EXTENSIONS = {"A2A-Extensions": "https://example.com/ext/v1,https://example.com/ext/v2"}


def _send(wire: JsonRpc | Rest, params: object, headers: dict[str, str] | None = None) -> Answer:
    if isinstance(wire, JsonRpc):
        return wire.call("SendMessage", params, headers=headers)
    return wire.call("POST", "/message:send", params, headers=headers)


@pytest.fixture(params=["jsonrpc", "rest"])
def raw(request: pytest.FixtureRequest) -> JsonRpc | Rest:
    """Each binding in turn, for calls that no client would make."""
    wire: JsonRpc | Rest = request.getfixturevalue(request.param)
    return wire


def test_an_error_says_what_is_wrong(raw: JsonRpc | Rest) -> None:
    """CORE-ERR-001, JSONRPC-ERR-001, HTTP_JSON-ERR-001: an error has a code and a message, in the shape of its
    binding: JSON-RPC's object, or AIP-193 with the status in its code."""
    answer = raw.get(f"tck-nonexistent-{uuid4()}")
    assert answer.error is not None
    assert isinstance(answer.error["message"], str)
    assert answer.error["message"]
    assert answer.http.headers["content-type"].startswith("application/json")
    if raw.name == "jsonrpc":
        assert set(answer.error) <= {"code", "message", "data"}
        assert isinstance(answer.error["data"], list)
    else:
        assert answer.error["code"] == answer.http.status_code == 404
        assert answer.error["status"] == "NOT_FOUND"
        assert isinstance(answer.error["details"], list)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"message": {}},
        {"message": {"role": "ROLE_USER", "messageId": "m"}},
        {"message": {"role": "ROLE_USER", "messageId": "m", "parts": []}},
        {"message": {"role": "ROLE_USER", "parts": [{"text": "no id"}]}},
        {"message": {"messageId": "m", "parts": [{"text": "no role"}]}},
        {"message": {"role": "ROLE_USER", "messageId": "m", "parts": "none"}},
        {"message": {"role": "ROLE_USER", "messageId": "m", "parts": [{}]}},
        {"message": "none"},
    ],
)
def test_what_is_incomplete_is_refused(raw: JsonRpc | Rest, params: Json) -> None:
    """CORE-ERR-002: parameters are validated before anything is done."""
    answer = _send(raw, params)
    assert answer.error is not None, answer.result
    assert answer.error["code"] == (-32602 if raw.name == "jsonrpc" else 400)


@pytest.mark.parametrize("reason", ["TASK_NOT_FOUND", "TASK_NOT_CANCELABLE", "UNSUPPORTED_OPERATION"])
def test_errors_are_the_same_in_each_binding(jsonrpc: JsonRpc, rest: Rest, reason: str) -> None:
    """BIND-EQUIV-003, JSONRPC-SSE-002, JSONRPC-ERR-002, JSONRPC-ERR-003, HTTP_JSON-ERR-002, HTTP_JSON-STATUS-001: each
    error has its code, its status and an ErrorInfo with its reason."""
    assert -32099 <= ERRORS[reason][0] <= -32001
    for wire in (jsonrpc, rest):
        task_id = wire.send(said("complete-task")).task["id"]
        if reason == "TASK_NOT_FOUND":
            wire.refuses(wire.get("tck-nonexistent"), reason)
        elif reason == "TASK_NOT_CANCELABLE":
            wire.refuses(wire.cancel(task_id), reason)
        else:
            wire.refuses(wire.send(said("complete-task", taskId=task_id)), reason)


def test_bindings_share_tasks(jsonrpc: JsonRpc, rest: Rest) -> None:
    """BIND-EQUIV-001, BIND-EQUIV-002: what one binding did the other one sees, and goes on with."""
    task = jsonrpc.send(said("input-required")).task
    assert rest.get(task["id"]).task == jsonrpc.get(task["id"]).task == task
    ended = rest.send(said("artifact-data", taskId=task["id"])).task
    assert ended == jsonrpc.get(task["id"]).task
    lists = [wire.list(contextId=task["contextId"], includeArtifacts=True).result for wire in (jsonrpc, rest)]
    assert lists[0] == lists[1]


@pytest.mark.parametrize("version", ["99.0", "2.0", "0.1", "abc", "1"])
def test_an_unknown_version_is_refused(raw: JsonRpc | Rest, version: str) -> None:
    """VER-SERVER-002: a version that is not spoken is a VersionNotSupportedError."""
    raw.refuses(_send(raw, {"message": said("complete-task")}, {"A2A-Version": version}), "VERSION_NOT_SUPPORTED")


@pytest.mark.parametrize("version", ["1.0", "1.0.3"])
def test_a_version_means_its_first_two_numbers(raw: JsonRpc | Rest, version: str) -> None:
    """VER-SERVER-001, VER-CLIENT-002: requests are read as their version says; a patch number changes nothing."""
    assert _send(raw, {"message": said("complete-task")}, {"A2A-Version": version}).state == COMPLETED


def test_no_version_means_the_first_one(jsonrpc: JsonRpc) -> None:
    """VER-SERVER-003: an empty version is 0.3."""
    old = {"kind": "message", "role": "user", "messageId": f"tck-complete-task-{uuid4()}"}
    params = {"message": {**old, "parts": [{"kind": "text", "text": "Hello"}]}}
    answer = jsonrpc.call("message/send", params, headers={"A2A-Version": ""})
    assert answer.result is not None, answer.error
    assert (answer.result["kind"], answer.result["status"]["state"]) == ("task", "completed")
    refused = jsonrpc.call("SendMessage", {"message": said("complete-task")}, headers={"A2A-Version": ""})
    assert refused.error is not None


def test_a_response_is_json(raw: JsonRpc | Rest) -> None:
    """JSONRPC-FMT-001, JSONRPC-FMT-002, HTTP_JSON-SVC-001: answers are application/json, in JSON-RPC with the id of
    their request; successes have a status of 2xx (HTTP_JSON-STATUS-001)."""
    answer = raw.send(said("complete-task"))
    assert answer.http.is_success
    assert answer.http.headers["content-type"].startswith("application/json")
    if raw.name == "jsonrpc":
        assert answer.http.json()["id"] == json.loads(answer.http.request.content)["id"]


@pytest.mark.parametrize("method", _METHODS)
def test_each_method_has_its_name(jsonrpc: JsonRpc, method: str) -> None:
    """JSONRPC-SVC-001: every method of the spec is known by its name."""
    answer = jsonrpc.call(method, {})
    assert answer.error is None or answer.error["code"] != -32601


@pytest.mark.parametrize("method", ["NonExistentMethod", "sendMessage", "nonexistent/method"])
def test_no_other_method_is_known(jsonrpc: JsonRpc, method: str) -> None:
    """CORE-ERR-001: an unknown method is JSON-RPC's own error."""
    answer = jsonrpc.call(method, {})
    assert answer.error is not None
    assert answer.error["code"] == -32601


def test_extensions_may_be_named(raw: JsonRpc | Rest) -> None:
    """JSONRPC-SVC-002, HTTP_JSON-SVC-002: service parameters are headers; unknown extensions are no error."""
    assert _send(raw, {"message": said("complete-task")}, _EXTENSIONS).state == COMPLETED


def test_resources_have_the_urls_of_the_spec(rest: Rest) -> None:
    """HTTP_JSON-URL-001, HTTP_JSON-URL-002, HTTP_JSON-QP-001: each operation has its verb and path, and names in
    queries are in camel case."""
    task = rest.call("POST", "/message:send", {"message": said("input-required")}).task
    assert rest.call("GET", f"/tasks/{task['id']}", query={"historyLength": 1}).task["id"] == task["id"]
    listed = rest.call("GET", "/tasks", query={"contextId": task["contextId"], "pageSize": 1}).result
    assert listed is not None
    assert [found["id"] for found in listed["tasks"]] == [task["id"]]
    made = rest.call("POST", f"/tasks/{task['id']}/pushNotificationConfigs", {"url": "https://example.com/hook"}).result
    assert made is not None
    path = f"/tasks/{task['id']}/pushNotificationConfigs/{made['id']}"
    assert rest.call("GET", path).error is None
    assert rest.call("DELETE", path).error is None
    assert rest.call("POST", f"/tasks/{task['id']}:cancel").state == "TASK_STATE_CANCELED"


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_trailing_slash_changes_nothing(jsonrpc: JsonRpc, slash: str) -> None:
    """JSONRPC-FMT-001: clients join URLs in their own ways; none is redirected."""
    url = jsonrpc.url.rstrip("/") + slash
    assert jsonrpc.call("SendMessage", {"message": said("complete-task")}, url=url).state == COMPLETED


def test_a_body_must_be_json_by_its_type(jsonrpc: JsonRpc, rest: Rest) -> None:
    """JSONRPC-SSE-002, HTTP_JSON-STATUS-001: another Content-Type is a ContentTypeNotSupportedError."""
    headers = {"Content-Type": "text/plain", "A2A-Version": "1.0"}
    for wire, url, body in (
        (jsonrpc, jsonrpc.url, "{'jsonrpc': '2.0'}"),
        (rest, f"{rest.url}/message:send", json.dumps({"message": said("complete-task")})),
    ):
        response = httpx.post(url, content=body, headers=headers, timeout=30)
        assert response.json()["error"]["code"] == ERRORS["CONTENT_TYPE_NOT_SUPPORTED"][wire.name == "http_json"]
        assert wire.name == "jsonrpc" or response.status_code == 415


def test_unknown_fields_are_ignored(wire: Wire) -> None:
    """DM-SERIAL-005: what a later version adds does not disturb."""
    answer = wire.send({**said("complete-task"), "tckUnknownField": {"deep": [1]}}, tckExtraParam=42)
    assert answer.state == COMPLETED
