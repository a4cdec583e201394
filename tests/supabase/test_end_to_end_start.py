"""Agents of a project become assistants when a server starts: all, those of an organisation, or none until asked."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from longline_auth_supabase.settings import SupabaseAuthSettings
from tests.supabase.project import VARIANTS, Variant
from tests.supabase.seed import KANZLEI, MODEL, PROMPT, RECHT
from tests.supabase.stack import COUNTS, SYNCED, Server, Stack, running_stack, serving

pytestmark = pytest.mark.anyio

_ALL: Any = {"limit": 100}


async def visible(stack: Stack, server: Server, *, user: str = "carla") -> dict[str, Any]:
    """The agents' assistants that a user finds, by id."""
    async with stack.client(server, getattr(stack.seed, user)) as client:
        found = await client.assistants.search(**_ALL)
    return {one["assistant_id"]: one for one in found if "supabase_agent_id" in (one["metadata"] or {})}


def agent_rows(stack: Stack) -> list[dict[str, Any]]:
    """Every agent's row with the transaction that wrote it."""
    return stack.project.rows("SELECT xmin::text, ctid::text, a.* FROM public.agents a ORDER BY id")


@pytest.mark.parametrize("variant", VARIANTS)
async def test_active_agents_become_assistants_of_their_ids(tmp_path: Path, variant: Variant) -> None:
    with running_stack(variant) as stack, serving(stack, tmp_path) as server:
        seed, counts = stack.seed, server.sync_counts()
        (line,) = server.logged(SYNCED)
        told = {**line, **line.get("counts", {})}
        assert line["level"] == "info"
        assert {name: told[name] for name in COUNTS} == {name: counts[name] for name in COUNTS}
        found = await visible(stack, server)
        wanted = (seed.of_kanzlei | seed.of_stadtwerke) - {seed.broken_endpoint}
        assert wanted <= set(found)
        assert not {seed.inactive, seed.deleted} & set(found)
        assert counts["total"] == len(wanted) + 1
        assert counts["created"] == len(found)
        assert counts["created"] + counts["failed"] == counts["total"]
        assert {agent: back for agent, back in stack.project.written_back().items() if agent in found} == {
            agent: agent for agent in found
        }
        assert {stack.project.written_back()[agent] for agent in (seed.inactive, seed.deleted)} == {None}
        recht = found[seed.recht]
        assert (recht["name"], recht["graph_id"], recht["version"]) == (RECHT, "agent", 1)
        assert recht["metadata"]["supabase_agent_id"] == seed.recht
        assert recht["metadata"]["supabase_organization_id"] == seed.kanzlei
        assert recht["metadata"]["owner"] == "system"
        assert recht["metadata"]["synced_at"]
        configurable = recht["config"]["configurable"]
        assert configurable["model_name"] == MODEL
        assert configurable["system_prompt"] == PROMPT
        assert (configurable["temperature"], configurable["max_tokens"]) == (0.2, 800)
        assert configurable["supabase_organization_id"] == seed.kanzlei
        (legal,) = configurable["mcp_config"]["servers"]
        assert (legal["name"], legal["url"], legal["tools"]) == (
            "gesetz_suchen", stack.legal.endpoint, ["gesetz_suchen"],
        )  # fmt: skip
        assert not legal["auth_required"]
        zaehler = found[seed.zaehler]["config"]["configurable"]
        assert zaehler["model_name"] == "openai:gpt-4o"
        assert found[seed.rechner]["config"]["configurable"]["agent_tools"] == ["calculate"]
        many = found[seed.many_tools]["config"]["configurable"]["mcp_config"]["servers"]
        assert [len(one["tools"]) for one in many] == [301]


async def test_a_second_start_changes_nothing(own_stack: Stack, tmp_path: Path) -> None:
    stack = own_stack
    with serving(stack, tmp_path) as server:
        first = server.sync_counts()
        assistants, rows = await visible(stack, server), agent_rows(stack)
        server.terminate()
        server.wait_end()
    with serving(stack, tmp_path) as server:
        again = server.sync_counts()
        assert (again["created"], again["updated"]) == (0, 0)
        assert again["skipped"] == first["created"]
        assert (again["total"], again["failed"]) == (first["total"], first["failed"])
        assert await visible(stack, server) == assistants
    assert agent_rows(stack) == rows


@pytest.mark.parametrize("spelling", ["org:{kanzlei}", " org:{kanzlei} ,org:{kanzlei}"])
async def test_a_scope_of_one_organisation_brings_its_agents_only(stack: Stack, tmp_path: Path, spelling: str) -> None:
    with serving(stack, tmp_path, scope=spelling.format(kanzlei=stack.seed.kanzlei)) as server:
        assert server.sync_counts()["total"] == len(stack.seed.of_kanzlei)
        found = await visible(stack, server)
        assert {one["metadata"]["supabase_organization_id"] for one in found.values()} == {stack.seed.kanzlei}
        told = httpx.get(f"{server.url}/info").json()["agent_sync"]
        assert told["scope"] == f"org:{stack.seed.kanzlei}"
        assert told["last_finished_at"]
        assert told["counts"]["total"] == len(stack.seed.of_kanzlei)


