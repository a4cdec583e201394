"""The single binary: built once, it runs an agent, serves, and takes third-party plugins from the folder beside it."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.hosts.command import SECONDS, Command, clean_environment
from tests.hosts.test_check import PROTOCOL
from tests.hosts.third_party import install

ROOT = Path(__file__).parents[2]
BUILD_SECONDS = 900
_SUM = {"messageId": "1", "role": "user", "parts": [{"kind": "text", "text": "What is 2 + 2?"}]}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(BUILD_SECONDS + 60)]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by the first process of the run that needs it; the others wait."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "longline-binary"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "longline").exists():
            _build(folder)
    return folder / "longline"


@pytest.fixture
def binary(built: Path, tmp_path: Path) -> Path:
    """In a folder of its own, where plugins may be put beside it."""
    folder = tmp_path / "installed"
    folder.mkdir()
    os.link(built, folder / "longline")
    return folder / "longline"


def _build(folder: Path) -> None:
    script = str(ROOT / "scripts/build_binary.py")
    done = subprocess.run(
        [sys.executable, script, str(folder)],
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        env=clean_environment(),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "MB" in done.stdout
    assert "first start: /ok after" in done.stdout


def run(binary: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Without this Python anywhere in sight."""
    env = {"PATH": "/nowhere", "HOME": str(folder)}
    return subprocess.run(
        [str(binary), *arguments], cwd=folder, env=env, capture_output=True, text=True, timeout=SECONDS
    )


def test_it_runs_the_built_in_agent(binary: Path, tmp_path: Path) -> None:
    done = run(binary, tmp_path, "run", "agent", "What is 2 + 2?")
    assert done.returncode == 0, done.stderr
    assert "← calculate: 4" in done.stdout
    assert "demo" in done.stdout


def test_it_runs_a_project_s_graph_that_imports_from_the_standard_library(binary: Path, tmp_path: Path) -> None:
    (tmp_path / "langgraph.json").write_text('{"graphs": {"g": "./g.py:graph"}}')
    (tmp_path / "g.py").write_text(
        "import statistics, csv, sqlite3, xml.dom.minidom\n"
        "from typing_extensions import TypedDict\n"
        "from langgraph.graph import START, StateGraph\n"
        "class S(TypedDict, total=False):\n    mean: float\n"
        "b = StateGraph(S)\nb.add_node('n', lambda s: {'mean': statistics.mean([1, 2])})\nb.add_edge(START, 'n')\n"
        "graph = b.compile()\n"
    )
    done = run(binary, tmp_path, "run", "g", "{}")
    assert done.returncode == 0, done.stderr
    assert '"mean": 1.5' in done.stdout


def test_it_takes_third_party_plugins_from_the_folder_beside_it(binary: Path, tmp_path: Path) -> None:
    install(binary.parent / "plugins", "longline-pond", {"a_pond": PROTOCOL}, plugins={"pond": "a_pond"})
    listed = run(binary, tmp_path, "plugins")
    assert listed.returncode == 0, listed.stderr
    (row,) = [line for line in listed.stdout.splitlines() if line.startswith("pond")]
    assert row.split() == ["pond", "1.2.3", "longline-pond", "chosen"]
    command = Command(tmp_path, "dev", "--port", "0", program=binary)
    try:
        url = command.wait_loaded()
        assert httpx.get(f"{url}/ok").status_code == 200
        assert httpx.get(f"{url}/pond").status_code == 200
        assert command.stop() == 0
    finally:
        command.kill()


def test_it_serves_other_agents_and_mcp_clients(binary: Path, tmp_path: Path) -> None:
    """With what is installed where it was built: here, everything."""
    assert "missing" not in run(binary, tmp_path, "plugins").stdout
    command = Command(tmp_path, "dev", "--port", "0", program=binary)
    try:
        url = command.wait_loaded()
        asked = {"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": {"message": _SUM}}
        told = httpx.post(f"{url}/a2a/agent", json=asked, timeout=SECONDS).json()["result"]
        assert "4" in told["artifacts"][0]["parts"][0]["text"]
        headers = {"accept": "application/json, text/event-stream"}
        tools = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        listed = httpx.post(f"{url}/mcp", json=tools, headers=headers, timeout=SECONDS).json()["result"]["tools"]
        assert {"agent", "calculate"} <= {tool["name"] for tool in listed}
        assert command.stop() == 0
    finally:
        command.kill()
