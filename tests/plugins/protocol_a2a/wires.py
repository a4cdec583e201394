"""Plain HTTP in the two bindings of A2A, so that a test sees what is on the wire and not what an SDK makes of it."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import uuid4

import httpx

SECONDS = 30
# Spec 5.4: what each error of A2A is called in ErrorInfo, in JSON-RPC and as a status of HTTP.
ERRORS = {
    "TASK_NOT_FOUND": (-32001, 404),
    "TASK_NOT_CANCELABLE": (-32002, 409),
    "PUSH_NOTIFICATION_NOT_SUPPORTED": (-32003, 400),
    "UNSUPPORTED_OPERATION": (-32004, 400),
    "CONTENT_TYPE_NOT_SUPPORTED": (-32005, 415),
    "EXTENDED_AGENT_CARD_NOT_CONFIGURED": (-32007, 400),
    "VERSION_NOT_SUPPORTED": (-32009, 400),
}
_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"

Json = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What came back. `result` without the envelope, or `error`: the code or status, and the error as it stands."""

    http: httpx.Response
    result: Json | None
    error: Json | None

    @property
    def task(self) -> Json:
        assert self.result is not None, self.error
        task = self.result.get("task", self.result)
        assert isinstance(task, dict)
        return task

    @property
    def state(self) -> str:
        return str(self.task["status"]["state"])

    @property
    def reason(self) -> str | None:
        """The reason in the ErrorInfo, which each error of A2A must have."""
        assert self.error is not None, f"no error but {self.result}"
        details = self.error.get("data") or self.error.get("details") or []
        infos = [detail for detail in details if detail.get("@type") == _ERROR_INFO]
        assert all(info["domain"] == "a2a-protocol.org" for info in infos)
        return infos[0]["reason"] if infos else None


class Wire(Protocol):
    """One binding. Methods are called what the operations of the spec are called."""

    name: str
    url: str

    def send(self, message: Json, **more: Any) -> Answer: ...
    def stream(self, message: Json, **more: Any) -> "Stream": ...
    def get(self, task_id: str, **more: Any) -> Answer: ...
    def list(self, **more: Any) -> Answer: ...
    def cancel(self, task_id: str) -> Answer: ...
    def subscribe(self, task_id: str) -> "Stream": ...
    def create_push(self, task_id: str, config: Json) -> Answer: ...
    def get_push(self, task_id: str, config_id: str) -> Answer: ...
    def list_push(self, task_id: str) -> Answer: ...
    def delete_push(self, task_id: str, config_id: str) -> Answer: ...
    def extended_card(self) -> Answer: ...
    def refuses(self, answer: Answer, reason: str) -> None: ...


@dataclass(frozen=True)
class Stream:
    """A stream that has begun, or the error that came instead. `events` have no envelope."""

    answer: Answer | None
    http: httpx.Response
    events: Iterator[Json]


class JsonRpc:
    """JSON-RPC 2.0 (spec 9)."""

    name = "jsonrpc"

    def __init__(self, url: str, client: httpx.Client) -> None:
        self.url = url
        self._client = client

    def call(self, method: str, params: object, *, headers: Mapping[str, str] | None = None, url: str = "") -> Answer:
        """One call as it stands."""
        http = self._client.post(url or self.url, json=_request(method, params), headers=headers)
        return self._answer(http)

    def http_of_send(self, message: Json) -> httpx.Response:
        """What HTTP says to a message, whatever it is."""
        return self._client.post(self.url, json=_request("SendMessage", {"message": message}))

    def send(self, message: Json, **more: Any) -> Answer:
        return self.call("SendMessage", {"message": message, **more})

    def stream(self, message: Json, **more: Any) -> Stream:
        return self._stream("SendStreamingMessage", {"message": message, **more})

    def get(self, task_id: str, **more: Any) -> Answer:
        return self.call("GetTask", {"id": task_id, **more})

    def list(self, **more: Any) -> Answer:
        return self.call("ListTasks", more)

    def cancel(self, task_id: str) -> Answer:
        return self.call("CancelTask", {"id": task_id})

    def subscribe(self, task_id: str) -> Stream:
        return self._stream("SubscribeToTask", {"id": task_id})

    def create_push(self, task_id: str, config: Json) -> Answer:
        return self.call("CreateTaskPushNotificationConfig", {"taskId": task_id, **config})

    def get_push(self, task_id: str, config_id: str) -> Answer:
        return self.call("GetTaskPushNotificationConfig", {"taskId": task_id, "id": config_id})

    def list_push(self, task_id: str) -> Answer:
        return self.call("ListTaskPushNotificationConfigs", {"taskId": task_id})

    def delete_push(self, task_id: str, config_id: str) -> Answer:
        return self.call("DeleteTaskPushNotificationConfig", {"taskId": task_id, "id": config_id})

    def extended_card(self) -> Answer:
        return self.call("GetExtendedAgentCard", {})

    def refuses(self, answer: Answer, reason: str) -> None:
        """The error is the one of that reason, in this binding."""
        assert answer.error is not None, answer.result
        assert (answer.error["code"], answer.reason) == (ERRORS[reason][0], reason)

    def _stream(self, method: str, params: Json) -> Stream:
        http = self._client.send(
            self._client.build_request("POST", self.url, json=_request(method, params)), stream=True
        )
        if "text/event-stream" not in http.headers["content-type"]:
            http.read()
            return Stream(self._answer(http), http, iter(()))
        return Stream(None, http, _events(http, envelope=True))

    @staticmethod
    def _answer(http: httpx.Response) -> Answer:
        body = http.json()
        assert body["jsonrpc"] == "2.0"
        assert set(body) in ({"jsonrpc", "id", "result"}, {"jsonrpc", "id", "error"})
        return Answer(http, body.get("result"), body.get("error"))


