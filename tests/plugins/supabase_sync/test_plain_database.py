"""A server on a Postgres database of its own, where nobody spoke of a project: it is as if there were no source."""

import logging
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.plugins.supabase_sync.conftest import source_of
from tests.plugins.supabase_sync.listening import install_in, listening
from tests.postgres import fresh_database, migrated_template, server_url
from tests.supabase.project import Project

from longline.auth.principal import LOCAL
from longline.errors import NotFoundError, SourceAwayError
from longline.runtime import Runtime
from longline.services.assistants import NewAssistant
from longline.services.run_requests import RunRequest
from longline.services.server import Server
from longline.settings import ServerSettings
from longline_supabase_sync.database import Database
from longline_supabase_sync.settings import SyncSettings
from longline_supabase_sync.source import SupabaseSource

pytestmark = pytest.mark.anyio
PLUGINS = ("agent_tools", "storage_postgres", "supabase_sync")


@pytest.fixture
def database() -> Iterator[str]:
    with fresh_database(server_url(), migrated_template(server_url())) as url:
        yield url


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The statements that sources make, as they make them."""
    statements: list[object] = []
    fetch = Database.fetch

    async def counted(self: Database, statement: Any, parameters: Any) -> Any:
        statements.append(statement)
        return await fetch(self, statement, parameters)

    monkeypatch.setattr(Database, "fetch", counted)
    return statements


@asynccontextmanager
async def serving(url: str, **settings: object) -> AsyncIterator[Server]:
    values = {"server": {"database": url, "drain_seconds": 0}, "supabase_sync": settings}
    async with Runtime(PLUGINS, values).open() as opened:
        yield opened.server


def implicit(url: str, **settings: object) -> SupabaseSource:
    return SupabaseSource(SyncSettings.model_validate(settings), ServerSettings(database=url))


async def test_what_callers_say_of_agents_is_stored_as_it_is(database: str, asked: list[object]) -> None:
    said = {"supabase_agent_id": str(uuid.uuid4()), "mine": "yes", "sync_error": "x"}
    async with serving(database) as server:
        made = await server.assistants.create(LOCAL, NewAssistant(graph_id="agent", metadata=dict(said)))
        assert made.metadata == said
        asked.clear()
        request = {"input": {"messages": [{"role": "user", "content": "Hallo"}]}}
        for _ in range(2):
            await server.runs.create(LOCAL, RunRequest(assistant=made.assistant_id, **request))  # type: ignore[arg-type]  # of its fields
            again = await server.assistants.create(LOCAL, NewAssistant(graph_id="agent", metadata=dict(said)))
            assert again.metadata == said
            with pytest.raises(NotFoundError):
                await server.runs.create(LOCAL, RunRequest(assistant=str(uuid.uuid4())))
        await server.mirrors.listings.check_stored(server.mirrors.sources["supabase"])
        assert asked == []


async def test_agents_of_tables_that_appear_are_followed(project: Project, organization: str) -> None:
    agent_id = project.add_agent(organization, "a")
    install_in(project)
    project.rows("ALTER TABLE public.agents RENAME TO elsewhere")
    source = implicit(project.url, reconcile_seconds=0.01)
    async with source.open():
        assert await source.get(agent_id) is None
        async with listening(source) as ears:
            project.rows("ALTER TABLE public.elsewhere RENAME TO agents")
            project.set_agent(agent_id, name="b")
            await ears.until_heard(agent_id)
        assert source.reference({"supabase_agent_id": agent_id}) == agent_id


async def test_tables_that_are_there_in_part_are_told_once(database: str, caplog: pytest.LogCaptureFixture) -> None:
    project = Project(database)
    caplog.set_level(logging.INFO)
    source = implicit(database)
    async with source.open():
        assert await source.get(str(uuid.uuid4())) is None
        assert caplog.messages == []
        project.rows("CREATE TABLE public.agents (id uuid)")
        for _ in range(2):
            assert await source.get(str(uuid.uuid4())) is None
    (line,) = caplog.records
    assert (line.levelno, line.message) == (logging.INFO, "this database's agents are not read")
    assert "public.agents.organization_id" in vars(line)["missing"]


async def test_tables_that_go_are_not_asked_for_any_more(project: Project, organization: str) -> None:
    agent_id = project.add_agent(organization, "a")
    source = implicit(project.url)
    async with source.open():
        assert await source.get(agent_id) is not None
        assert source.key_of(agent_id) == agent_id
        project.rows("DROP TABLE public.mcp_tools CASCADE")
        with pytest.raises(SourceAwayError):
            await source.get(agent_id)
        assert await source.get(agent_id) is None
        assert (source.key_of(agent_id), source.reference({"supabase_agent_id": agent_id})) == (None, None)


@pytest.mark.parametrize("named", ["database", "scope"])
async def test_where_a_project_was_named_its_tables_are_missed(database: str, named: str) -> None:
    agent_id = str(uuid.uuid4())
    source = source_of(database, scope="none") if named == "database" else implicit(database, scope="all")
    async with source.open():
        for _ in range(2):
            with pytest.raises(SourceAwayError, match=r"missing, or not for this user to read: public\.agents"):
                await source.get(agent_id)
        assert source.reference({"supabase_agent_id": agent_id}) == source.key_of(agent_id) == agent_id


async def test_a_database_that_is_away_is_not_taken_for_a_plain_one() -> None:
    agent_id = str(uuid.uuid4())
    source = implicit("postgresql://u:p@127.0.0.1:1/x")
    async with source.open():
        with pytest.raises(SourceAwayError):
            await source.get(agent_id)
        assert source.key_of(agent_id) == agent_id
