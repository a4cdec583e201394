"""Agents learn their assistants' ids: all in one statement, only where they differ, and never at the cost of a sync."""

import logging
import uuid
from collections.abc import Sequence

import psycopg
import pytest
from tests.plugins.supabase_sync.conftest import OpenSource, source_of
from tests.plugins.supabase_sync.readers import Reader
from tests.supabase.project import VARIANTS, Project, Variant, fresh_project

pytestmark = pytest.mark.anyio


def row_versions(project: Project) -> dict[str, str]:
    """The transaction that wrote each agent's row."""
    return {row["id"]: row["xmin"] for row in project.rows("SELECT id::text, xmin::text FROM public.agents")}


def messages(caplog: pytest.LogCaptureFixture, level: int) -> Sequence[str]:
    return [record.message for record in caplog.records if record.levelno == level]


@pytest.mark.parametrize("variant", VARIANTS)
async def test_only_what_differs_is_written(variant: Variant) -> None:
    with fresh_project(variant) as project:
        organization = project.add_organization("x")
        right, wrong, empty = (project.add_agent(organization, name) for name in "abc")
        project.set_agent(right, langgraph_assistant_id=right)
        project.set_agent(wrong, langgraph_assistant_id=str(uuid.uuid4()))
        before = row_versions(project)
        source = source_of(project.url)
        async with source.open():
            await source.mirrored((await source.list()).agents)
            after = row_versions(project)
            await source.mirrored((await source.list()).agents)
        assert project.written_back() == {one: one for one in (right, wrong, empty)}
        assert after[right] == before[right]
        assert after[wrong] == after[empty] != before[wrong], "one statement wrote both"
        assert row_versions(project) == after


async def test_servers_that_write_at_once_do_not_wait_for_each_other(project: Project, organization: str) -> None:
    ids = project.add_many_agents(organization, 5)
    first, second = source_of(project.url), source_of(project.url)
    async with first.open(), second.open():
        agents = [*(await first.list()).agents]
        await second.list()
        with psycopg.connect(project.url) as other:
            other.execute(
                "UPDATE public.agents SET langgraph_assistant_id = id WHERE id = ANY (%s::uuid[])", (ids[:2],)
            )
            await second.mirrored(agents[::-1])
            assert {one for one, back in project.written_back().items() if back} == set(ids[2:])
        await first.mirrored(agents)
    assert project.written_back() == {one: one for one in ids}


async def test_what_somebody_else_wrote_is_mended_when_it_is_read(
    project: Project, organization: str, open_source: OpenSource
) -> None:
    agent_id = project.add_agent(organization, "a")
    async with open_source() as source:
        for _ in range(2):
            project.set_agent(agent_id, langgraph_assistant_id=str(uuid.uuid4()))
            await source.mirrored((await source.list()).agents)
            assert project.written_back() == {agent_id: agent_id}


async def test_a_user_that_may_not_write_is_told_once(
    project: Project, organization: str, open_source: OpenSource, reader: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    agent_id = project.add_agent(organization, "a")
    reader.sees_all()
    async with open_source(database=reader.url) as source:
        for _ in range(3):
            await source.mirrored((await source.list()).agents)
        assert project.written_back() == {agent_id: None}
        assert messages(caplog, logging.WARNING).count("assistant ids not written back") == 1
        assert "permission denied for table agents" in [getattr(record, "reason", "") for record in caplog.records]
        reader.may("UPDATE (langgraph_assistant_id)", "agents")
        await source.mirrored((await source.list()).agents)
    assert project.written_back() == {agent_id: agent_id}


async def test_a_table_without_the_column_is_left_alone(
    project: Project, organization: str, open_source: OpenSource, caplog: pytest.LogCaptureFixture
) -> None:
    project.add_agent(organization, "a")
    project.rows("ALTER TABLE public.agents DROP COLUMN langgraph_assistant_id")
    before = row_versions(project)
    async with open_source() as source:
        await source.mirrored((await source.list()).agents)
    assert row_versions(project) == before
    assert messages(caplog, logging.WARNING) == []
