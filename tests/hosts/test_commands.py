"""The smaller commands: plugins, migrate, those of plugins, and how the command itself answers."""

import json
import re
import sqlite3
from pathlib import Path

import pytest

from tests.hosts.command import longline, running
from tests.hosts.third_party import install

NAUGHTY = "raise SystemExit('imported although nobody chose it')\n"

COMMAND = """
from longline import hookimpl
from longline.commands import Command
from longline.settings import ServerSettings

def count(options, settings):
    print(settings.section(ServerSettings).database, options.fish)
    return 7

def configure(parser):
    parser.add_argument("fish", type=int)

@hookimpl
def register_commands():
    return [Command(name="count-fish", help="count fish", run=count, configure=configure)]
"""


# -- plugins --------------------------------------------------------------------------------------------------------


def test_plugins_are_listed_with_what_became_of_them_and_unchosen_ones_are_not_imported(tmp_path: Path) -> None:
    site = tmp_path / "site"
    install(site, "longline-naughty", {"naughty": NAUGHTY}, plugins={"naughty": "naughty"})
    (tmp_path / "longline.toml").write_text('[plugins]\ndisable = ["naughty", "agent_tools"]\n')
    done = longline(tmp_path, "plugins", env={"PYTHONPATH": str(site)})
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split(maxsplit=3) for line in done.stdout.splitlines()}
    assert rows["naughty"] == ["naughty", "1.2.3", "longline-naughty", "off: disabled under [plugins]"]
    assert rows["agent_tools"][3] == "off: disabled under [plugins]"
    assert rows["storage_sqlite"][3] == "chosen"


def test_third_party_plugins_are_chosen_by_installing_them(tmp_path: Path) -> None:
    site = tmp_path / "site"
    install(site, "longline-pond", {"a_pond": COMMAND}, plugins={"pond": "a_pond"})
    done = longline(tmp_path, "plugins", env={"PYTHONPATH": str(site)})
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("pond")]
    assert row.split() == ["pond", "1.2.3", "longline-pond", "chosen"]
    with running(tmp_path, "dev", "--port", "0", "--no-reload", env={"PYTHONPATH": str(site)}) as server:
        server.wait_for(
            r"plugins +agent_tools, auth_supabase, metrics_prometheus, pond, protocol_a2a, protocol_langgraph, "
            "protocol_mcp, storage_postgres, storage_sqlite, supabase_sync, webhooks"
        )


def test_a_plugin_that_is_enabled_and_not_installed_is_listed_as_such(tmp_path: Path) -> None:
    (tmp_path / "longline.toml").write_text('[plugins]\nenable = ["storage_sqlite", "papyrus"]\n')
    done = longline(tmp_path, "plugins")
    assert "enabled, but not installed" in done.stdout
    assert "off: not enabled under [plugins]" in done.stdout


# -- commands of plugins --------------------------------------------------------------------------------------------


def test_a_plugin_s_command_runs_with_its_arguments_and_the_settings(tmp_path: Path) -> None:
    site = tmp_path / "site"
    install(site, "longline-pond", {"a_pond": COMMAND}, plugins={"pond": "a_pond"})
    env = {"PYTHONPATH": str(site)}
    done = longline(tmp_path, "count-fish", "5", "--database", "sqlite:///x.db", env=env)
    assert done.stdout == "sqlite:///x.db 5\n"
    assert done.returncode == 7
    assert "count fish" in longline(tmp_path, "--help", env=env).stdout
    assert not (tmp_path / "x.db").exists()


WITH_SERVER = """
from longline import hookimpl
from longline.auth.principal import SYSTEM
from longline.commands import Command
from longline.models.assistants import AssistantQuery
from longline.tasks import BackgroundTask

async def count(options, server):
    page = await server.assistants.search(SYSTEM, AssistantQuery())
    print([assistant.name for assistant in page.items], options.really)
    return 5

async def work():
    print("working in the background", flush=True)

@hookimpl
def register_background_tasks(server):
    return [BackgroundTask(name="work", run=work)]

@hookimpl
def register_commands():
    return [
        Command(
            name="count-assistants", help="count", run=lambda options, settings: print("alone") or 4,
            configure=lambda parser: parser.add_argument("--really", action="store_true"),
            wants_server=lambda options: options.really, with_server=count, instead="or look at its metrics",
        )
    ]
"""


@pytest.fixture
def counting(tmp_path: Path) -> dict[str, str]:
    """The environment in which there is a command that needs the services."""
    install(tmp_path / "site", "longline-pond", {"a_pond": WITH_SERVER}, plugins={"pond": "a_pond"})
    return {"PYTHONPATH": str(tmp_path / "site")}


def test_a_plugin_s_command_gets_the_services_where_it_wants_them(tmp_path: Path, counting: dict[str, str]) -> None:
    done = longline(tmp_path, "count-assistants", "--really", env=counting)
    assert (done.returncode, done.stdout) == (5, "['agent'] True\n"), done.stderr
    done = longline(tmp_path, "count-assistants", env=counting)
    assert (done.returncode, done.stdout) == (4, "alone\n"), done.stderr


def test_a_command_that_needs_what_a_server_has_for_itself_says_what_to_do(
    tmp_path: Path, counting: dict[str, str]
) -> None:
    with running(tmp_path, "dev", "--port", "0", "--no-reload", env=counting) as server:
        server.wait_loaded()
        done = longline(tmp_path, "count-assistants", "--really", env=counting)
        assert longline(tmp_path, "count-assistants", env=counting).returncode == 4
    assert done.returncode == 2
    assert re.search(r"is in use by a running server \(.+\): stop that, or look at its metrics$", done.stderr, re.M)


