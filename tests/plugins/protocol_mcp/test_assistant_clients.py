"""Real clients call assistants as tools: the SDK's in Python and in JavaScript, LangChain's adapters."""

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain_mcp_adapters.client import MultiServerMCPClient
from mcp.shared.exceptions import McpError
from mcp.types import CancelledNotification, CancelledNotificationParams, ClientNotification, ElicitResult
from tests.clients.node import copied_scripts, installed_packages
from tests.plugins.protocol_mcp.assistant_clients import connected, serve_tools, text_of, told
from tests.plugins.protocol_mcp.assistant_graphs import asking, counting, failing, parrot
from tests.plugins.protocol_mcp.raw import Raw, call, result
from tests.races.graphs import Gate, gated

from longline.auth.principal import LOCAL
from longline.ids import new_id
from longline.models.runs import RunQuery, RunStatus
from longline.services.server import Server

pytestmark = pytest.mark.anyio
SCRIPTS = Path(__file__).with_name("js")
WAIT_SECONDS = 20


async def ended(server: Server, thread_id: str) -> RunStatus | None:
    """How the only run of the thread ended."""
    (run,) = await server.runs.search(LOCAL, RunQuery(thread_id=thread_id))
    _, reader = await server.runs.join(LOCAL, thread_id, run.run_id, only_end=True)
    with reader:
        end = await reader.wait_for_end(WAIT_SECONDS)
    return end.status if end is not None else None


async def test_the_python_client_lists_calls_and_goes_on(tmp_path: Path) -> None:
    async with (
        serve_tools(tmp_path, {"parrot": parrot(), "fail": failing()}) as served,
        connected(served) as client,
    ):
        assert sorted(tool.name for tool in (await client.list_tools()).tools) == ["fail", "parrot"]
        heard: list[float] = []

        async def hear(progress: float, total: float | None, message: str | None) -> None:
            heard.append(progress)

        first = await client.call_tool("parrot", {"messages": "one"}, progress_callback=hear)
        second = await client.call_tool("parrot", {"message": "two", "thread_id": told(first)["thread_id"]})
        assert [text_of(first), text_of(second)] == ["1: one", "2: two"]
        assert heard
        assert heard == sorted(set(heard))
        failed = await client.call_tool("fail", {"x": 1})
        assert failed.isError
        assert text_of(failed) == "ValueError"
        wrong = await client.call_tool("fail", {"x": "one"})
        assert wrong.isError
        assert "is not of type 'integer'" in text_of(wrong)
        with pytest.raises(McpError, match="Unknown tool: nope"):
            await client.call_tool("nope", {})


async def test_a_client_whose_server_was_restarted_goes_on_in_its_thread(tmp_path: Path) -> None:
    async with serve_tools(tmp_path, {"parrot": parrot()}) as served, connected(served) as client:
        thread_id = told(await client.call_tool("parrot", {"messages": "one"}))["thread_id"]
    async with serve_tools(tmp_path, {"parrot": parrot()}) as served, connected(served) as client:
        assert text_of(await client.call_tool("parrot", {"messages": "two", "thread_id": thread_id})) == "2: two"


async def test_a_question_is_put_to_the_person_in_the_middle_of_the_call(tmp_path: Path) -> None:
    asked: list[str] = []

    async def answer(context: object, params: Any) -> ElicitResult:
        asked.append(params.message)
        return ElicitResult(action="accept", content={"answer": "yes"})

    async with (
        serve_tools(tmp_path, {"ask": asking("Really?")}) as served,
        connected(served, elicitation_callback=answer) as client,
    ):
        result = await client.call_tool("ask", {"topic": "x"})
    assert asked == ["Really?"]
    assert told(result)["answers"] == ["yes"]


async def test_a_client_that_cannot_ask_answers_with_a_second_call(tmp_path: Path) -> None:
    async with serve_tools(tmp_path, {"ask": asking("Really?")}) as served, connected(served) as client:
        first = told(await client.call_tool("ask", {}))
        (question,) = first["interrupts"]
        assert question["value"] == "Really?"
        second = await client.call_tool("ask", {"thread_id": first["thread_id"], "resume": {"a": 1}})
        assert told(second)["answers"] == [{"a": 1}]