async def test_without_a_scope_an_agent_comes_when_somebody_asks_for_it(own_stack: Stack, tmp_path: Path) -> None:
    stack, seed = own_stack, own_stack.seed
    with serving(stack, tmp_path, scope=None) as server:
        assert await visible(stack, server) == {}
        assert set(stack.project.written_back().values()) == {None}
        headers = stack.headers(seed.anna)
        answer = httpx.post(f"{server.url}/agents/{seed.recht}/sync", headers=headers, timeout=30)
        assert answer.status_code == 200, answer.text
        synced = answer.json()
        assert (synced["assistant_id"], synced["action"]) == (seed.recht, "created")
        assert synced["synced_at"]
        assert set(await visible(stack, server)) == {seed.recht}
        assert stack.project.written_back()[seed.recht] == seed.recht
        async with stack.client(server, seed.anna) as client:
            made = await client.assistants.create("agent", metadata={"supabase_agent_id": seed.fristen})
            assert made["assistant_id"] == seed.fristen
            assert made["name"] == "Fristen-Prüfer"
            await client.runs.wait(None, seed.rechner, input={"messages": []}, raise_error=False)
        assert set(await visible(stack, server)) == {seed.recht, seed.fristen, seed.rechner}
        assert not server.logged(SYNCED)


async def test_agents_of_the_same_name_in_two_organisations_are_two(stack: Stack, tmp_path: Path) -> None:
    seed = stack.seed
    with serving(stack, tmp_path) as server:
        for user, agent_id, name in ((seed.anna, seed.recht, KANZLEI), (seed.bjoern, seed.recht_stadtwerke, "Köln")):
            async with stack.client(server, user) as client:
                (found,) = await client.assistants.search(name=RECHT)
            assert found["assistant_id"] == agent_id
            assert name in found["config"]["configurable"]["system_prompt"]


@pytest.mark.parametrize("scope", ["everything", "org:", "org:no-uuid", "all,none"])
def test_a_scope_that_nobody_understands_stops_the_start(stack: Stack, tmp_path: Path, scope: str) -> None:
    server = Server(tmp_path, 0, stack.environment(scope))
    server.start()
    assert server.wait_end() != 0
    assert "AGENT_SYNC_SCOPE" in server.output
    assert "org:<uuid>" in server.output


def test_a_scope_that_nobody_could_see_stops_the_start_and_names_what_to_set(stack: Stack, tmp_path: Path) -> None:
    environment = stack.environment(LONGLINE_STATIC_TOKENS__TOKENS=f'{{"anna": "{"t" * 40}"}}')
    for name in ("SUPABASE_URL", "SUPABASE_KEY"):
        del environment[name]
    stopped_with(tmp_path, environment)


def test_members_that_are_in_no_table_stop_the_start(own_stack: Stack, tmp_path: Path) -> None:
    own_stack.project.rows("ALTER TABLE public.organization_members RENAME TO mitglieder")
    stopped_with(tmp_path, own_stack.environment(LONGLINE_AUTH_SUPABASE__ORGANIZATIONS_CLAIM=""))


def stopped_with(folder: Path, environment: dict[str, str]) -> None:
    """A server of agents that nobody could see does not start, and names a setting that there is."""
    server = Server(folder, 0, environment)
    server.start()
    try:
        assert server.wait_end() != 0
    finally:
        server.kill()
    named = re.findall(r"auth_supabase\.([a-z_]+)", server.output.replace("longline_auth_supabase.", ""))
    assert named, server.output
    assert set(named) <= set(SupabaseAuthSettings.model_fields)


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ("DROP TABLE public.agent_mcp_tools CASCADE", "agent_mcp_tools"),
        ("ALTER TABLE public.agents DROP COLUMN engine_id CASCADE", "engine_id"),
    ],
)
async def test_a_table_or_column_that_is_not_there_is_named_and_the_server_is_up(
    own_stack: Stack, tmp_path: Path, change: str, missing: str
) -> None:
    own_stack.project.rows(change)
    with serving(own_stack, tmp_path) as server:
        warnings = [line for line in server.lines if line["level"] == "warning" and missing in str(line)]
        assert warnings, server.output
        async with own_stack.client(server, own_stack.seed.anna) as client:
            assert (await client.assistants.search(graph_id="agent"))[0]["graph_id"] == "agent"
