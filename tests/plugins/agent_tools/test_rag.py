"""Collections of documents as tools of the graph `agent`, over a real HTTP server."""

import json

import pytest
from pydantic import SecretStr
from tests.plugins.agent_tools.conftest import tool_of
from tests.plugins.agent_tools.rag_agents import HERE, called, load_rag, names, rag
from tests.plugins.agent_tools.rag_server import HANDBOOK, LAWS, TOKEN, RagServer

from longline.auth.kept_token import CALLER_TOKEN


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
    make = load_rag(rag_described_seconds=0)
    await make(rag=rag(documents))
    await make(rag=rag(documents))
    assert len(documents.asked) == 3


@pytest.mark.anyio
async def test_documents_are_as_many_and_as_long_as_the_operator_says(documents: RagServer) -> None:
    documents.found = [{"id": str(n), "page_content": "ü" * 60} for n in range(9)]
    agent = await load_rag(rag_documents=4, rag_characters=100)(rag=rag(documents))
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
async def test_the_path_and_the_parameters_of_the_url_are_kept(documents: RagServer) -> None:
    agent = await load_rag()(rag=rag(documents, suffix="/api/v1/?tenant=a&token=t-1"))
    assert (await called(agent)).status == "success"
    assert {asked.path.partition("/collections/")[0] for asked in documents.asked} == {"/api/v1"}
    assert {asked.query for asked in documents.asked} == {"tenant=a&token=t-1"}


@pytest.mark.anyio
@pytest.mark.parametrize(
    "value", [None, {}, {"rag_url": "", "collections": ["a"]}, {"rag_url": None, "collections": None},
              {"rag_url": "http://127.0.0.1:1", "collections": []}, {"rag_url": "http://127.0.0.1:1"}],
)  # fmt: skip
async def test_without_a_server_and_collections_there_is_no_tool(value: object) -> None:
    assert await names(await load_rag()(rag=value)) == ["calculate", "current_time"]


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
