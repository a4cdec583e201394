"""Collections of documents as tools of the graph `agent`, over a real HTTP server."""

import json
import logging
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.messages import ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import SecretStr
from tests.plugins.agent_tools.conftest import MakeAgent, ask, load_agent, tool_of
from tests.plugins.agent_tools.rag_server import HANDBOOK, LAWS, TOKEN, RagServer, serving_documents

from longline.auth.kept_token import CALLER_TOKEN
from longline.errors import InvalidInputError
from longline.tools.tool import Tool

SEARCH = 'call Handbucher_Grosse {"query": "Wie groß?"}'
HERE = {"token_domains": ["127.0.0.1"]}


@pytest.fixture
def documents() -> Iterator[RagServer]:
    collections = {
        HANDBOOK: {"name": "Handbücher Große", "metadata": {"description": "Alles über Größen und Maße."}},
        LAWS: {"name": "Gesetze", "metadata": {}},
    }
    found = [
        {"id": "d1", "page_content": "Die Tür ist 2 m groß — „genau“.", "metadata": {"source": "Maße.pdf", "page": 3}},
        {"id": "d2", "page_content": "Übermaß", "metadata": None, "score": 0.2},
    ]
    with serving_documents(collections=collections, found=found) as server:
        yield server


def rag(server: RagServer, *collections: str, suffix: str = "") -> dict[str, object]:
    return {"rag_url": server.url + suffix, "collections": list(collections or (HANDBOOK,))}


def load_rag(*tools: Tool, url: dict[str, object] | None = None, **settings: object) -> MakeAgent:
    """The factory with these settings of retrieval: servers on this machine may be called, unless `url` says no."""
    return load_agent(*tools, rag={"url": {"disable_loopback": False} if url is None else url, **settings})


async def called(agent: Any, text: str = SEARCH, **configurable: object) -> ToolMessage:
    """What the tool told the model."""
    result = await agent.ainvoke(ask(text), {"configurable": configurable})
    (message,) = [message for message in result["messages"] if isinstance(message, ToolMessage)]
    return message


async def names(agent: Any) -> list[str]:
    tools = agent.get_graph().nodes.get("tools")
    return [] if tools is None else list(tools.data.tools_by_name)


@pytest.mark.anyio
async def test_a_collection_is_a_tool_that_finds_documents_with_their_sources(documents: RagServer) -> None:
    agent = await load_rag()(rag=rag(documents))
    message = await called(agent)
    assert message.status == "success"
    assert json.loads(str(message.content)) == {
        "documents": [
            {"source": "Maße.pdf, page 3", "content": "Die Tür ist 2 m groß — „genau“."},
            {"source": "d2", "content": "Übermaß"},
        ]
    }
    assert "Die Tür ist 2 m groß" in str(message.content), "umlauts are letters, not escapes"
    (search,) = documents.searches()
    assert search.path == f"/collections/{HANDBOOK}/documents/search"
    assert search.body == {"query": "Wie groß?", "limit": 10}
    assert "authorization" not in search.headers


@pytest.mark.anyio
async def test_tools_are_called_and_described_as_their_collections(documents: RagServer) -> None:
    agent = await load_rag()(rag=rag(documents, HANDBOOK, LAWS), agent_tools=[])
    tools = agent.get_graph().nodes["tools"].data.tools_by_name
    assert list(tools) == ["Handbucher_Grosse", "Gesetze"]
    description = tools["Handbucher_Grosse"].description
    assert "'Handbücher Große'" in description
    assert description.endswith("Alles über Größen und Maße.")


@pytest.mark.anyio
async def test_no_two_tools_are_called_alike(documents: RagServer) -> None:
    documents.collections = {
        "a": {"name": "calculate"}, "b": {"name": "Akten"}, "c": {"name": "Akten"}, "d": {"name": "日本" * 60}, "e": {},
    }  # fmt: skip
    agent = await load_rag()(rag=rag(documents, "a", "b", "c", "d", "e", "b"), agent_tools=["calculate"])
    assert await names(agent) == ["calculate", "search_calculate", "Akten", "search_Akten", "_", "collection_e"]


@pytest.mark.anyio
async def test_the_callers_token_is_shown_where_the_operator_allows_it(documents: RagServer) -> None:
    documents.token = TOKEN
    configurable = {CALLER_TOKEN: SecretStr(TOKEN)}
    agent = await load_rag(**HERE)(rag=rag(documents), **configurable)
    assert (await called(agent, **configurable)).status == "success"
    assert {asked.headers["authorization"] for asked in documents.asked} == {f"Bearer {TOKEN}"}


@pytest.mark.anyio
@pytest.mark.parametrize("domains", [[], ["documents.example.com"], ["*.example.com"]])
async def test_the_callers_token_is_shown_to_nobody_else(documents: RagServer, domains: list[str]) -> None:
    documents.token = TOKEN
    configurable = {CALLER_TOKEN: SecretStr(TOKEN)}
    agent = await load_rag(token_domains=domains)(rag=rag(documents), **configurable)
    message = await called(agent, f'call collection_{HANDBOOK} {{"query": "x"}}', **configurable)
    assert message.status == "error"
    assert "agent_tools.rag.token_domains" in str(message.content)
    assert all("authorization" not in asked.headers for asked in documents.asked)
    assert TOKEN not in repr(documents.asked)


