"""The hosts on a database that processes share: the commands, several workers, what is said when it is not there."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.hosts.command import ask, longline, running, serving
from tests.hosts.conftest import SAYS, Project
from tests.hosts.test_workers import ENDED, STARTED, pids_of, served
from tests.postgres import fresh_database, server_url

PASSWORD = "hunter2"


@pytest.fixture(scope="module")
def server() -> str:
    """The database server."""
    return server_url()


@pytest.fixture
def database(server: str) -> Iterator[str]:
    """The URL of an empty database."""
    with fresh_database(server) as url:
        yield url


def test_migrate_check_is_followed_by_migrate_and_then_content(tmp_path: Path, database: str) -> None:
    env = {"DATABASE_URL": database}
    fresh = longline(tmp_path, "migrate", "--check", env=env)
    assert fresh.returncode == 1, fresh.stderr
    assert "0001" in fresh.stdout
    assert longline(tmp_path, "migrate", "--check", env=env).stdout == fresh.stdout
    assert longline(tmp_path, "migrate", env=env).returncode == 0
    assert longline(tmp_path, "migrate", "--check", env=env).returncode == 0


def test_check_says_whether_the_database_answers(tmp_path: Path, database: str) -> None:
    env = {"DATABASE_URL": database}
    done = longline(tmp_path, "check", "--port", "0", env=env)
    assert done.returncode == 0, done.stdout
    assert "the postgresql:// database answers; " in done.stdout
    longline(tmp_path, "migrate", env=env)
    assert "its schema is up to date" in longline(tmp_path, "check", "--port", "0", env=env).stdout


def test_development_works_on_it_and_run_does_beside_it(project: Project, database: str) -> None:
    folder = project({"g": "./g.py:graph"}, {"g.py": f"{SAYS}\ngraph = says('fish').compile()\n"})
    with serving(folder, "--database", database) as server:
        assert ask(server.url, "g") == {"said": "fish"}
        done = longline(folder, "run", "g", "{}", "--database", database)
        assert done.returncode == 0, done.stderr
        assert server.stop() == 0


def test_run_leaves_what_others_queued_and_ctrl_c_ends_its_own(project: Project, database: str) -> None:
    slow = "import asyncio\nasync def wait(state):\n    print('it waits', flush=True)\n    await asyncio.sleep(300)\n"
    slow += "slow = StateGraph(State).add_node('wait', wait).add_edge(START, 'wait').compile()\n"
    folder = project({"g": "./g.py:g", "slow": "./g.py:slow"}, {"g.py": f"{SAYS}\ng = says('fish').compile()\n{slow}"})
    with serving(folder, "--no-reload", "--database", database) as server:
        delayed = {"assistant_id": "g", "input": {}, "after_seconds": 3600}
        thread = httpx.post(f"{server.url}/threads", json={}).json()["thread_id"]
        queued = httpx.post(f"{server.url}/threads/{thread}/runs", json=delayed).json()["run_id"]
        server.kill()
    with psycopg.connect(database) as connection:  # an hour later
        connection.execute("UPDATE longline.runs SET not_before = created_at WHERE run_id = %s", [queued])
    with running(folder, "run", "slow", "{}", "--database", database) as command:
        command.wait_for("it waits")
        done = longline(folder, "run", "g", "{}", "--database", database)
        assert json.loads(done.stdout) == {"said": "fish"}
        assert command.stop(signal.SIGINT) == 130
        assert "cancelled" in command.output
    with psycopg.connect(database) as connection:
        runs = connection.execute("SELECT run_id = %s, status, attempt FROM longline.runs", [queued]).fetchall()
    assert sorted(runs) == [(False, "interrupted", 1), (False, "success", 1), (True, "pending", 0)]


def test_workers_share_it_and_one_that_is_killed_costs_no_run(project: Project, database: str) -> None:
    folder = project({"g": "./g.py:graph"}, {"g.py": f"{SAYS}\ngraph = says('fish').compile()\n"})
    with served(folder, {"DATABASE_URL": database}) as server:
        assert [ask(server.url, "g") for _ in range(6)] == [{"said": "fish"}] * 6
        os.kill(pids_of(server)[1], signal.SIGKILL)
        server.wait_for(ENDED)  # until then it may still take a connection, and break it
        assert [ask(server.url, "g") for _ in range(6)] == [{"said": "fish"}] * 6
        server.wait_for(STARTED, count=3)
        assert server.stop() == 0


KEYED = """
import os
from typing_extensions import TypedDict
from langgraph.graph import START, StateGraph

class State(TypedDict, total=False):
    key: str
    pid: int

def look(state, config):
    key = config["configurable"].get("custom_api_key")
    return {"key": key.get_secret_value() if key else "", "pid": os.getpid()}

