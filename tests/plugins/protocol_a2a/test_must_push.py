"""MUST requirements of A2A 1.0 on push notifications: sections 3.1.7 to 3.1.10 and 4.3.3, over both bindings.

Each test names the requirements of the conformance suite (branch 1.0-dev) that it stands for."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Thread
from uuid import uuid4

import pytest
from a2a.types import StreamResponse
from google.protobuf.json_format import ParseDict
from tests.plugins.protocol_a2a.test_must_core import COMPLETED, INPUT_REQUIRED
from tests.plugins.protocol_a2a.wires import SECONDS, Json, Wire, said

Delivery = tuple[dict[str, str], bytes]


class Receiver:
    """A web server that keeps what it is sent."""

    def __init__(self) -> None:
        self.deliveries: Queue[Delivery] = Queue()
        deliveries = self.deliveries

        class _Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                deliveries.put(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class calls it so
                """Nothing on stderr."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://localhost:{self._server.server_address[1]}/webhook"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(SECONDS)

    def until(self, state: str) -> list[tuple[dict[str, str], Json]]:
        """What was delivered up to the first that tells of this state."""
        told: list[tuple[dict[str, str], Json]] = []
        while not told or _state(told[-1][1]) != state:
            headers, body = self.deliveries.get(timeout=SECONDS)
            told.append((headers, json.loads(body)))
        return told


def _state(event: Json) -> str | None:
    part = event.get("task") or event.get("statusUpdate")
    return part["status"]["state"] if part else None


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def _config() -> Json:
    return {"id": f"tck-push-{uuid4()}", "url": "https://example.com/tck-push-webhook"}


@pytest.fixture(params=["complete-task", "input-required"])
def task_id(request: pytest.FixtureRequest, wire: Wire) -> str:
    """A task that has ended, and one that waits."""
    return str(wire.send(said(request.param)).task["id"])


def test_a_config_is_kept_as_it_was_made(wire: Wire, task_id: str) -> None:
    """PUSH-CREATE-001, PUSH-CREATE-002, PUSH-GET-001, PUSH-LIST-001: a config is there with its URL until it is
    deleted."""
    config = _config()
    made = wire.create_push(task_id, config).result
    assert made is not None
    assert (made["taskId"], made["id"], made["url"]) == (task_id, config["id"], config["url"])
    read = wire.get_push(task_id, config["id"]).result
    assert read == made
    listed = wire.list_push(task_id).result
    assert listed is not None
    assert listed["configs"] == [made]


def test_configs_of_a_task_are_listed_all_and_only_they(wire: Wire, task_id: str) -> None:
    """PUSH-LIST-001: all active configs of the task are returned."""
    ids = {_made(wire, task_id) for _ in range(3)}
    _made(wire, str(wire.send(said("complete-task")).task["id"]))
    listed = wire.list_push(task_id).result
    assert listed is not None
    assert {config["id"] for config in listed["configs"]} == ids


def _made(wire: Wire, task_id: str) -> str:
    made = wire.create_push(task_id, _config()).result
    assert made is not None
    return str(made["id"])


def test_a_config_that_is_none_is_an_error(wire: Wire, task_id: str) -> None:
    """PUSH-GET-002: an unknown config, and that of an unknown task, are errors."""
    known = _made(wire, task_id)
    for task, config in ((task_id, "tck-nonexistent"), ("tck-nonexistent", known)):
        answer = wire.get_push(task, config)
        assert answer.error is not None
        assert answer.http.status_code < 500


def test_a_deleted_config_is_gone(wire: Wire, task_id: str) -> None:
    """PUSH-DEL-001, PUSH-DEL-002: deleting removes the config for good, and twice is as once."""
    config_id, other = _made(wire, task_id), _made(wire, task_id)
    for _ in range(2):
        assert wire.delete_push(task_id, config_id).error is None
        assert wire.get_push(task_id, config_id).error is not None
    assert wire.get_push(task_id, other).error is None


def test_what_happens_is_delivered_with_the_callers_credentials(wire: Wire, receiver: Receiver) -> None:
    """PUSH-DELIVER-001, PUSH-DELIVER-002, PUSH-DELIVER-003: each update goes to the webhook, with the Authorization
    that the config says, as one StreamResponse."""
    config = {"url": receiver.url, "authentication": {"scheme": "Bearer", "credentials": "tck-token"}}
    answer = wire.send(said("input-required"), configuration={"taskPushNotificationConfig": config})
    assert answer.state == INPUT_REQUIRED
    wire.send(said("complete-task", taskId=answer.task["id"]))
    for headers, body in receiver.until(COMPLETED):
        assert headers["authorization"] == "Bearer tck-token"
        assert headers["content-type"].startswith("application/")
        parsed = ParseDict(body, StreamResponse())
        assert len(body) == 1
        told = getattr(parsed, parsed.WhichOneof("payload") or "")
        assert answer.task["id"] in (getattr(told, "task_id", ""), getattr(told, "id", ""))


def test_a_config_for_a_task_that_goes_on_is_used(wire: Wire, receiver: Receiver) -> None:
    """PUSH-CREATE-001: a config made in the middle of a task gets what comes after."""
    task_id = str(wire.send(said("input-required")).task["id"])
    wire.create_push(task_id, {"url": receiver.url, "token": "the token"})
    wire.send(said("complete-task", taskId=task_id))
    told = receiver.until(COMPLETED)
    assert {headers["x-a2a-notification-token"] for headers, _ in told} == {"the token"}
