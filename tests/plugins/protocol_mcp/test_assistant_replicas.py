"""Tools whose runs other servers on the same database execute."""

import asyncio
from pathlib import Path

import httpx
import pytest
from tests.plugins.protocol_langgraph.served import serve_graphs
from tests.plugins.protocol_mcp.assistant_calling import Heard, Tools, words
from tests.plugins.protocol_mcp.assistant_clients import connected, text_of, told
from tests.plugins.protocol_mcp.assistant_graphs import asking, parrot
from tests.plugins.protocol_mcp.raw import Raw, call
from tests.races.graphs import Gate, gated
from tests.races.replicas import OpenReplicas, database_url, no_net, occupied, open_replicas, template

from longline.auth.principal import LOCAL
from longline.ids import new_id
from longline.models.runs import RunQuery, RunStatus
from longline_protocol_mcp.assistants import AssistantTools

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_net")]
__all__ = ["database_url", "no_net", "open_replicas", "template"]
WAIT_SECONDS = 20


async def test_a_call_hears_what_a_run_elsewhere_says_and_its_answer(open_replicas: OpenReplicas) -> None:
    block = Gate()
    async with open_replicas({"parrot": parrot(), "block": gated(block)}) as (here, _):
        tools = Tools(server=here, tools=AssistantTools(here))
        async with occupied(here, "block", block), asyncio.timeout(WAIT_SECONDS):
            heard = Heard()
            result = await tools.call("parrot", {"messages": "from afar"}, caller=heard)
            assert words(result) == "1: from afar"
            assert [message for _, message in heard.progress_told][-1] == "answer"
            assert words(await tools.call("parrot", {"messages": "again"})) == "1: again"


async def test_a_cancelled_call_stops_its_run_elsewhere(open_replicas: OpenReplicas) -> None:
    block, gate = Gate(), Gate()
    async with open_replicas({"block": gated(block), "gated": gated(gate)}) as (here, there):
        tools = Tools(server=here, tools=AssistantTools(here))
        async with occupied(here, "block", block), asyncio.timeout(WAIT_SECONDS):
            thread_id = new_id()
            calling = asyncio.create_task(tools.call("gated", {"thread_id": thread_id}))
            await gate.reached.wait()
            calling.cancel()
            with pytest.raises(asyncio.CancelledError):
                await calling
            await tools.tools.settle()
            (run,) = await there.runs.search(LOCAL, RunQuery(thread_id=thread_id))
            _, reader = await there.runs.join(LOCAL, thread_id, run.run_id, only_end=True)
            with reader:
                end = await reader.wait_for_end(WAIT_SECONDS)
            assert end is not None
            assert end.status is RunStatus.INTERRUPTED
        assert not gate.opened.is_set()


async def test_a_question_is_answered_at_another_server(open_replicas: OpenReplicas) -> None:
    async with open_replicas({"ask": asking("Really?", "Sure?")}) as (one, two):
        here, there = (Tools(server=server, tools=AssistantTools(server)) for server in (one, two))
        first = (await here.call("ask", {})).structured or {}
        again = {"thread_id": first["thread_id"], "resume": "yes"}
        assert "Sure?" in words(await there.call("ask", again))
        last = await here.call("ask", again)
        assert (last.structured or {})["answers"] == ["yes", "yes"]


async def test_a_client_goes_on_at_another_server(database_url: str, tmp_path: Path) -> None:
    settings = {"server": {"database": database_url}}
    plugins = ("storage_postgres", "protocol_mcp")
    graphs = {"parrot": parrot(), "ask": asking("Really?")}
    async with (
        serve_graphs(tmp_path, graphs, settings, plugins=plugins) as one,
        serve_graphs(tmp_path, graphs, settings, plugins=plugins) as two,
    ):
        async with connected(one) as client:
            first = told(await client.call_tool("parrot", {"messages": "one"}))
            asked = told(await client.call_tool("ask", {}))
        async with connected(two) as client:
            second = await client.call_tool("parrot", {"messages": "two", "thread_id": first["thread_id"]})
            assert text_of(second) == "2: two"
            answer = {"thread_id": asked["thread_id"], "resume": "yes"}
            assert told(await client.call_tool("ask", answer))["answers"] == ["yes"]


async def test_a_client_that_leaves_stops_its_run_elsewhere(
    database_url: str, open_replicas: OpenReplicas, tmp_path: Path
) -> None:
    gate, block, thread_id = Gate(), Gate(), new_id()
    graphs = {"gated": gated(gate), "block": gated(block)}
    settings = {"server": {"database": database_url, "runs": 2}}
    async with (
        serve_graphs(tmp_path, graphs, settings, plugins=("storage_postgres", "protocol_mcp")) as here,
        open_replicas(graphs, 1) as (there,),
        occupied(here.server, "block", block),
        asyncio.timeout(WAIT_SECONDS),
    ):
        async with httpx.AsyncClient(base_url=here.url) as http:
            calling = asyncio.create_task(Raw(http).post(call("gated", {"thread_id": thread_id})))
            await gate.reached.wait()
            calling.cancel()
            with pytest.raises(asyncio.CancelledError):
                await calling
        (run,) = await there.runs.search(LOCAL, RunQuery(thread_id=thread_id))
        _, reader = await there.runs.join(LOCAL, thread_id, run.run_id, only_end=True)
        with reader:
            end = await reader.wait_for_end(WAIT_SECONDS)
        assert end is not None
        assert end.status is RunStatus.INTERRUPTED