class Rest:
    """HTTP+JSON (spec 11)."""

    name = "http_json"

    def __init__(self, url: str, client: httpx.Client) -> None:
        self.url = url
        self._client = client

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Json | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One call as it stands."""
        http = self._client.request(method, f"{self.url}{path}", json=body, params=_query(query), headers=headers)
        return self._answer(http)

    def send(self, message: Json, **more: Any) -> Answer:
        return self.call("POST", "/message:send", {"message": message, **more})

    def stream(self, message: Json, **more: Any) -> Stream:
        return self._stream("/message:stream", {"message": message, **more})

    def get(self, task_id: str, **more: Any) -> Answer:
        return self.call("GET", f"/tasks/{task_id}", query=more)

    def list(self, **more: Any) -> Answer:
        return self.call("GET", "/tasks", query=more)

    def cancel(self, task_id: str) -> Answer:
        return self.call("POST", f"/tasks/{task_id}:cancel")

    def subscribe(self, task_id: str) -> Stream:
        return self._stream(f"/tasks/{task_id}:subscribe", None)

    def create_push(self, task_id: str, config: Json) -> Answer:
        return self.call("POST", f"/tasks/{task_id}/pushNotificationConfigs", config)

    def get_push(self, task_id: str, config_id: str) -> Answer:
        return self.call("GET", f"/tasks/{task_id}/pushNotificationConfigs/{config_id}")

    def list_push(self, task_id: str) -> Answer:
        return self.call("GET", f"/tasks/{task_id}/pushNotificationConfigs")

    def delete_push(self, task_id: str, config_id: str) -> Answer:
        return self.call("DELETE", f"/tasks/{task_id}/pushNotificationConfigs/{config_id}")

    def extended_card(self) -> Answer:
        return self.call("GET", "/extendedAgentCard")

    def refuses(self, answer: Answer, reason: str) -> None:
        """The error is the one of that reason, in this binding."""
        assert answer.error is not None, answer.result
        assert (answer.http.status_code, answer.error["code"], answer.reason) == (
            ERRORS[reason][1],
            ERRORS[reason][1],
            reason,
        )

    def _stream(self, path: str, body: object) -> Stream:
        http = self._client.send(self._client.build_request("POST", f"{self.url}{path}", json=body), stream=True)
        if "text/event-stream" not in http.headers["content-type"]:
            http.read()
            return Stream(self._answer(http), http, iter(()))
        return Stream(None, http, _events(http, envelope=False))

    @staticmethod
    def _answer(http: httpx.Response) -> Answer:
        body = http.json() if http.content else {}
        error = body.get("error") if http.is_error else None
        assert (error is not None) == http.is_error, (http.status_code, body)
        return Answer(http, None if http.is_error else body, error)


def client(token: str | None = None) -> httpx.Client:
    """What speaks 1.0, as whose token it is."""
    authorized = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.Client(headers={"A2A-Version": "1.0", **authorized}, timeout=SECONDS)


def said(case: str, text: str = "Hello", **more: Any) -> Json:
    """A message that asks the agent for one of its cases; its id is new each time."""
    return {"role": "ROLE_USER", "parts": [{"text": text}], "messageId": f"tck-{case}-{uuid4().hex}", **more}


@contextmanager
def closing(stream: Stream) -> Iterator[Iterator[Json]]:
    """The events of a stream that must have begun."""
    assert stream.answer is None, stream.answer
    try:
        yield stream.events
    finally:
        stream.http.close()


def all_of(stream: Stream) -> list[Json]:
    """Every event, once the server has closed the stream."""
    with closing(stream) as events:
        return list(events)


def _request(method: str, params: object) -> Json:
    return {"jsonrpc": "2.0", "id": uuid4().hex, "method": method, "params": params}


def _query(query: Json | None) -> dict[str, str] | None:
    return {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in query.items()} if query else None


def _events(http: httpx.Response, *, envelope: bool) -> Iterator[Json]:
    for line in http.iter_lines():
        if line.startswith("data:"):
            event = json.loads(line.removeprefix("data:"))
            if envelope:
                assert (event["jsonrpc"], "id" in event) == ("2.0", True), event
            yield event["result"] if envelope else event
