"""What a source reads out of a project, however its schema has drifted, and what it says where it cannot."""

import logging
import uuid
from typing import Any

import psycopg
import pytest
from tests.plugins.supabase_sync.conftest import OpenSource, source_of
from tests.supabase.project import VARIANTS, McpTool, Project, Variant, fresh_project

from longline.errors import BrokenAgentError, SourceAwayError
from longline.services.sources import SourcedAssistant
from longline.settings import ServerSettings
from longline_supabase_sync.database import load_sql
from longline_supabase_sync.settings import SyncSettings
from longline_supabase_sync.source import SupabaseSource

pytestmark = pytest.mark.anyio

_LAW, _VERDICT = McpTool("gesetz_suchen", "http://recht/mcp"), McpTool("urteil_lesen", "http://recht/mcp")


def configurable(agent: SourcedAssistant | None) -> dict[str, Any]:
    assert agent is not None
    found = agent.config["configurable"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("variant", VARIANTS)
async def test_agents_of_older_and_newer_schemas(variant: Variant) -> None:
    with fresh_project(variant) as project:
        organization = project.add_organization("Kanzlei Müller & Söhne")
        agent_id = project.add_agent(
            organization, "Rechts-Assistent", system_prompt="Prüfe §§ genau.",
            tools=[_VERDICT, McpTool("rechnen"), _LAW],
            sampling={"temperature": 0.2, "max_tokens": 800}, engine_id=project.add_engine("openai:gpt-4o-mini"),
        )  # fmt: skip
        source = source_of(project.url)
        async with source.open():
            found = await source.get(agent_id)
            assert (await source.list()).agents == [found]
    assert found == SourcedAssistant(
        key=agent_id, assistant_id=agent_id, graph_id="agent", name="Rechts-Assistent",
        metadata={"supabase_agent_id": agent_id, "supabase_organization_id": organization},
        config={
            "configurable": {
                "model_name": "openai:gpt-4o-mini", "system_prompt": "Prüfe §§ genau.", "temperature": 0.2,
                "max_tokens": 800, "agent_tools": ["rechnen"], "supabase_organization_id": organization,
                "mcp_config": {
                    "servers": [
                        {"name": "gesetz_suchen", "url": "http://recht/mcp", "tools": ["gesetz_suchen", "urteil_lesen"],
                         "auth_required": False}
                    ]
                },
            }
        },
    )  # fmt: skip


async def test_only_active_agents_are_there(project: Project, organization: str, open_source: OpenSource) -> None:
    active = project.add_agent(organization, "a")
    others = [
        project.add_agent(organization, "b", status="inactive"),
        project.add_agent(organization, "c", status="draft"),
        project.add_agent(organization, "d", deleted_at="2025-01-31T12:00:00Z"),
        str(uuid.uuid4()),
    ]
    async with open_source() as source:
        assert [agent.key for agent in (await source.list()).agents] == [active]
        assert [await source.get(key) for key in (*others, "no-uuid")] == [None] * 5
        assert [agent.key for agent in (await source.some([active, *others, "no-uuid"])).agents] == [active]


async def test_agents_come_by_organization_and_name(project: Project, open_source: OpenSource) -> None:
    first, second = sorted(project.add_organization(name) for name in ("x", "y"))
    wanted = [
        project.add_agent(organization, name) for organization in (first, second) for name in ("Anwalt", "Bote", "Chor")
    ]
    async with open_source() as source:
        assert [agent.key for agent in (await source.list()).agents] == wanted


async def test_a_scope_of_organizations(project: Project, organization: str, open_source: OpenSource) -> None:
    other = project.add_organization("Stadtwerke Köln")
    mine, theirs = project.add_agent(organization, "gleich"), project.add_agent(other, "gleich")
    async with open_source(scope=f"org:{organization}") as source:
        listed = (await source.list()).agents
        assert [agent.key for agent in listed] == [mine]
        found = await source.get(theirs)
        assert found is not None, "one that is asked for comes, whatever the scope"
        assert (source.lists(listed[0]), source.lists(found)) == (True, False)


@pytest.mark.parametrize("is_included", [True, False])
async def test_global_agents(project: Project, organization: str, open_source: OpenSource, is_included: bool) -> None:
    usual, everywhere = (
        project.add_agent(organization, "a"),
        project.add_agent(project.add_organization("andere"), "b", is_global=True),
    )
    for scope in ("all", f"org:{organization}"):
        async with open_source(scope=scope, include_global=is_included) as source:
            listed = {agent.key for agent in (await source.list()).agents}
            assert listed == {usual, *([everywhere] if is_included else [])}
            found = await source.get(everywhere)
            assert found is not None
            assert source.lists(found) == is_included


async def test_one_bad_agent_costs_the_others_nothing(
    project: Project, organization: str, open_source: OpenSource, caplog: pytest.LogCaptureFixture
) -> None:
    project.rows("ALTER TABLE public.agents ALTER COLUMN organization_id DROP NOT NULL")
    nobodys = project.add_agent(organization, "niemandes")
    project.set_agent(nobodys, organization_id=None)
    partly = project.add_agent(
        organization, "teils", tools=[McpTool("kaputt", "http://[kaputt/mcp"), _LAW], system_prompt=None
    )
    many = project.add_agent(organization, "viele", tools=[McpTool(f"w{n}", "http://a/mcp") for n in range(300)])
    async with open_source() as source:
        listing = await source.list()
        assert [agent.key for agent in listing.agents] == [partly, many]
        assert [(fault.key, fault.reason) for fault in listing.faults] == [
            (nobodys, "it has no organisation, so nobody may see it")
        ]
        with pytest.raises(BrokenAgentError, match="no organisation"):
            await source.get(nobodys)
        found = await source.some([nobodys, partly])
        assert ([agent.key for agent in found.agents], [fault.key for fault in found.faults]) == ([partly], [nobodys])
        await source.list()
    told = [record for record in caplog.records if record.message == "agent mirrored in part"]
    assert [(one.agent, one.left_out) for one in told] == [(partly, "tool 'kaputt' has no endpoint that is a URL")]  # type: ignore[attr-defined]
    assert [server["url"] for server in configurable(listing.agents[0])["mcp_config"]["servers"]] == [_LAW.endpoint_url]
    assert "system_prompt" not in configurable(listing.agents[0])


@pytest.mark.parametrize(
    "column", ["graph_id", "engine_id", "langgraph_assistant_id", "is_global", "sampling_params", "deleted_at"]
)
async def test_columns_of_agents_that_may_be_missing(
    project: Project, organization: str, open_source: OpenSource, column: str
) -> None:
    agent_id = project.add_agent(organization, "a")
    project.rows(psycopg.sql.SQL("ALTER TABLE public.agents DROP COLUMN {}").format(psycopg.sql.Identifier(column)))
    async with open_source() as source:
        (agent,) = (await source.list()).agents
        assert (agent.key, agent.graph_id, configurable(agent)["model_name"]) == (agent_id, "agent", "openai:gpt-4o")
        await source.mirrored([agent])


async def test_a_schema_without_engines_of_agents_is_told(
    project: Project, organization: str, open_source: OpenSource, caplog: pytest.LogCaptureFixture
) -> None:
    project.rows("ALTER TABLE public.agents DROP COLUMN engine_id")
    async with open_source() as source:
        await source.list()
        await source.list()
    assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == [
        "public.agents.engine_id is missing: every agent gets the default model"
    ]


async def test_columns_of_another_type_cost_nobody_else(
    project: Project, organization: str, open_source: OpenSource, caplog: pytest.LogCaptureFixture
) -> None:
    engine = project.add_engine("openai:gpt-4o-mini")
    odd = project.add_agent(organization, "a", tools=[_LAW])
    usual = project.add_agent(organization, "b", tools=[McpTool("rechnen"), _VERDICT], engine_id=engine)
    project.add_agent(organization, "c", is_global=True)
    project.rows("ALTER TABLE public.agents DROP CONSTRAINT agents_engine_id_fkey")
    for table, column in (
        ("agents", "engine_id"), ("agents", "is_global"), ("mcp_tools", "is_builtin"), ("mcp_tools", "auth_required"),
    ):  # fmt: skip
        names = (psycopg.sql.Identifier(table), psycopg.sql.Identifier(column))
        for change in ("ALTER {1} DROP DEFAULT", "ALTER {1} TYPE text"):
            project.rows(psycopg.sql.SQL(f"ALTER TABLE public.{{0}} {change}").format(*names))
    project.set_agent(odd, engine_id="der beste", is_global="vielleicht")
    project.rows("UPDATE public.mcp_tools SET auth_required = 'manchmal' WHERE tool_name = %s", _LAW.name)
    async with open_source(scope=f"org:{organization}") as source:
        first, second = (await source.list()).agents
    assert (first.key, configurable(first)["model_name"]) == (odd, "openai:gpt-4o")
    assert configurable(first)["mcp_config"]["servers"][0]["auth_required"] is False
    assert (second.key, configurable(second)["model_name"]) == (usual, "openai:gpt-4o-mini")
    assert configurable(second)["agent_tools"] == ["rechnen"]
    (told,) = [record for record in caplog.records if record.message == "agent mirrored in part"]
    assert set(vars(told)["left_out"].split("; ")) == {
        "engine_id is no UUID", "is_global is neither true nor false",
        "auth_required of tool 'gesetz_suchen' is neither true nor false",
    }  # fmt: skip


@pytest.mark.parametrize("column", ["is_builtin", "auth_required"])
async def test_columns_of_tools_that_may_be_missing(
    project: Project, organization: str, open_source: OpenSource, column: str
) -> None:
    agent_id = project.add_agent(organization, "a", tools=[_LAW])
    project.rows(psycopg.sql.SQL("ALTER TABLE public.mcp_tools DROP COLUMN {}").format(psycopg.sql.Identifier(column)))
    async with open_source() as source:
        (server,) = configurable(await source.get(agent_id))["mcp_config"]["servers"]
        assert (server["tools"], server["auth_required"]) == (["gesetz_suchen"], False)


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ("DROP TABLE public.agent_mcp_tools CASCADE", "public.agent_mcp_tools"),
        ("DROP TABLE public.mcp_tools, public.ai_models CASCADE", "public.mcp_tools, public.ai_models"),
        ("ALTER TABLE public.agents DROP COLUMN status CASCADE", "public.agents.status"),
        ("ALTER TABLE public.ai_models RENAME COLUMN runtime_model_name TO x", "public.ai_models.runtime_model_name"),
    ],
)
async def test_what_must_be_there_and_is_not_is_named_until_it_is(
    project: Project, open_source: OpenSource, change: str, missing: str
) -> None:
    async with open_source() as source:
        await source.list()
    project.rows(change)
    async with open_source(scope="none") as source:
        for ask in (source.list(), source.get(str(uuid.uuid4())), source.some([str(uuid.uuid4())])):
            with pytest.raises(SourceAwayError) as caught:
                await ask
            assert caught.value.reason == f"missing, or not for this user to read: {missing}"