async def test_cancelling_a_call_stops_its_run(tmp_path: Path) -> None:
    gate, thread_id = Gate(), new_id()
    async with (
        serve_tools(tmp_path, {"gated": gated(gate)}) as served,
        connected(served) as client,
        asyncio.timeout(WAIT_SECONDS),
    ):
        calling = asyncio.create_task(client.call_tool("gated", {"name": "x", "thread_id": thread_id}))
        await gate.reached.wait()
        params = CancelledNotificationParams(requestId=client._request_id - 1)  # the SDK tells it in no other way
        await client.send_notification(
            ClientNotification(CancelledNotification(method="notifications/cancelled", params=params))
        )
        with pytest.raises(McpError, match="cancelled"):
            await calling
        assert await ended(served.server, thread_id) is RunStatus.INTERRUPTED
    assert not gate.opened.is_set()


async def test_langchains_adapters_give_the_assistants_to_a_model(tmp_path: Path) -> None:
    async with serve_tools(tmp_path, {"parrot": parrot(), "count": counting()}) as served:
        client = MultiServerMCPClient({"longline": {"transport": "streamable_http", "url": f"{served.url}/mcp"}})
        tools = {tool.name: tool for tool in await client.get_tools()}
        assert set(tools) == {"parrot", "count"}
        told_to_model: Any = await tools["parrot"].ainvoke({"messages": "hello"})
        assert told_to_model[0]["text"] == "1: hello"
        call = {"name": "count", "args": {"x": 1}, "id": "1", "type": "tool_call"}
        message: Any = await tools["count"].ainvoke(call)
        assert json.loads(message.content[0]["text"]) == {"x": 2}
        assert message.artifact["structured_content"]["x"] == 2


async def test_the_javascript_client_does_the_same(tmp_path: Path) -> None:
    home = await asyncio.to_thread(installed_packages, SCRIPTS)
    script = copied_scripts(home, SCRIPTS) / "client.mjs"
    gate, thread_id = Gate(), new_id()
    graphs = {
        "parrot": parrot(), "ask": asking("Really?"), "fail": failing(), "count": counting(), "gated": gated(gate),
    }  # fmt: skip
    async with serve_tools(tmp_path, graphs) as served:
        command = ["node", str(script), f"{served.url}/mcp", thread_id]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert await ended(served.server, thread_id) is RunStatus.INTERRUPTED
    assert report["names"] == sorted(graphs)
    assert [report[name]["content"][0]["text"] for name in ("first", "second")] == ["1: one", "2: two"]
    assert report["asked"]["structuredContent"]["answers"] == ["yes"]
    assert report["questions"] == ["Really?"]
    assert report["failed"] | {"structuredContent": None} == {
        "content": [{"type": "text", "text": "ValueError"}], "isError": True, "structuredContent": None,
    }  # fmt: skip
    assert report["wrong"]["isError"]
    assert report["unknown"] == {"code": -32602}
    assert report["progress"] == sorted(set(report["progress"]))
    assert report["progress"]
    assert report["cancelled"] == "gave up"
    assert report["session"]


async def test_a_call_that_a_restart_interrupts_is_found_in_its_thread(tmp_path: Path) -> None:
    gate, thread_id = Gate(), new_id()
    graphs = {"gated": gated(gate)}
    async with asyncio.timeout(2 * WAIT_SECONDS):
        async with serve_tools(tmp_path, graphs) as served, connected(served, says_goodbye=False) as client:
            calling = asyncio.create_task(client.call_tool("gated", {"name": "x", "thread_id": thread_id}))
            await gate.reached.wait()
            calling.cancel()  # the SDK tells the server nothing of it, like a client that is killed
            with pytest.raises(asyncio.CancelledError):
                await calling
        gate.opened.set()
        async with serve_tools(tmp_path, graphs) as served, connected(served) as client:
            result = await client.call_tool("gated", {"name": "y", "thread_id": thread_id})
            assert told(result)["steps"] == ["before", "gate of x", "after", "before", "gate of y", "after"]


async def test_a_client_whose_session_is_gone_begins_anew_and_goes_on_in_its_thread(tmp_path: Path) -> None:
    async with (
        serve_tools(tmp_path, {"parrot": parrot()}) as served,
        httpx.AsyncClient(base_url=served.url, timeout=WAIT_SECONDS) as http,
    ):
        client = Raw(http)
        session = await client.open()
        first = result(await client.post(call("parrot", {"messages": "one"}), session))
        assert (await client.delete(session)).status_code == 200
        again = call("parrot", {"messages": "two", "thread_id": first["structuredContent"]["thread_id"]})
        assert (await client.post(again, session)).status_code == 404
        second = result(await client.post(again, await client.open()))
        assert second["content"] == [{"type": "text", "text": "2: two"}]