@pytest.mark.anyio
async def test_an_agent_that_is_shared_searches_as_each_caller(documents: RagServer) -> None:
    make = load_rag(**HERE)
    agents = []
    for token in ("ann", "bob"):
        configurable = {CALLER_TOKEN: SecretStr(token)}
        agents.append(await make(rag=rag(documents), **configurable))
        await called(agents[-1], **configurable)
    assert agents[0] is agents[1]
    assert [search.headers["authorization"] for search in documents.searches()] == ["Bearer ann", "Bearer bob"]


@pytest.mark.anyio
async def test_a_collection_that_one_caller_may_see_is_named_to_no_other(documents: RagServer) -> None:
    documents.token = "ann"
    make = load_rag(**HERE)
    assert "Gesetze" in await names(await make(rag=rag(documents, LAWS), **{CALLER_TOKEN: SecretStr("ann")}))
    assert "Gesetze" not in await names(await make(rag=rag(documents, LAWS), **{CALLER_TOKEN: SecretStr("bob")}))
    assert "Gesetze" not in await names(await make(rag=rag(documents, LAWS)))


@pytest.mark.anyio
async def test_names_are_asked_for_once_in_a_while(documents: RagServer) -> None:
    make = load_rag()
    assert await make(rag=rag(documents)) is await make(rag=rag(documents))
    assert len(documents.asked) == 1
    make = load_rag(described_seconds=0)
    await make(rag=rag(documents))
    await make(rag=rag(documents))
    assert len(documents.asked) == 3


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
    agent = await load_rag(answer_mib=1)(rag=rag(documents))
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
    agent = await load_rag(timeout_seconds=0.1, describe_seconds=0.1)(rag=rag(documents))
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
    [
        {"allowed_domains": ["*.example.com"], "disable_loopback": False},
        {},
        {"require_https": True, "disable_loopback": False},
    ],
)
async def test_the_operator_says_which_servers_may_be_called(documents: RagServer, rules: dict[str, Any]) -> None:
    agent = await load_rag(url=rules)(rag=rag(documents))
    message = await called(agent, f'call collection_{HANDBOOK} {{"query": "x"}}')
    assert "its URL is refused" in str(message.content)
    assert documents.asked == []


@pytest.mark.anyio
async def test_a_network_may_be_called_although_it_is_not_public(documents: RagServer) -> None:
    rules = {"allowed_networks": ["127.0.0.0/8"]}
    assert (await called(await load_rag(url=rules)(rag=rag(documents)))).status == "success"


@pytest.mark.anyio
async def test_documents_are_as_many_and_as_long_as_the_operator_says(documents: RagServer) -> None:
    documents.found = [{"id": str(n), "page_content": "ü" * 60} for n in range(9)]
    agent = await load_rag(documents=4, characters=100)(rag=rag(documents))
    told = json.loads(str((await called(agent)).content))
    assert documents.searches()[-1].body["limit"] == 4
    assert [(one["content"], one.get("is_cut")) for one in told["documents"]] == [("ü" * 60, None), ("ü" * 40, True)]
    assert told["left_out"] == 2


@pytest.mark.anyio
async def test_nothing_found_is_an_answer(documents: RagServer) -> None:
    documents.found = []
    message = await called(await load_rag()(rag=rag(documents)))
    assert (message.status, json.loads(str(message.content))) == ("success", {"documents": []})


@pytest.mark.anyio
@pytest.mark.parametrize("arguments", ["{}", '{"query": ""}', '{"query": 5}', '{"config": {}, "run_manager": 1}'])
async def test_arguments_without_a_query_are_told_so(documents: RagServer, arguments: str) -> None:
    message = await called(await load_rag()(rag=rag(documents)), f"call Handbucher_Grosse {arguments}")
    assert (message.status, "query must be a text" in str(message.content)) == ("error", True)
    assert documents.searches() == []


@pytest.mark.anyio
async def test_the_path_and_the_parameters_of_the_url_are_kept(documents: RagServer) -> None:
    agent = await load_rag()(rag=rag(documents, suffix="/api/v1/?tenant=a&token=t-1"))
    assert (await called(agent)).status == "success"
    assert {asked.path.partition("/collections/")[0] for asked in documents.asked} == {"/api/v1"}
    assert {asked.query for asked in documents.asked} == {"tenant=a&token=t-1"}


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
    "value", [None, {}, {"rag_url": "", "collections": ["a"]}, {"rag_url": None, "collections": None},
              {"rag_url": "http://127.0.0.1:1", "collections": []}, {"rag_url": "http://127.0.0.1:1"}],
)  # fmt: skip
async def test_without_a_server_and_collections_there_is_no_tool(value: object) -> None:
    assert await names(await load_rag()(rag=value)) == ["calculate", "current_time"]


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


@pytest.mark.anyio
async def test_whoever_only_looks_at_the_graph_asks_nobody(documents: RagServer) -> None:
    agent = await load_rag()(__is_for_execution__=False, rag=rag(documents), agent_tools=[])
    assert "tools" in agent.get_graph().nodes
    assert documents.asked == []


@pytest.mark.anyio
async def test_retrieval_stands_beside_tools_of_other_plugins(documents: RagServer) -> None:
    async def run(arguments: object, context: object) -> str:
        return "other"

    agent = await load_rag(tool_of("Gesetze", run))(rag=rag(documents, LAWS))
    assert (await called(agent, "call Gesetze {}")).content == "other"
    assert json.loads(str((await called(agent, 'call search_Gesetze {"query": "x"}')).content))["documents"]
