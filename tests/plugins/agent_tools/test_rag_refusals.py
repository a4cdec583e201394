"""What goes wrong with collections of documents costs an answer, never the run, and tells nothing secret."""

import logging
import socket
import threading
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import SecretStr
from tests.plugins.agent_tools.conftest import ask
from tests.plugins.agent_tools.rag_agents import HERE, called, load_rag, names, rag
from tests.plugins.agent_tools.rag_server import HANDBOOK, TOKEN, RagServer

from longline.auth.kept_token import CALLER_TOKEN
from longline.errors import InvalidInputError


@pytest.mark.anyio
@pytest.mark.parametrize("domains", [[], ["documents.example.com"], ["*.example.com"]])
async def test_the_callers_token_is_shown_to_nobody_else(documents: RagServer, domains: list[str]) -> None:
    documents.token = TOKEN
    configurable = {CALLER_TOKEN: SecretStr(TOKEN)}
    agent = await load_rag(rag_token_domains=domains)(rag=rag(documents), **configurable)
    message = await called(agent, f'call collection_{HANDBOOK} {{"query": "x"}}', **configurable)
    assert message.status == "error"
    assert "agent_tools.rag_token_domains" in str(message.content)
    assert all("authorization" not in asked.headers for asked in documents.asked)
    assert TOKEN not in repr(documents.asked)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ((500, {}, b"boom"), "it answers HTTP 500"),
        ((401, {}, b"no"), "it wants to know the caller"),
        ((404, {}, b"no"), "no such collection"),
        ((302, {"location": "/elsewhere"}, b""), "it redirects to another place"),
        ((200, {}, b"not json"), "it answers what is no result of a search"),
        ((200, {}, b'{"documents": []}'), "it answers what is no result of a search"),
        ((200, {}, b'["text"]'), "it answers what is no result of a search"),
        ((200, {}, b"[" * 100_000), "it answers what is no result of a search"),
        ((200, {}, b"[]" + b" " * 2_000_000), "its answer is too large"),
        ((200, {"content-length": "9999"}, b"[]"), "the connection broke"),
    ],
)
async def test_a_server_that_fails_costs_its_tools_answer(
    documents: RagServer, raw: tuple[int, dict[str, str], bytes], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    documents.raw = raw
    agent = await load_rag(rag_answer_mib=1)(rag=rag(documents))
    (name,) = [name for name in await names(agent) if name not in ("calculate", "current_time")]
    with caplog.at_level(logging.WARNING):
        message = await called(agent, f'call {name} {{"query": "x"}}')
    assert message.status == "error"
    assert reason in str(message.content)
    (record,) = [record for record in caplog.records if record.msg == "collection not searched"]
    assert record.server == documents.url  # type: ignore[attr-defined]


@pytest.mark.anyio
@pytest.mark.parametrize("token", ["schlüssel", "two\nlines", "\ud800"])
async def test_a_token_that_no_header_can_carry_costs_the_answer(documents: RagServer, token: str) -> None:
    configurable = {CALLER_TOKEN: SecretStr(token)}
    agent = await load_rag(**HERE)(rag=rag(documents), **configurable)
    message = await called(agent, f'call collection_{HANDBOOK} {{"query": "x"}}', **configurable)
    assert message.status == "error"
    assert documents.asked == []


@pytest.mark.anyio
async def test_a_server_that_is_not_there_costs_its_tools_answer() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        agent = await load_rag()(rag={"rag_url": url, "collections": ["a"]})
        message = await called(agent, 'call collection_a {"query": "x"}')
        assert (message.status, "it cannot be reached" in str(message.content)) == ("error", True)
        assert "4" in (await agent.ainvoke(ask("What is 2 + 2?")))["messages"][-1].text


@pytest.mark.anyio
async def test_a_server_that_says_nothing_is_not_waited_for(documents: RagServer) -> None:
    documents.silence = threading.Event()
    agent = await load_rag(rag_search_seconds=0.1, rag_describe_seconds=0.1)(rag=rag(documents))
    message = await called(agent, f'call collection_{HANDBOOK} {{"query": "x"}}')
    assert message.status == "error"
    assert "it was silent for too long" in str(message.content)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "url",
    ["not a url", "ftp://a.example/", "http://", "http://[::1", "http://user:pw@127.0.0.1/", "http://a.b.invalid/"],
)
async def test_a_url_that_nobody_can_call_costs_its_tools_answer(url: str) -> None:
    agent = await load_rag()(rag={"rag_url": url, "collections": ["a"]})
    message = await called(agent, 'call collection_a {"query": "x"}')
    assert message.status == "error"
    assert "pw" not in str(message.content)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "rules",
    [{"rag_domains": ["*.example.com"]}, {"rag_loopback": False}, {"rag_require_https": True}, {"rag_ports": [443]}],
)
async def test_the_operator_says_which_servers_may_be_called(documents: RagServer, rules: dict[str, Any]) -> None:
    agent = await load_rag(**rules)(rag=rag(documents))
    message = await called(agent, f'call collection_{HANDBOOK} {{"query": "x"}}')
    assert "its URL is refused" in str(message.content)
    assert documents.asked == []


