"""`longline supabase …` as an operator runs it."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from tests.hosts.command import longline, serving
from tests.supabase.project import McpTool, Project

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(project: Project, tmp_path: Path) -> Run:
    """`run("sync", "--dry-run")`: the command in a folder of its own, with the project in its environment."""

    def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        found = {"SUPABASE_DATABASE_URL": project.url, **env}
        return longline(tmp_path, "supabase", *arguments, env=found)

    return run


def lines(done: subprocess.CompletedProcess[str]) -> list[list[str]]:
    """The table's cells."""
    return [re.split(r"  +", line.strip()) for line in done.stdout.split("\n\n")[0].splitlines()]


# -- triggers ---------------------------------------------------------------------------------------------------------


def test_triggers_are_printed_and_nothing_is_changed(project: Project, run: Run) -> None:
    printed = run("install-triggers")
    assert printed.returncode == 0, printed.stderr
    assert run("install-triggers", "--print", "--grant", "longline").stdout.startswith(printed.stdout[:500])
    assert not project.value("SELECT to_regnamespace('longline_sync') IS NOT NULL")
    with psycopg.connect(project.url, autocommit=True) as connection:
        connection.execute(printed.stdout.encode())
    assert project.value("SELECT to_regclass('longline_sync.agent_changes') IS NOT NULL")


def test_triggers_are_printed_without_any_database(tmp_path: Path) -> None:
    done = longline(tmp_path, "supabase", "install-triggers")
    assert (done.returncode, done.stderr) == (0, "")
    assert "CREATE OR REPLACE TRIGGER" in done.stdout


def test_triggers_are_applied(project: Project, run: Run) -> None:
    for _ in range(2):
        done = run("install-triggers", "--apply")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("installed in ")
    assert project.value("SELECT to_regclass('longline_sync.agent_changes') IS NOT NULL")


def test_what_keeps_triggers_from_being_applied_is_a_sentence(project: Project, run: Run, tmp_path: Path) -> None:
    project.rows("DROP TABLE public.mcp_tools CASCADE")
    done = run("install-triggers", "--apply")
    assert done.returncode == 2
    assert 'relation "public.mcp_tools" does not exist' in done.stderr
    done = longline(tmp_path, "supabase", "install-triggers", "--apply")
    assert done.returncode == 2
    assert "SUPABASE_DATABASE_URL" in done.stderr


# -- sync -------------------------------------------------------------------------------------------------------------


def test_a_dry_run_shows_what_a_sync_then_does(project: Project, organization: str, run: Run) -> None:
    stays = project.add_agent(organization, "Bleibt")
    changes = project.add_agent(organization, "Ändert sich")
    goes = project.add_agent(organization, "Geht")
    first = run("sync", "--scope", "all")
    assert first.returncode == 0, first.stderr
    assert first.stdout.endswith("3 agents: 3 created, 0 updated, 0 unchanged, 0 withdrawn, 0 failed\n")
    project.set_agent(changes, name="Hat sich geändert", system_prompt="Neu.")
    project.add_tools(changes, McpTool("suchen", "http://a/mcp"))
    project.delete_agent(goes)
    new = project.add_agent(organization, "Neu")
    broken = project.add_agent(organization, "Ohne Graphen", graph_id="nirgends")
    before = project.written_back()
    for _ in range(2):
        done = run("sync", "--scope", "all", "--dry-run")
        assert done.returncode == 1, "an agent cannot be mirrored"
        head, *rows = lines(done)
        assert head == ["ACTION", "AGENT", "NAME", "WHAT"]
        found = {row[1]: row for row in rows}
        assert found[stays] == ["unchanged", stays, "Bleibt"]
        assert found[new] == ["created", new, "Neu"]
        assert found[goes] == ["withdrawn", goes, "Geht"]
        assert found[changes][:3] == ["updated", changes, "Hat sich geändert"]
        changed = found[changes][3].split(", ")
        assert {"name", "config.configurable.system_prompt", "config.configurable.mcp_config"} <= set(changed)
        assert found[broken][0] == "failed"
        assert "nirgends" in found[broken][-1]
        assert done.stdout.endswith(
            "5 agents: 1 created, 1 updated, 1 unchanged, 1 withdrawn, 1 failed; nothing was changed\n"
        )
        assert project.written_back() == before
    done = run("sync", "--scope", "all")
    assert done.stdout.splitlines()[-1] == "4 agents: 1 created, 1 updated, 1 unchanged, 1 withdrawn, 1 failed"
    again = run("sync", "--scope", "all", "--dry-run")
    assert {row[0] for row in lines(again)[1:]} == {"unchanged", "failed"}


def test_a_scope_of_an_organization_leaves_the_others_alone(project: Project, organization: str, run: Run) -> None:
    other = project.add_organization("andere")
    mine, theirs = project.add_agent(organization, "a"), project.add_agent(other, "b")
    assert run("sync", "--scope", "all").returncode == 0
    done = run("sync", "--scope", f"org:{organization}")
    assert [row[:2] for row in lines(done)[1:]] == [["unchanged", mine]]
    assert theirs not in done.stdout
    done = run("sync", AGENT_SYNC_SCOPE=f"org:{other}")
    assert [row[:2] for row in lines(done)[1:]] == [["unchanged", theirs]]


def test_a_project_without_agents(run: Run) -> None:
    done = run("sync", "--scope", "all")
    assert done.stdout == "0 agents: 0 created, 0 updated, 0 unchanged, 0 withdrawn, 0 failed\n"


@pytest.mark.parametrize(
    ("arguments", "env", "said"),
    [
        (["sync"], {}, "--scope all"),
        (["sync", "--scope", "some"], {}, r"org:<uuid>\[,org:<uuid>…\]"),
        (["sync", "--scope", "all"], {"SUPABASE_DATABASE_URL": ""}, "SUPABASE_DATABASE_URL"),
        (
            ["sync", "--scope", "all"],
            {"SUPABASE_DATABASE_URL": "postgresql://u:geheim@127.0.0.1:1/x"},
            "nothing listens",
        ),
        ([], {}, "WHAT"),
        (["install-triggers", "--apply", "--print"], {}, "not allowed with"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(run: Run, arguments: list[str], env: dict[str, str], said: str) -> None:
    done = run(*arguments, **env)
    assert done.returncode == 2
    assert re.search(said, done.stderr)
    assert "geheim" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_a_server_has_for_itself(project: Project, run: Run, tmp_path: Path) -> None:
    with serving(tmp_path, env={"SUPABASE_DATABASE_URL": project.url}):
        done = run("sync", "--scope", "all", "--dry-run")
    assert done.returncode == 2
    assert "is in use by a running server" in done.stderr
    assert "POST /agents/<id>/sync" in done.stderr
    assert not os.path.exists("longline.db")


def test_help_is_there_without_a_project(tmp_path: Path) -> None:
    done = longline(tmp_path, "supabase", "sync", "--help")
    assert done.returncode == 0
    assert "--dry-run" in done.stdout
