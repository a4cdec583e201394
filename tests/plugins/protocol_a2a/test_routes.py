"""From paths to the operations of an agent, and their errors as the specification has them."""

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import httpx
import pytest
from a2a.server.context import ServerCallContext
from a2a.server.request_handlers.request_handler import RequestHandler
from a2a.types import AgentCard, ListTasksResponse, Task
from a2a.utils import errors as sdk
from tests.plugins.protocol_a2a.edge import CHAT_ID, NEW, call, message, serve_agents

from longline.asgi.mount import PRINCIPAL
from longline.asgi.routes import watch_route
from longline.auth.principal import Principal
from longline.plugin_host import PluginHost
from longline_protocol_a2a.agents import AGENT_CALL, AgentCall
from longline_protocol_a2a.calls import Call, call_of
from longline_protocol_a2a.errors import STATUSES
from longline_protocol_a2a.routes import build_routes
from longline_protocol_a2a.rpc import read_call

pytestmark = pytest.mark.anyio
ANNA = Principal(identity="anna", display_name="Anna", token="secret")
ERRORS = [
    sdk.TaskNotFoundError, sdk.TaskNotCancelableError, sdk.PushNotificationNotSupportedError,
    sdk.UnsupportedOperationError, sdk.ContentTypeNotSupportedError, sdk.InvalidAgentResponseError,
    sdk.ExtendedAgentCardNotConfiguredError, sdk.ExtensionSupportRequiredError, sdk.VersionNotSupportedError,
]  # fmt: skip