@pytest.mark.anyio
async def test_a_network_may_be_called_although_it_is_not_public(documents: RagServer) -> None:
    rules = {"rag_loopback": False, "rag_networks": ["127.0.0.0/8"]}
    assert (await called(await load_rag(**rules)(rag=rag(documents)))).status == "success"


@pytest.mark.anyio
@pytest.mark.parametrize("arguments", ["{}", '{"query": ""}', '{"query": 5}', '{"config": {}, "run_manager": 1}'])
async def test_arguments_without_a_query_are_told_so(documents: RagServer, arguments: str) -> None:
    message = await called(await load_rag()(rag=rag(documents)), f"call Handbucher_Grosse {arguments}")
    assert (message.status, "query must be a text" in str(message.content)) == ("error", True)
    assert documents.searches() == []


@pytest.mark.anyio
async def test_a_secret_in_the_url_is_in_no_stream_checkpoint_log_or_error(
    documents: RagServer, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "sec-9f8e7d6c"
    documents.raw = (500, {}, secret.encode())
    configurable = {
        "thread_id": "t",
        "rag": {"rag_url": SecretStr(f"{documents.url}/?token={secret}"), "collections": [HANDBOOK]},
        CALLER_TOKEN: SecretStr(secret),
    }
    saver, make = InMemorySaver(), load_rag(**HERE)
    shown: list[object] = []
    with caplog.at_level(logging.DEBUG, logger="longline_agent_tools"):
        made = await make(**configurable)
        assert await make(**configurable) is not made, "an agent with a secret in it is nobody else's"
        agent = made.copy(update={"checkpointer": saver})
        modes = ["values", "updates", "messages", "debug", "tasks", "checkpoints", "custom"]
        text = f'call collection_{HANDBOOK} {{"query": "x"}}'
        parts = agent.astream(ask(text), {"configurable": configurable}, stream_mode=modes)
        shown += [part async for part in parts]
        shown += [event async for event in agent.astream_events(ask(text), {"configurable": configurable})]
    shown += [saver.storage, saver.blobs, saver.writes, [tuple(c) for c in saver.list(None)]]
    shown += [record.__dict__ for record in caplog.records]
    assert "it answers HTTP 500" in repr(shown)
    assert secret not in "".join(f"{item!r}{item}" for item in shown)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "value",
    ["x", [], {"rag_url": 5}, {"collections": "a"}, {"collections": [{}]}, {"collections": [["a"]]},
     {"collections": [".."]}, {"collections": ["a/../b"]}, {"collections": ["ü"]}, {"collections": ["x" * 300]},
     {"collections": [str(n) for n in range(33)]}],
)  # fmt: skip
async def test_what_is_no_collection_is_refused(value: object) -> None:
    with pytest.raises(InvalidInputError, match="bad configuration of the agent: rag"):
        await load_rag()(rag=value)
