"""Users of the project's database who may do less than everything: what they cannot see is said."""

import pytest
from tests.plugins.supabase_sync.conftest import OpenSource
from tests.plugins.supabase_sync.readers import Reader
from tests.supabase.project import McpTool, Project

from longline.errors import SourceAwayError

pytestmark = pytest.mark.anyio

_LAW = McpTool("gesetz_suchen", "http://recht/mcp")


async def test_policies_that_hide_agents_are_told(
    project: Project, organization: str, open_source: OpenSource, reader: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    agent_id = project.add_agent(organization, "a", tools=[_LAW])
    async with open_source(database=reader.url) as source:
        assert (await source.list()).agents == []
        assert "row level security hides agents" in caplog.text
        reader.sees_all()
        (agent,) = (await source.list()).agents
        assert agent.key == agent_id
        assert _LAW.endpoint_url in str(agent.config)


async def test_a_table_that_a_user_may_not_read_is_named(open_source: OpenSource, reader: Reader) -> None:
    reader.may_not("SELECT", "mcp_tools")
    async with open_source(database=reader.url) as source:
        with pytest.raises(SourceAwayError, match=r"not for this user to read: public\.mcp_tools$"):
            await source.list()


async def test_a_user_without_all_columns_is_told(
    project: Project, organization: str, open_source: OpenSource, reader: Reader
) -> None:
    project.add_agent(organization, "a")
    reader.sees_all()
    reader.may_not("SELECT", "agents")
    reader.may("SELECT (id, organization_id, name, system_prompt, status)", "agents")
    async with open_source(database=reader.url) as source:
        with pytest.raises(SourceAwayError, match="permission denied for table agents"):
            await source.list()