class Recorder(RequestHandler):
    """Fails as it is told to, and remembers who asked."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.contexts: list[ServerCallContext] = []

    async def _did(self, context: ServerCallContext) -> None:
        self.contexts.append(context)
        if self.error is not None:
            raise self.error

    async def on_get_task(self, params: Any, context: ServerCallContext) -> Task:
        await self._did(context)
        return Task(id=params.id, context_id="c")

    on_cancel_task = on_message_send = on_create_task_push_notification_config = on_get_task  # type: ignore[assignment]
    on_get_task_push_notification_config = on_list_task_push_notification_configs = on_get_task  # type: ignore[assignment]
    on_delete_task_push_notification_config = on_get_task  # type: ignore[assignment]

    async def on_list_tasks(self, params: Any, context: ServerCallContext) -> ListTasksResponse:
        await self._did(context)
        return ListTasksResponse()

    async def on_get_extended_agent_card(self, params: Any, context: ServerCallContext) -> AgentCard:
        await self._did(context)
        return AgentCard()

    async def on_message_send_stream(self, params: Any, context: ServerCallContext) -> Any:
        await self._did(context)
        yield Task(id="t", context_id="c")

    on_subscribe_to_task = on_message_send_stream


def client_of(handler: RequestHandler, version: str = "1.0", body: dict[str, Any] | None = None) -> httpx.AsyncClient:
    """A client of the routes alone; `body` is what a request of JSON-RPC holds."""
    app = build_routes(handler, speaks_old=True)
    rpc = None if body is None else read_call(body)

    async def call_as(scope, receive, send):
        found = AgentCall(assistant_id=CHAT_ID, version=version, server_url="https://agents.example", rpc=rpc)
        await app({**scope, PRINCIPAL: ANNA, AGENT_CALL: found}, receive, send)

    return httpx.AsyncClient(transport=httpx.ASGITransport(call_as), base_url="http://localhost")


@pytest.mark.parametrize("error", ERRORS)
async def test_errors_have_the_statuses_of_the_specification(error: type[sdk.A2AError]) -> None:
    reason = sdk.A2A_ERROR_REASONS[error]
    async with client_of(Recorder(error(data={"x": "y"}))) as http:
        for verb, path in (("GET", "/tasks/t"), ("POST", "/tasks/t:cancel"), ("POST", "/tasks/t:subscribe")):
            answer = await http.request(verb, path)
            told = answer.json()["error"]
            assert (answer.status_code, told["code"], told["status"]) == (STATUSES[reason][0], *STATUSES[reason])
            assert (told["details"][0]["reason"], told["details"][0]["metadata"]) == (reason, {"x": "y"})
            assert answer.headers["content-type"] == "application/json"
            assert int(answer.headers["content-length"]) == len(answer.content)
    body = call("GetTask", {"id": "t"})
    async with client_of(Recorder(error()), body=body) as http:
        answer = await http.post("/", json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (200, sdk.JSON_RPC_ERROR_CODE_MAP[error])


def test_all_errors_of_the_sdk_have_a_status() -> None:
    assert {sdk.A2A_ERROR_REASONS[error] for error in ERRORS} == set(STATUSES)


async def test_the_handler_is_told_who_calls_which_agent_and_no_secrets() -> None:
    handler = Recorder()
    async with client_of(handler) as http:
        headers = {"Authorization": "Bearer secret", "A2A-Extensions": "https://x.example/one, https://x.example/two"}
        assert (await http.get("/tasks/t", headers=headers)).status_code == 200
    (context,) = handler.contexts
    assert call_of(context) == Call(
        principal=ANNA, assistant_id=CHAT_ID, version="1.0", url="https://agents.example", request_id=""
    )
    assert (context.user.user_name, context.user.is_authenticated) == ("anna", True)
    assert context.requested_extensions == {"https://x.example/one", "https://x.example/two"}
    assert "secret" not in repr({key: value for key, value in context.state.items() if key != "longline.principal"})


async def test_paths_that_are_not_of_the_protocol_are_unknown() -> None:
    async with client_of(Recorder()) as http:
        for path in (
            "/nope",
            "/tenant/tasks",
            "/tenant/message:send",
            "/tasks/a/b",
            "/v1",
            "/v2/message:send",
            "//tasks",
        ):
            answer = await http.get(path)
            assert (answer.status_code, answer.json()["error"]["status"]) == (404, "NOT_FOUND"), path
        wrong = await http.get("/message:send")
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
        assert (await http.put("/tasks/t/pushNotificationConfigs")).headers["allow"] == "POST, GET, HEAD"


async def test_metrics_are_told_of_routes_and_never_of_ids() -> None:
    app, seen = build_routes(Recorder(), speaks_old=True), []

    async def call_as(scope, receive, send):
        watched = watch_route(scope)
        found = AgentCall(assistant_id=CHAT_ID, version="1.0", server_url="")
        await app({**scope, PRINCIPAL: ANNA, AGENT_CALL: found}, receive, send)
        seen.append(watched.template)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(call_as), base_url="http://localhost") as http:
        for path in ("/tasks/some-id", "/tasks/t/pushNotificationConfigs/p", "/v1/tasks/t", "/tasks"):
            await http.get(path)
    assert seen == [
        "/{assistant_id}/tasks/{id}", "/{assistant_id}/tasks/{id}/pushNotificationConfigs/{push_id}",
        "/{assistant_id}/v1/tasks/{id}", "/{assistant_id}/tasks",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"": "x"},
        {"message": {}},
        {"message": {"parts": "invalid"}},
        {"message": {**message(), "role": "boss"}},
        {"message": {**message(), "parts": [{"kind": "song"}]}},
        {"message": {**message(), "messageId": 7}},
    ],
)
async def test_parameters_of_0_3_that_do_not_fit_are_told_by_name(tmp_path: Path, params: object) -> None:
    async with serve_agents(tmp_path) as (_, http):
        for method in ("message/send", "message/stream"):
            told = (await http.post("/a2a/chat", json=call(method, params))).json()
            assert (told["id"], told["error"]["code"]) == ("1", -32602)
            assert "params" in told["error"]["message"]
            assert "pydantic" not in str(told)


@pytest.mark.parametrize("params", [{"message": "x"}, {"message": {"parts": 7}}, {"message": {"role": ["x"]}}, {}])
async def test_parameters_of_1_0_that_do_not_fit_are_refused(tmp_path: Path, params: object) -> None:
    async with serve_agents(tmp_path) as (_, http):
        rpc = (await http.post("/a2a/chat", json=call("SendMessage", params), headers=NEW)).json()
        assert (rpc["id"], rpc["error"]["code"]) == ("1", -32602)
        rest = await http.post("/a2a/chat/message:send", json=params, headers=NEW)
        assert (rest.status_code, rest.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


async def test_a_callers_mistakes_leave_no_stack_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    wrong = {"message": {"parts": 7, "messageId": {"a": 1}}}
    async with serve_agents(tmp_path) as (_, http):
        for method, headers in (("SendMessage", NEW), ("SendStreamingMessage", NEW), ("message/send", {})):
            assert (await http.post("/a2a/chat", json=call(method, wrong), headers=headers)).status_code == 200
        await http.post("/a2a/chat/message:send", json=wrong, headers=NEW)
        await http.get("/a2a/chat/tasks/nope", headers=NEW)
        await http.post("/a2a/chat", content=b"{")
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []


def test_the_sdk_is_imported_with_the_first_call_and_not_before(tmp_path: Path) -> None:
    script = textwrap.dedent(
        """
        import asyncio, sys
        from pathlib import Path
        import httpx
        from longline.runtime import Runtime

        def is_there():
            return [name for name in ("a2a", "google.protobuf", "sse_starlette") if name in sys.modules]

        async def main(preload):
            values = {"server": {"database": f"sqlite:///{sys.argv[1]}/lazy.db"}, "protocol_a2a": {"preload": preload}}
            runtime = Runtime(["storage_sqlite", "protocol_a2a", "agent_tools"], values)
            async with runtime.open() as opened:
                transport = httpx.ASGITransport(opened.app)
                async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=60) as http:
                    if preload:
                        for _ in range(600):
                            if "longline_protocol_a2a.routes" in sys.modules:
                                return
                            await asyncio.sleep(0.1)
                        raise SystemExit("not imported")
                    assert (await http.post("/a2a/agent", content=b"{")).json()["error"]["code"] == -32700
                    assert is_there() == [], is_there()
                    body = {"jsonrpc": "2.0", "id": 1, "method": "tasks/get", "params": {"id": "nope"}}
                    told = await asyncio.gather(*(http.post("/a2a/agent", json=body) for _ in range(5)))
                    assert {one.json()["error"]["code"] for one in told} == {-32001}, told[0].text
                    assert len(is_there()) == 3

        asyncio.run(main(len(sys.argv) > 2))
        """
    )
    for more in ((), ("preload",)):
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path), *more], capture_output=True, text=True, timeout=100
        )
        assert done.returncode == 0, done.stderr


def test_choosing_the_plugin_imports_no_sdk() -> None:
    script = "import sys, longline.plugin_host as host; host.PluginHost(['protocol_a2a']); print('a2a' in sys.modules)"
    assert PluginHost(["protocol_a2a"]).names
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "False", done.stderr
