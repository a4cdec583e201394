"""What goes wrong inside the server is told as little as possible, and passes."""

import asyncio
from pathlib import Path

import pytest
from tests.plugins.protocol_a2a.edge import CARD, NEW, call, message, serve_agents
from tests.plugins.protocol_langgraph.graphs import chat

from longline.asgi.types import ASGIApp, Receive, Scope, Send
from longline.errors import GraphLoadError, IdentityAwayError, LonglineError, SourceAwayError, StorageAwayError
from longline.graphs.definition import GraphDefinition
from longline.testing.protocol_client import ask
from longline_protocol_a2a import app, card_app
from longline_protocol_a2a.lazy import LazyApp
from longline_protocol_a2a.replies import refusal

pytestmark = pytest.mark.anyio
SECRET = "/srv/secret.db"


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (StorageAwayError(SECRET), 503, "the server cannot answer just now"),
        (SourceAwayError("supabase", SECRET), 503, "the server cannot answer just now"),
        (GraphLoadError("chat", SECRET, "boom"), 500, "the agent's graph cannot be loaded; the server's log says why"),
        (RuntimeError(SECRET), 500, "Internal error"),
    ],
)
async def test_faults_are_told_without_their_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, message: str
) -> None:
    async def fails(*_: object) -> None:
        raise error

    async with serve_agents(tmp_path) as (_, http):
        monkeypatch.setattr(app, "find_agent", fails)
        monkeypatch.setattr(card_app, "find_agent", fails)
        rpc = await http.post("/a2a/chat", json=call("message/send"))
        assert (rpc.status_code, rpc.json()["error"]["code"]) == (503 if status == 503 else 200, -32603)
        assert rpc.json()["error"]["message"] == message
        others = [
            await http.post("/a2a/chat/message:send", json={}, headers=NEW),
            await http.get(f"/a2a/chat{CARD}"),
            await http.get(CARD),
        ]
        assert {(one.status_code, one.json()["error"]["message"]) for one in others} == {(status, message)}
        answers = [rpc, *others]
        assert {one.headers.get("retry-after") for one in answers} == {"1" if status == 503 else None}
        assert not any(SECRET in one.text for one in answers)
        monkeypatch.undo()
        assert (await http.get(CARD)).status_code == 200


async def test_an_agent_whose_graph_is_broken_says_so_and_the_others_go_on(tmp_path: Path) -> None:
    def fails() -> object:
        raise ImportError(SECRET)

    broken_graph = GraphDefinition(graph_id="broken", origin="here", load=fails)
    async with serve_agents(tmp_path, graphs={"broken": broken_graph, "chat": chat()}) as (_, http):
        said = {"message": message()}
        told = (await http.post("/a2a/broken", json=call("message/send", said))).json()["error"]
        assert (told["code"], told["message"]) == (
            -32603,
            "the agent's graph cannot be loaded; the server's log says why",
        )
        assert (await http.get("/a2a/broken")).json()["name"] == "broken"
        answered = (await http.post("/a2a/chat", json=call("message/send", said))).json()["result"]
        assert answered["status"]["state"] == "completed"


async def test_credentials_that_nobody_can_check_now_are_answered_503() -> None:
    error: LonglineError = IdentityAwayError("the key set is away")
    answer = await ask(refusal(error), "POST", "/chat")
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert b"jsonrpc" in answer.body
    assert b"jsonrpc" not in (await ask(refusal(error), "GET", "/chat/tasks")).body


async def test_an_answer_that_breaks_before_it_begins_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve_agents(tmp_path) as (_, http):
        monkeypatch.setattr(LazyApp, "_made", broken)
        rpc = await http.post("/a2a/chat", json=call("tasks/get", {"id": "x"}))
        assert (rpc.status_code, rpc.json()["error"]["code"]) == (200, -32603)
        rest = await http.get("/a2a/chat/tasks", headers=NEW)
        assert (rest.status_code, rest.json()["error"]["message"]) == (500, "Internal error")
        assert SECRET not in rpc.text + rest.text


async def broken(_: LazyApp) -> ASGIApp:
    raise ImportError(SECRET)


async def test_an_app_is_made_once_however_many_ask_and_again_after_a_failure() -> None:
    made: list[int] = []

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def make() -> ASGIApp:
        made.append(1)
        if len(made) == 1:
            raise ImportError("not there yet")
        return answer

    lazy = LazyApp(make)
    with pytest.raises(ImportError):
        await ask(lazy, "GET", "/")
    answers = await asyncio.gather(*(ask(lazy, "GET", "/") for _ in range(5)))
    assert ([one.status for one in answers], len(made)) == ([204] * 5, 2)


async def test_an_app_is_made_beside_the_start_if_that_is_wanted(caplog: pytest.LogCaptureFixture) -> None:
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def make() -> ASGIApp:
        loop.call_soon_threadsafe(begun.set)
        raise ImportError("not there")

    lazy = LazyApp(make)
    async with asyncio.timeout(10), lazy.lifespan(preload=True):
        await begun.wait()
        while "protocol not loaded" not in caplog.messages:
            await asyncio.sleep(0.01)
    begun.clear()
    async with lazy.lifespan(preload=False):
        await asyncio.sleep(0)
    assert not begun.is_set()
