"""What changes in a project is heard: once it is committed, by everybody, also after a silence, and without an echo."""

import asyncio
import logging
import uuid

import psycopg
import pytest
from tests.plugins.supabase_sync.conftest import OpenSource, source_of
from tests.plugins.supabase_sync.listening import install_in, listening, only
from tests.plugins.supabase_sync.readers import Reader
from tests.supabase.project import VARIANTS, McpTool, Project, Variant, fresh_project

pytestmark = pytest.mark.anyio

_LAW = McpTool("gesetz_suchen", "http://recht/mcp")


@pytest.mark.parametrize("variant", VARIANTS)
async def test_each_table_tells_of_the_agents_that_it_concerns(variant: Variant) -> None:
    with fresh_project(variant) as project:
        install_in(project)
        organization, engine = project.add_organization("x"), project.add_engine("openai:gpt-4o")
        mine = project.add_agent(organization, "a", tools=[_LAW], engine_id=engine)
        project.add_agent(organization, "b", tools=[McpTool("andere", "http://a/mcp")])
        source = source_of(project.url)
        async with source.open():
            await source.list()
            async with listening(source) as ears:
                for change in (
                    "UPDATE public.agents SET system_prompt = 'Neu.' WHERE name = 'a'",
                    "UPDATE public.mcp_tools SET tool_name = 'neu' WHERE tool_name = 'gesetz_suchen'",
                    "UPDATE public.global_ai_engines SET language_model_id = NULL",
                    "DELETE FROM public.agent_mcp_tools WHERE agent_id IN (SELECT id FROM agents WHERE name = 'a')",
                    "INSERT INTO agent_mcp_tools SELECT a.id, t.id FROM agents a, mcp_tools t WHERE a.name < 'b'",
                    "DELETE FROM public.agent_mcp_tools WHERE agent_id IN (SELECT id FROM agents WHERE name = 'a')",
                    "UPDATE public.agents SET status = 'inactive' WHERE name = 'a'",
                    "DELETE FROM public.agents WHERE name = 'a'",
                ):
                    project.rows(change)
                    await only(ears, project, organization, mine)


async def test_a_model_that_is_renamed_concerns_all_agents_of_its_engines(project: Project, organization: str) -> None:
    install_in(project)
    engine = project.add_engine("openai:gpt-4o")
    mine = [project.add_agent(organization, name, engine_id=engine) for name in "ab"]
    project.add_agent(organization, "c", engine_id=project.add_engine("openai:o5"))
    source = source_of(project.url)
    async with source.open():
        await source.list()
        async with listening(source) as ears:
            project.rows("UPDATE public.ai_models SET runtime_model_name = 'x:y' WHERE display_name = 'openai:gpt-4o'")
            await only(ears, project, organization, *mine)


async def test_an_engine_that_is_named_by_another_type_is_heard_of(project: Project, organization: str) -> None:
    engine = project.add_engine("openai:gpt-4o")
    project.rows("ALTER TABLE public.agents DROP CONSTRAINT agents_engine_id_fkey, ALTER engine_id TYPE text")
    install_in(project)
    mine = project.add_agent(organization, "a", engine_id=engine)
    project.add_agent(organization, "b", engine_id="der beste")
    source = source_of(project.url)
    async with source.open():
        await source.list()
        async with listening(source) as ears:
            for change in (
                "UPDATE public.ai_models SET runtime_model_name = 'x:y'",
                "UPDATE public.global_ai_engines SET language_model_id = NULL",
            ):
                project.rows(change)
                await only(ears, project, organization, mine)


async def test_what_no_assistant_is_made_of_makes_no_noise(
    project: Project, organization: str, open_source: OpenSource
) -> None:
    install_in(project)
    project.add_agent(organization, "a", tools=[_LAW], engine_id=project.add_engine("openai:gpt-4o"))
    async with open_source() as source:
        agents = (await source.list()).agents
        async with listening(source) as ears:
            await source.mirrored(agents)
            project.rows("UPDATE public.agents SET updated_at = now(), assistant_tool_ids = '{}', name = name")
            project.rows("UPDATE public.ai_models SET display_name = 'x'")
            project.rows("UPDATE public.mcp_tools SET tool_name = tool_name")
            await only(ears, project, organization)
    assert project.written_back()[agents[0].key] == agents[0].key


async def test_a_tool_that_is_removed_takes_its_agents_along(
    project: Project, organization: str, open_source: OpenSource
) -> None:
    install_in(project)
    mine = project.add_agent(organization, "a", tools=[_LAW])
    async with open_source() as source:
        await source.list()
        async with listening(source) as ears:
            project.rows("DELETE FROM public.mcp_tools")
            await only(ears, project, organization, mine)