graph = StateGraph(State).add_node("look", look).add_edge(START, "look").compile()
"""


def test_what_one_worker_seals_all_can_read_where_no_key_is_configured(project: Project, database: str) -> None:
    folder = project({"keyed": "./g.py:graph"}, {"g.py": KEYED})
    with served(folder, {"DATABASE_URL": database}) as server:
        body = {"graph_id": "keyed", "config": {"configurable": {"custom_api_key": "sk-mine"}}}
        assistant = httpx.post(f"{server.url}/assistants", json=body).json()["assistant_id"]
        seen: dict[int, set[str]] = {}
        deadline = time.monotonic() + 30
        while len(seen) < 2:
            assert time.monotonic() < deadline
            run = {"assistant_id": assistant, "input": {}}
            found = httpx.post(f"{server.url}/runs/wait", json=run, headers={"connection": "close"}, timeout=30).json()
            seen.setdefault(found["pid"], set()).add(found["key"])
        assert list(seen.values()) == [{"sk-mine"}, {"sk-mine"}]
        assert "nor by other servers of this database" in server.output


def test_without_a_number_there_are_as_many_workers_as_cores_and_four_at_most(tmp_path: Path, database: str) -> None:
    cores = min(4, len(os.sched_getaffinity(0)))
    command = ["serve", "--port", "0", "--insecure-no-auth", "--database", database]
    with running(tmp_path, *command) as server:
        server.wait_for(STARTED, count=cores)
        if cores > 1:
            assert json.loads(server.wait_for(r'\{.*"workers starting".*\}').group())["workers"] == cores
        assert server.stop() == 0


def test_a_direct_url_is_a_setting_with_a_name_of_its_own(tmp_path: Path, database: str) -> None:
    env = {"DATABASE_URL": database, "DATABASE_DIRECT_URL": "postgresql://ann:hunter2@[broken"}
    done = longline(tmp_path, "serve", "--port", "0", "--insecure-no-auth", "--workers", "1", env=env)
    assert done.returncode == 2
    assert PASSWORD not in done.stderr


def wrong(server: str) -> dict[str, str]:
    """Ways to miss the database, with a password in each."""
    parts = conninfo_to_dict(server)
    host = str(parts.get("host", "localhost"))
    place = f"/nowhere?host={host}" if host.startswith("/") else f"{host}:{parts.get('port', 5432)}/nowhere"
    user = f"{parts.get('user', 'postgres')}:{quote(str(parts.get('password', PASSWORD)), safe='')}"
    return {
        "nobody listens": f"postgresql://ann:{PASSWORD}@127.0.0.1:1/x",
        "no such host": f"postgresql://ann:{PASSWORD}@nowhere.invalid/x",
        "no such database": f"postgresql://{user}@{place}",
        "not a URL": f"postgresql://ann:{PASSWORD}@h:port/x",
        "no scheme": f"ann:{PASSWORD}@h/x",
        "another scheme": f"postgras://ann:{PASSWORD}@h/x",
    }


@pytest.mark.parametrize("fault", wrong("postgresql://x@h/y"))
def test_a_database_that_cannot_be_used_is_one_sentence_without_its_password(
    tmp_path: Path, server: str, fault: str
) -> None:
    env = {"DATABASE_URL": wrong(server)[fault]}
    commands = [["migrate", "--check"]]
    if fault in ("no such database", "not a URL"):  # a server waits a while for one that does not answer
        commands.append(["serve", "--port", "0", "--insecure-no-auth", "--workers", "2"])
    for arguments in commands:
        done = longline(tmp_path, *arguments, env=env)
        assert done.returncode == 2, (arguments, done.stderr)
        said = [line for line in done.stderr.splitlines() if not line.startswith("{")]
        assert len(said) == 1, (arguments, done.stderr)
        assert said[0].startswith("longline: ")
        assert PASSWORD not in done.stderr + done.stdout
    done = longline(tmp_path, "check", "--port", "0", env=env)
    assert done.returncode == 1
    assert PASSWORD not in done.stderr + done.stdout


def test_without_the_driver_the_line_that_installs_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "psycopg").mkdir()
    (tmp_path / "psycopg/__init__.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'psycopg'\", name='psycopg')"
    )
    (tmp_path / "psycopg_pool").mkdir()
    (tmp_path / "psycopg_pool/__init__.py").write_text("import psycopg")
    env = {"PYTHONPATH": str(tmp_path), "DATABASE_URL": "postgresql://ann:hunter2@h/x"}
    for arguments in (["migrate"], ["migrate", "--check"], ["serve", "--port", "0", "--insecure-no-auth"]):
        done = longline(tmp_path, *arguments, env=env)
        assert done.returncode == 2
        assert "pip install 'longline[storage-postgres]'" in done.stderr
        assert "Traceback" not in done.stderr
    assert longline(tmp_path, "migrate", env={"PYTHONPATH": str(tmp_path)}).returncode == 0


def test_a_database_that_goes_away_leaves_the_server_alive_and_not_ready(tmp_path: Path, server: str) -> None:
    with fresh_database(server) as database:
        command = ["serve", "--port", "0", "--insecure-no-auth", "--database", database, "--workers", "1"]
        with running(tmp_path, *command) as process:
            process.wait_for(STARTED)
            assert httpx.get(f"{process.url}/ready").status_code == 200
            _drop(server, database)
            answer = httpx.get(f"{process.url}/ready", timeout=30)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            answer = httpx.post(f"{process.url}/threads", json={}, timeout=30)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert httpx.get(f"{process.url}/health").status_code == 200
            assert process.stop(seconds=30) == 0


def _drop(server: str, database: str) -> None:
    import psycopg
    from psycopg import sql

    name = str(conninfo_to_dict(database)["dbname"])
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
