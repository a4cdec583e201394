"""`POST /agents/{id}/sync`, what the server tells of the sync, and when it does not start."""

import uuid
from datetime import datetime
from pathlib import Path

import httpx
import pytest
from tests.plugins.supabase_sync.conftest import source_of
from tests.plugins.supabase_sync.serving import PLUGINS, asking, serving
from tests.supabase.project import McpTool, Project

from longline.auth.principal import ANONYMOUS, LOCAL, Principal
from longline.errors import SettingsError
from longline.runtime import Runtime

pytestmark = pytest.mark.anyio


async def test_an_agent_is_mirrored_when_it_is_asked_for(project: Project, organization: str, tmp_path: Path) -> None:
    agent_id = project.add_agent(organization, "a")
    async with serving(tmp_path, database=project.url) as opened, asking(opened.server) as client:
        for action in ("created", "skipped"):
            answer = await client.post(f"/{agent_id}/sync")
            assert answer.status_code == 200
            told = answer.json()
            assert (told["assistant_id"], told["action"]) == (agent_id, action)
            assert datetime.fromisoformat(told["synced_at"]).tzinfo is not None
        project.set_agent(agent_id, name="b")
        assert (await client.post(f"/{agent_id.upper()}/sync/")).json()["action"] == "updated"
        assert (await opened.server.assistants.get(LOCAL, agent_id)).name == "b"
    assert project.written_back() == {agent_id: agent_id}


async def test_only_members_find_an_agent(project: Project, organization: str, tmp_path: Path) -> None:
    other = project.add_organization("andere")
    agent_id, missing = project.add_agent(organization, "geheim"), str(uuid.uuid4())
    member = Principal(identity="anna", organizations=(other, organization))
    strangers = (Principal(identity="b", organizations=(other,)), Principal(identity="c"), ANONYMOUS)
    async with serving(tmp_path, database=project.url) as opened:
        for principal in strangers:
            async with asking(opened.server, principal) as client:
                answers = [await client.post(f"/{one}/sync") for one in (agent_id, missing)]
                assert [answer.status_code for answer in answers] == [404, 404]
                assert answers[0].text == answers[1].text.replace(missing, agent_id)
        async with asking(opened.server, member) as client:
            assert (await client.post(f"/{agent_id}/sync")).status_code == 200


async def test_what_cannot_be_synced_is_said(project: Project, organization: str, tmp_path: Path) -> None:
    project.rows("ALTER TABLE public.agents ALTER COLUMN organization_id DROP NOT NULL")
    broken = project.add_agent(organization, "a")
    project.set_agent(broken, organization_id=None)
    nowhere = project.add_agent(organization, "b", graph_id="nirgends")
    async with serving(tmp_path, database=project.url) as opened, asking(opened.server) as client:
        answer = await client.post(f"/{broken}/sync")
        assert answer.status_code == 502
        assert "it has no organisation" in answer.json()["detail"]
        answer = await client.post(f"/{nowhere}/sync")
        assert answer.status_code == 502
        assert "nirgends" in answer.json()["detail"]
        project.rows("DROP TABLE public.mcp_tools CASCADE")
        answer = await client.post(f"/{nowhere}/sync")
        assert answer.status_code == 502


async def test_a_project_that_is_away_is_said(tmp_path: Path) -> None:
    away = "postgresql://u:geheim@127.0.0.1:1/x"
    async with serving(tmp_path, database=away) as opened, asking(opened.server) as client:
        answer = await client.post(f"/{uuid.uuid4()}/sync")
        assert answer.status_code == 502
        assert answer.json() == {"detail": "supabase cannot be asked: nothing listens where its database should be"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/", 404), ("POST", "/x", 404), ("POST", "/x/sync/y", 404), ("POST", "/x/sync", 404),
     ("GET", "/x/sync", 405), ("POST", "/0190a0a0-0000-7000-8000-00000000dead/sync", 404)],
)  # fmt: skip
async def test_other_requests(project: Project, tmp_path: Path, method: str, path: str, status: int) -> None:
    async with serving(tmp_path, database=project.url) as opened, asking(opened.server) as client:
        answer = await client.request(method, path)
        assert answer.status_code == status
        assert isinstance(answer.json()["detail"], str)


async def test_the_server_tells_of_the_sync(project: Project, organization: str, tmp_path: Path) -> None:
    project.add_agent(organization, "a", tools=[McpTool("suchen", "http://a/mcp")])
    project.add_agent(organization, "b", graph_id="nirgends")
    async with serving(tmp_path, database=project.url, scope=" org:" + organization.upper()) as opened:
        transport = httpx.ASGITransport(opened.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            told = (await client.get("/info")).json()["agent_sync"]
            assert (await client.post(f"/agents/{uuid.uuid4()}/sync")).status_code == 404
        assert told["scope"] == f"org:{organization}"
        assert datetime.fromisoformat(told["last_finished_at"]).tzinfo is not None
        assert told["counts"] == {"total": 2, "created": 1, "updated": 0, "skipped": 0, "failed": 1}


async def test_a_server_that_synced_nothing_says_so(project: Project, tmp_path: Path) -> None:
    async with serving(tmp_path, database=project.url) as opened:
        told = opened.server.describe()["agent_sync"]
        assert (told["scope"], told["last_finished_at"]) == ("none", None)


async def test_without_a_project_nothing_is_offered(tmp_path: Path) -> None:
    async with serving(tmp_path) as opened:
        assert dict(opened.server.mirrors.sources) == {}
        assert "agent_sync" not in opened.server.describe()
        assert "/agents" not in [served.path for served in opened.server.protocols()]


async def test_agents_that_nobody_could_see_stop_the_start(tmp_path: Path) -> None:
    values = {
        "server": {"database": f"sqlite:///{tmp_path}/x.db"},
        "static_tokens": {"tokens": {"ann": "a-long-random-text-for-ann"}},
        "supabase_sync": {"database": "postgresql://u:geheim@127.0.0.1:1/x", "scope": "all"},
    }
    runtime = Runtime(PLUGINS, values)
    for start in (runtime.open().__aenter__, lambda: runtime.try_assembly(f"sqlite:///{tmp_path}/y.db")):
        with pytest.raises(SettingsError, match=r"nobody could see an agent; set auth_supabase\.organizations_claim"):
            await start()
    for known in ({"scope": "none"}, {"scope": "none", "database": ""}):
        fine = {**values, "supabase_sync": {**values["supabase_sync"], **known}}  # type: ignore[dict-item]
        async with Runtime(PLUGINS, fine).open():
            pass


def test_a_scope_without_a_database_stops_the_start(tmp_path: Path) -> None:
    values = {"server": {"database": f"sqlite:///{tmp_path}/x.db"}, "supabase_sync": {"scope": "all"}}
    runtime = Runtime(PLUGINS, values)
    with pytest.raises(SettingsError, match=r"supabase_sync\.scope: all needs a database; set supabase_sync\.database"):
        runtime.host.assistant_sources(runtime.settings)


def test_times_are_those_of_the_settings() -> None:
    times = source_of("postgresql://h/x", start_seconds=1, fresh_seconds=2, reconcile_seconds=3).times
    assert (times.start_seconds, times.fresh_seconds, times.reconcile_seconds) == (1, 2, 3)
