"""Queries of an operator's own, for agents of another schema."""

import uuid
from pathlib import Path

import pytest
from tests.plugins.supabase_sync.conftest import OpenSource, source_of
from tests.supabase.project import Project

from longline.errors import SettingsError, SourceAwayError

pytestmark = pytest.mark.anyio
_OWN = """
-- Agents of another platform; 100 %% of them.
SELECT id::text AS agent_id, tenant::text AS organization_id, title AS name, prompt AS system_prompt,
    'openai:gpt-5' AS model_name, 'suchen' AS tool_name, 'http://eigene/mcp' AS endpoint_url, 0.5 AS temperature
FROM eigene.bots
WHERE (%(agents)s::uuid[] IS NULL OR id = ANY (%(agents)s))
    AND (NOT %(is_batch)s OR %(organizations)s::uuid[] IS NULL OR tenant = ANY (%(organizations)s));
"""


async def test_a_query_of_ones_own_reads_another_schema(
    project: Project, organization: str, open_source: OpenSource, tmp_path: Path
) -> None:
    project.rows("DROP TABLE public.agents CASCADE")
    project.rows("CREATE SCHEMA eigene")
    project.rows("CREATE TABLE eigene.bots (id uuid, tenant uuid, title text, prompt text)")
    agent_id = str(uuid.uuid4())
    project.rows("INSERT INTO eigene.bots VALUES (%s, %s, 'Bote', 'Kurz.')", agent_id, organization)
    file = tmp_path / "agents.sql"
    file.write_text(_OWN)
    async with open_source(query_file=str(file), scope=f"org:{organization}") as source:
        (agent,) = (await source.list()).agents
        assert await source.get(agent_id) == agent
        assert (await source.some([agent_id, organization])).agents == [agent]
        await source.mirrored([agent])
    assert agent.config["configurable"] == {
        "model_name": "openai:gpt-5", "system_prompt": "Kurz.", "temperature": 0.5, "agent_tools": [],
        "supabase_organization_id": organization, "mcp_config": {
            "servers": [
                {"name": "suchen", "url": "http://eigene/mcp", "tools": ["suchen"], "auth_required": False}
            ]
        },
    }  # fmt: skip


async def test_a_query_without_a_result_column_is_told(
    project: Project, organization: str, open_source: OpenSource, tmp_path: Path
) -> None:
    project.add_agent(organization, "a")
    file = tmp_path / "agents.sql"
    file.write_text("SELECT id::text AS agent_id, name FROM public.agents")
    async with open_source(query_file=str(file)) as source:
        with pytest.raises(SourceAwayError, match=r"result column organization_id, .*, result column endpoint_url$"):
            await source.list()


async def test_a_query_that_writes_is_refused(
    project: Project, organization: str, open_source: OpenSource, tmp_path: Path
) -> None:
    agent_id = project.add_agent(organization, "a")
    file = tmp_path / "agents.sql"
    file.write_text("DELETE FROM public.agents RETURNING id::text AS agent_id")
    async with open_source(query_file=str(file)) as source:
        with pytest.raises(SourceAwayError, match="read-only transaction"):
            await source.list()
    assert list(project.written_back()) == [agent_id]


def test_a_query_file_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"supabase_sync\.query_file: .*nowhere\.sql: No such file"):
        source_of("postgresql://localhost/x", query_file=str(tmp_path / "nowhere.sql"))
