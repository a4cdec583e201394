"""What the operator says of runs holds for every way to ask for one: paths, commands, a WebSocket."""

from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest
from tests.plugins.protocol_langgraph.conftest import Serve
from tests.plugins.protocol_langgraph.graphs import asking, counting, seeing
from tests.plugins.protocol_langgraph.test_v2_commands import command, finished
from websockets.asyncio.client import connect

from longline.models.events import ThreadPlace
from longline_protocol_langgraph.protocol_v2.recent import RecentStarts

pytestmark = pytest.mark.anyio

HEADERS = {"configurable_headers": {"includes": ["x-*"]}}
SENT = {"x-foo": "bar", "x-request-id": "rq-1"}
LIMIT = 20


def http_settings(**http: object) -> dict[str, dict[str, object]]:
    return {"protocol_langgraph": {"http": http}}


async def test_headers_reach_runs_that_commands_start(serve: Serve) -> None:
    async with (
        serve({"see": seeing()}, http_settings(**HEADERS)) as served,
        httpx.AsyncClient(base_url=served.url, headers=SENT, timeout=LIMIT) as http,
    ):
        thread_id = str(uuid4())
        made_up = {"configurable": {"x-foo": "made up"}}
        answer = await command(http, thread_id, "run.start", assistant_id="see", input={}, config=made_up)
        told = (await finished(http, thread_id, answer))["told"]
        assert (told["x-foo"], told["x-request-id"]) == ("bar", "rq-1")
        place = f"{served.url.replace('http', 'ws')}/threads/{thread_id}/stream/events"
        async with connect(place, additional_headers={"x-foo": "of the socket"}) as socket:
            body = {"id": 7, "method": "run.start", "params": {"assistant_id": "see", "input": {}}}
            await socket.send(orjson.dumps(body).decode())
            answer = orjson.loads(await socket.recv())
        assert (await finished(http, thread_id, answer))["told"]["x-foo"] == "of the socket"


async def test_without_webhooks_commands_call_nobody_either(serve: Serve) -> None:
    async with (
        serve({"count": counting()}, http_settings(disable_webhooks=True)) as served,
        httpx.AsyncClient(base_url=served.url, timeout=LIMIT) as http,
    ):
        thread_id, hook = str(uuid4()), "http://127.0.0.1:1/hook"
        answer = await command(http, thread_id, "run.start", assistant_id="count", input={"x": 1}, webhook=hook)
        assert await finished(http, thread_id, answer) == {"x": 2}
        (run,) = (await http.get(f"/threads/{thread_id}/runs")).json()
        assert run["kwargs"]["webhook"] is None


async def test_without_runs_commands_start_and_end_none(serve: Serve) -> None:
    interrupt: dict[str, Any] = {"interrupt_id": "i", "response": 1}
    asked = {
        "run.start": {"assistant_id": "ask", "input": {"topic": "a"}}, "run.cancel": {"run_id": str(uuid4())},
        "input.respond": interrupt, "state.fork": {"checkpoint_id": "c"},
    }  # fmt: skip
    async with (
        serve({"ask": asking()}, http_settings(disable_runs=True)) as served,
        httpx.AsyncClient(base_url=served.url, timeout=LIMIT) as http,
    ):
        thread_id = (await http.post("/threads", json={})).json()["thread_id"]
        for method, params in asked.items():
            answer = await command(http, thread_id, method, **params)
            assert (answer["type"], answer["error"]) == ("error", "not_supported"), method
        assert (await command(http, thread_id, "state.get"))["type"] == "success"
        (thread,) = (await http.post("/threads/search", json={})).json()
        assert thread["status"] == "idle"


async def test_who_may_not_run_on_a_thread_changes_nothing_for_those_who_follow_it(serve: Serve) -> None:
    async with serve({"ask": asking()}) as served:
        recent = RecentStarts(served.server)
        async with recent.starting("t", 3):
            pass
        before = await recent.unheard("t", frozenset({"values"}))
        assert isinstance(before, ThreadPlace)
        for thread_id in ("t", "other"):
            with pytest.raises(PermissionError):
                async with recent.starting(thread_id, 9):
                    raise PermissionError
        assert await recent.unheard("t", frozenset({"values"})) == before
        assert await recent.unheard("other", frozenset({"values"})) is None
        await recent.heard("t", 3, frozenset({"values"}))
        assert await recent.unheard("t", frozenset({"values"})) is None
        assert await recent.unheard("t", frozenset({"values", "input"})) == before