async def test_what_happened_between_the_listing_and_the_listening_is_heard(
    project: Project, organization: str, open_source: OpenSource
) -> None:
    install_in(project)
    before = project.add_agent(organization, "vorher")
    async with open_source() as source:
        assert [agent.key for agent in (await source.list()).agents] == [before]
        between = project.add_agent(organization, "dazwischen")
        async with listening(source) as ears:
            await only(ears, project, organization, between)


async def test_a_transaction_that_began_before_the_listing_and_ends_after_a_later_one_is_heard(
    project: Project, organization: str, open_source: OpenSource
) -> None:
    """Numbers of rows would skip it: its row is older than what was read."""
    install_in(project)
    slow = project.add_agent(organization, "langsam")
    with psycopg.connect(project.url) as other:
        other.execute("UPDATE public.agents SET name = 'spät' WHERE id = %s", (slow,))
        async with open_source() as source:
            await source.list()
            async with listening(source) as ears:
                for _ in range(3):
                    await only(ears, project, organization)
                other.commit()
                await only(ears, project, organization, slow)


async def test_several_servers_hear_each_change_once(project: Project, organization: str) -> None:
    install_in(project)
    sources = [source_of(project.url) for _ in range(3)]
    async with sources[0].open(), sources[1].open(), sources[2].open():
        for source in sources:
            await source.list()
        async with listening(sources[0]) as one, listening(sources[1]) as two, listening(sources[2]) as three:
            changed = [project.add_agent(organization, f"n{number}") for number in range(20)]
            for ears in (one, two, three):
                await ears.until_heard(*changed)
                assert sorted(ears.keys) == sorted(changed)


async def test_who_reads_anew_gets_what_was_not_dealt_with(
    project: Project, organization: str, open_source: OpenSource
) -> None:
    install_in(project)
    async with open_source() as source:
        await source.list()
        first, second = (project.add_agent(organization, name) for name in "ab")
        async for keys in source.changes():
            assert set(keys) <= {first, second}
            break
        async with listening(source) as ears:
            await ears.until_heard(first, second)


# -- silence ----------------------------------------------------------------------------------------------------------


def _end_listeners(project: Project) -> int:
    ended = project.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'longline'"
    )
    return len(ended)


async def test_what_happened_in_a_silence_is_heard_after_it(
    project: Project, organization: str, open_source: OpenSource, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    install_in(project)
    async with open_source() as source:
        await source.list()
        async with listening(source) as ears:
            await only(ears, project, organization)
            for _ in range(3):
                assert _end_listeners(project) >= 1
                await only(ears, project, organization, project.add_agent(organization, f"still {uuid.uuid4()}"))
    told = [record.message for record in caplog.records]
    assert told.count("changes of agents cannot be followed") == told.count("changes of agents are followed again") > 0


async def test_without_triggers_of_ours_what_others_say_is_heard(
    project: Project, organization: str, open_source: OpenSource, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    agent_id = project.add_agent(organization, "a")
    async with open_source() as source:
        await source.list()
        async with listening(source) as ears:
            while "changes of agents are not written down" not in caplog.text:
                await asyncio.sleep(0.01)
            project.rows("SELECT pg_notify('agents_changed', 'unsinn'), pg_notify('agents_changed', %s)", agent_id)
            await ears.until_heard(agent_id)
            install_in(project)
            await only(ears, project, organization, agent_id)
    assert caplog.text.count("install-triggers --apply") <= 1


async def test_the_outbox_loses_what_is_over_a_day_old(
    project: Project, organization: str, open_source: OpenSource
) -> None:
    install_in(project)
    for name in ("alt", "neu"):
        project.add_agent(organization, name)
    project.rows("UPDATE longline_sync.agent_changes SET changed_at = now() - interval '25 hours' WHERE id = 1")
    async with open_source() as source:
        await source.list()
        async with listening(source) as ears:
            await only(ears, project, organization)
            await only(ears, project, organization)  # it was tidied up behind the first
    assert project.value("SELECT min(id) FROM longline_sync.agent_changes") == 2


async def test_a_user_with_the_grants_hears(
    project: Project, organization: str, open_source: OpenSource, reader: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    install_in(project, reader.name)
    async with open_source(database=reader.url) as source:
        await source.list()
        async with listening(source) as ears:
            await only(ears, project, organization)
            await only(ears, project, organization)
    assert "not purged" not in caplog.text