async def test_a_schema_that_changes_under_a_source_is_looked_at_anew(
    project: Project, organization: str, open_source: OpenSource
) -> None:
    agent_id = project.add_agent(organization, "a")
    async with open_source() as source:
        assert await source.get(agent_id) is not None
        project.rows("ALTER TABLE public.agents RENAME TO agenten")
        with pytest.raises(SourceAwayError, match="does not exist"):
            await source.get(agent_id)
        with pytest.raises(SourceAwayError, match=r"public\.agents$"):
            await source.get(agent_id)
        project.rows("ALTER TABLE public.agenten RENAME TO agents")
        assert await source.get(agent_id) is not None


async def test_a_database_that_nobody_named_may_have_no_agents() -> None:
    with fresh_project() as project:
        project.rows("DROP TABLE public.agents CASCADE")
        source = SupabaseSource(SyncSettings(), ServerSettings(database=project.url))
        async with source.open():
            assert await source.get(str(uuid.uuid4())) is None
            assert (await source.some([])).agents == ()
            with pytest.raises(SourceAwayError):
                await source.some([str(uuid.uuid4())])


def test_references_and_ids() -> None:
    source = source_of("postgresql://localhost/x")
    agent_id = str(uuid.uuid4())
    assert source.reference({"supabase_agent_id": agent_id.upper()}) == agent_id
    for metadata in ({}, {"supabase_agent_id": "x"}, {"supabase_agent_id": 7}, {"supabase_agent_id": None}):
        assert source.reference(metadata) is None  # type: ignore[arg-type]  # what callers may send
    assert source.id_of(source.key_of(agent_id.upper()) or "") == agent_id
    assert source.key_of("agent") is None