def test_the_storage_s_own_command_is_there(tmp_path: Path) -> None:
    assert longline(tmp_path, "migrate").returncode == 0
    done = longline(tmp_path, "sqlite-backup", "copy.db")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "copy.db").is_file()


# -- migrate --------------------------------------------------------------------------------------------------------


def test_migrate_tells_what_ran_and_then_has_nothing_to_do(tmp_path: Path) -> None:
    done = longline(tmp_path, "migrate", "--database", "sqlite:///x.db")
    assert done.returncode == 0, done.stderr
    assert "0001_first" in done.stdout
    connection = sqlite3.connect(tmp_path / "x.db")
    assert connection.execute("PRAGMA user_version").fetchone()[0] >= 1
    connection.close()
    again = longline(tmp_path, "migrate", "--database", "sqlite:///x.db")
    assert again.stdout == "nothing to do: the schema is up to date\n"


def test_migrate_leaves_a_newer_database_alone(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "x.db")
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    done = longline(tmp_path, "migrate", "--database", "sqlite:///x.db")
    assert done.returncode == 2
    assert "upgrade Longline" in done.stderr


def test_migrate_check_lists_what_has_not_run_and_changes_nothing(tmp_path: Path) -> None:
    database = ["--database", "sqlite:///deep/x.db"]
    fresh = longline(tmp_path, "migrate", "--check", *database)
    assert fresh.returncode == 1
    names = fresh.stdout.splitlines()[:-1]
    assert names[0] == "0001_first"
    assert fresh.stdout.splitlines()[-1] == f"{len(names)} migrations have not run: run `longline migrate`"
    assert list(tmp_path.iterdir()) == []
    assert longline(tmp_path, "migrate", *database).stdout.splitlines()[:-1] == names
    done = longline(tmp_path, "migrate", "--check", *database)
    assert (done.returncode, done.stdout) == (0, "the schema is up to date\n")


def test_migrate_check_tells_of_the_half_that_is_missing(tmp_path: Path) -> None:
    longline(tmp_path, "migrate", "--database", "sqlite:///x.db")
    connection = sqlite3.connect(tmp_path / "x.db")
    newest = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.execute(f"PRAGMA user_version = {newest - 1}")
    connection.close()
    done = longline(tmp_path, "migrate", "--check", "--database", "sqlite:///x.db")
    assert done.returncode == 1
    assert done.stdout.startswith(f"{newest:04}")
    assert done.stdout.splitlines()[1:] == ["1 migration has not run: run `longline migrate`"]
    connection = sqlite3.connect(tmp_path / "x.db")
    assert connection.execute("PRAGMA user_version").fetchone()[0] == newest - 1
    connection.close()


def test_migrate_check_looks_while_a_server_has_the_database(tmp_path: Path) -> None:
    with running(tmp_path, "dev", "--port", "0", "--no-reload") as server:
        server.wait_for("graphs loaded")
        assert longline(tmp_path, "migrate", "--check").returncode == 0


def test_migrate_check_of_what_is_no_database_has_exit_code_two(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("a poem, and a long one, that is no database at all" * 10)
    done = longline(tmp_path, "migrate", "--check", "--database", "sqlite:///x.db")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


# -- serve ----------------------------------------------------------------------------------------------------------


def test_serve_refuses_to_start_without_an_authenticator(tmp_path: Path) -> None:
    done = longline(tmp_path, "serve", "--port", "0")
    assert done.returncode == 2
    assert "no authenticator is configured" in done.stderr
    assert "--insecure-no-auth" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_serve_logs_json_and_makes_no_key(tmp_path: Path) -> None:
    (tmp_path / "longline.toml").write_text('[static_tokens.tokens]\nann = "let-me-in"\n')
    with running(tmp_path, "serve", "--port", "0") as server:
        server.wait_for("server started")
        assert server.stop() == 0
    lines = [json.loads(line) for line in server.output.splitlines()]
    assert [line["message"] for line in lines] == ["no secret key configured", "server started", "server stopping"]
    assert lines[1]["graphs"] == "agent"
    assert all({"time", "level", "logger"} <= line.keys() for line in lines)
    assert not (tmp_path / ".longline/secret.key").exists()
    assert "let-me-in" not in server.output


# -- the command itself ---------------------------------------------------------------------------------------------


def test_without_a_command_it_explains_itself(tmp_path: Path) -> None:
    done = longline(tmp_path)
    assert done.returncode == 2
    assert all(name in done.stderr for name in ("dev", "serve", "run", "plugins", "check", "migrate"))
    assert longline(tmp_path, "--version").stdout.strip()


def test_help_is_given_even_where_the_configuration_is_broken(tmp_path: Path) -> None:
    (tmp_path / "longline.toml").write_text("[nope]\n")
    done = longline(tmp_path, "--help")
    assert done.returncode == 0
    assert "migrate" in done.stdout


@pytest.mark.parametrize("command", [["fly"], ["dev", "--port", "x"], ["dev", "--port", "70000"], ["run"]])
def test_a_slip_on_the_command_line_has_exit_code_two(tmp_path: Path, command: list[str]) -> None:
    done = longline(tmp_path, *command)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback_of_an_error(tmp_path: Path) -> None:
    (tmp_path / "longline.toml").write_text("[nope]\n")
    assert "Traceback" not in longline(tmp_path, "plugins", "--config", "x.toml").stderr
    assert "Traceback" in longline(tmp_path, "plugins", "--config", "x.toml", "--debug").stderr
