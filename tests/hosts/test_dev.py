"""`longline dev` in an empty folder and in a project: it starts without a question, or says in a sentence why not."""

import json
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from longline_hosts.dev import DEV
from tests.hosts.command import ask, clean_environment, longline, running, serving
from tests.hosts.conftest import SAYS, Project

DATABASE = ".longline/longline.db"


def test_it_starts_in_an_empty_folder_and_tells_what_it_serves(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert httpx.get(f"{server.url}/ok").json()["ok"] is True
        assert f"SQLite  {tmp_path / DATABASE}" in server.output
        assert f"plugins   {', '.join(sorted(DEV.plugins))}" in server.output
        assert "agent ← plugin agent_tools" in server.output
        assert "Agent2Agent (A2A) at /a2a" in server.output
        assert "Model Context Protocol at /mcp" in server.output
        assert "model     demo:" in server.output
        assert f'get_sync_client(url="{server.url}").runs.wait(None, "agent"' in server.output
        answer = ask(server.url, "agent", {"messages": [{"role": "user", "content": "What is 2 + 2?"}]})
        assert "demo" in answer["messages"][-1]["content"]
        assert server.stop(signal.SIGINT) == 0
    assert {path.name for path in (tmp_path / ".longline").iterdir()} >= {"longline.db", "secret.key", ".gitignore"}


def test_the_secret_key_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    with serving(tmp_path, "--no-reload"):
        key = tmp_path / ".longline/secret.key"
        made = key.read_text()
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert len(made.strip()) == 44
    with serving(tmp_path, "--no-reload") as server:
        assert key.read_text() == made
        assert made.strip() not in server.output


def test_a_configured_key_is_used_and_none_is_made(tmp_path: Path) -> None:
    with serving(tmp_path, "--no-reload", env={"LONGLINE_SECRET_KEY": "A" * 43 + "="}):
        assert not (tmp_path / ".longline/secret.key").exists()


def test_the_model_is_an_endpoint_as_soon_as_one_is_named(tmp_path: Path) -> None:
    env = {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1", "OPENAI_API_KEY": "sk-not-to-be-seen"}
    with serving(tmp_path, "--no-reload", env=env) as server:
        assert "model     openai:gpt-4o-mini at http://127.0.0.1:1" in server.output
        assert "sk-not-to-be-seen" not in server.output


def test_the_built_in_agent_steps_aside_for_a_graph_of_its_name(project: Project) -> None:
    folder = project({"agent": "./g.py:graph"}, {"g.py": SAYS + "graph = says('mine').compile()"})
    with serving(folder, "--no-reload") as server:
        assert "left out  agent_tools: langgraph.json has a graph 'agent' of its own" in server.output
        assert ask(server.url, "agent") == {"said": "mine"}


def test_the_built_in_agent_stands_beside_graphs_of_other_names(project: Project) -> None:
    folder = project({"other": "./g.py:graph"}, {"g.py": SAYS + "graph = says('mine').compile()"})
    with serving(folder, "--no-reload") as server:
        found = httpx.post(f"{server.url}/assistants/search", json={}).json()
        assert {assistant["graph_id"] for assistant in found} == {"agent", "other"}


def test_two_plugins_with_one_graph_are_refused_where_both_are_asked_for_by_name(project: Project) -> None:
    folder = project({"agent": "./g.py:graph"}, {"g.py": SAYS + "graph = says('mine').compile()"})
    env = {"LONGLINE_PLUGINS__ENABLE": '["agent_tools", "storage_sqlite"]'}
    ended = longline(folder, "dev", "--port", "0", env=env)
    assert ended.returncode == 2
    assert "both offer the graph 'agent'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_second_server_on_the_same_file_is_refused(tmp_path: Path) -> None:
    with serving(tmp_path):
        ended = longline(tmp_path, "dev", "--port", "0")
        assert ended.returncode == 2
        assert "in use by another Longline server (process " in ended.stderr
        assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("reload", [[], ["--no-reload"]], ids=["reload", "no reload"])
def test_a_busy_port_is_an_error_that_names_it_and_no_other_port_is_taken(tmp_path: Path, reload: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ended = longline(tmp_path, "dev", "--port", str(port), *reload)
    assert ended.returncode == 2
    expected = f"longline: port {port} on 127.0.0.1 is in use by another program; stop that, or choose a --port\n"
    assert ended.stderr == expected
    assert ended.stdout == ""


@pytest.mark.parametrize("reload", [[], ["--no-reload"]], ids=["reload", "no reload"])
def test_an_address_that_others_reach_is_refused_without_an_authenticator(tmp_path: Path, reload: list[str]) -> None:
    ended = longline(tmp_path, "dev", "--host", "0.0.0.0", "--port", "0", *reload)
    assert ended.returncode == 2
    assert "0.0.0.0 can be reached from other machines" in ended.stderr


def test_an_address_that_others_reach_is_served_with_an_authenticator(tmp_path: Path) -> None:
    (tmp_path / "longline.toml").write_text('[static_tokens.tokens]\nann = "let-me-in"\n')
    with serving(tmp_path, "--host", "0.0.0.0", "--no-reload") as server:
        assert httpx.post(f"{server.url}/threads", json={}).status_code == 401
        headers = {"authorization": "Bearer let-me-in"}
        assert httpx.post(f"{server.url}/threads", json={}, headers=headers).status_code == 200
        assert "let-me-in" not in server.output


def test_several_processes_are_not_for_development(tmp_path: Path) -> None:
    ended = longline(tmp_path, "dev", "--workers", "2")
    assert ended.returncode == 2
    assert "unrecognized arguments: --workers 2" in ended.stderr


def test_nothing_that_is_imported_before_the_first_answer_imports_langgraph() -> None:
    code = (
        "import sys, longline_hosts.cli, longline_hosts.dev, longline_hosts.reload, longline_hosts.production\n"
        "import longline.runtime, longline_storage_sqlite, longline_protocol_langgraph, longline_agent_tools\n"
        "slow = {'langgraph', 'langchain', 'langchain_core', 'langchain_openai', 'openai', 'httpx', 'rich'}\n"
        "print(sorted(slow & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=clean_environment(), timeout=60
    )
    assert done.stdout == "[]\n", done.stderr


def test_a_server_says_where_it_is_and_takes_that_back(tmp_path: Path) -> None:
    note = tmp_path / ".longline/server.json"
    with serving(tmp_path) as server:
        left = json.loads(note.read_text())
        assert left["url"] == server.url
        assert DATABASE not in note.read_text()  # a URL may have a password in it
        assert server.stop() == 0
    assert not note.exists()


def test_ctrl_c_ends_all_of_its_processes(tmp_path: Path) -> None:
    with running(tmp_path, "dev", "--port", "0") as server:
        url = server.wait_loaded()
        assert server.stop(signal.SIGINT) == 0
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{url}/ok")