async def test_the_query_of_a_batch_reads_a_thousand_agents_at_once(project: Project, organization: str) -> None:
    ids = project.add_many_agents(organization, 1_000, tools=[_LAW, _VERDICT])
    source = source_of(project.url)
    statements: list[object] = []
    fetch = source._database.fetch

    async def counted(statement: Any, parameters: Any) -> Any:
        statements.append(statement)
        return await fetch(statement, parameters)

    source._database.fetch = counted  # type: ignore[method-assign]
    async with source.open():
        listing = await source.list()
        await source.mirrored(listing.agents)
    assert {agent.key for agent in listing.agents} == set(ids)
    assert statements == [load_sql("columns"), load_sql("agents")]
    assert project.written_back() == {one: one for one in ids}


async def test_a_prompt_is_sent_once_however_many_tools_there_are(
    project: Project, organization: str, open_source: OpenSource
) -> None:
    twice = McpTool("suchen", "http://a/mcp")
    ids = {
        name: project.add_agent(organization, name, system_prompt=f"Du bist {name}.", tools=[twice] * 40)
        for name in ("eins", "zwei")
    }
    project.add_agent(organization, "drei", system_prompt=None, tools=[twice])
    async with open_source() as source:
        rows = await source._rows(agents=None)
        assert [row["system_prompt"] for row in rows if row["system_prompt"] is not None] == [
            "Du bist eins.", "Du bist zwei.",
        ]  # fmt: skip
        assert len(rows) == 81
        for name, agent_id in ids.items():
            agent = await source.get(agent_id)
            assert agent is not None
            assert agent.config["configurable"]["system_prompt"] == f"Du bist {name}."  # type: ignore[index,call-overload]  # an object
