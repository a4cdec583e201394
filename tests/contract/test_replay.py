"""The recorded transcripts of the LangGraph Server API, group by group, against `longline dev` on each storage.

The recording lies beside the repository, in `../shared/contract`: `capture.py` plays the requests, `compare.py` judges
the answers. A play has a server and a database of its own. What mostly waits is the first: with several workers
the others are played meanwhile.
"""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.databases import DATABASES, Database, database_arguments
from tests.processes import ServerProcess, running, wait_for

HERE = Path(__file__).parent
KIT = HERE.parents[2] / "shared" / "contract"
CONFIGS = {
    "default": "langgraph.json", "auth": "langgraph.auth.json", "serde": "langgraph.serde.json",
    "ttl": "langgraph.ttl.json",
}  # fmt: skip
WAITING = (("ttl", "ttl"), ("default", "heartbeat v2"))
"""Profile, and groups that are played one after the other on one server: these mostly wait."""
WORKING = (
    ("default", "multitask cancel disconnect joining delayed durability"),
    ("default", "streaming resuming stateless interrupts graph_errors run_context errors"),
    ("default", "history assistants threads thread_stream webhooks store crons cors"),
    ("default", "mcp a2a"),
    ("default", "system_assistant_deletion"),
    ("auth", "auth auth_crons auth_internal_cleanup auth_mcp"),
    ("serde", "serde stateless_interrupts thread_stream_variants pending_runs history_variants odd_requests"),
)
"""The others. The last of the default ones leaves nothing to play on."""
_LINES = (HERE / "known.txt").read_text("utf-8").splitlines()
KNOWN = frozenset(line.split()[0] for line in _LINES if line and line[0] not in "# ")
_PLAY_SECONDS = 300
_QUIET = {name: value for name, value in os.environ.items() if not name.startswith("COV")}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(_PLAY_SECONDS + 60),
    pytest.mark.skipif(not (KIT / "capture.py").is_file(), reason="no recorded transcripts in ../shared/contract"),
]


def _kit(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, program, *arguments],
        cwd=KIT,
        env={**_QUIET, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=_PLAY_SECONDS,
    )


def _capture(folder: Path, database: Database, *, profile: str, groups: str) -> Path:
    """The transcripts of some groups, from a server with an empty database."""
    project, out = folder / "graphs", folder / "transcripts"
    shutil.copytree(KIT / "graphs", project)
    with (
        database_arguments(database) as arguments,
        running(project, "--config", CONFIGS[profile], *arguments) as server,
    ):
        _warm(server)
        asked = ("--profile", profile, "--out", str(out), "--only", *groups.split())
        played = _kit("capture.py", "--base", server.url, *asked)
        assert played.returncode == 0, f"{played.stdout}{played.stderr}\n--- the server:\n{server.output[-5000:]}"
    return out


def _warm(server: ServerProcess) -> None:
    """Have every graph imported and one run done: the scenarios cancel runs after parts of a second."""
    wait_for(lambda: "graphs loaded" in server.output, "loading the graphs")
    run = {"assistant_id": "agent", "input": {}}
    headers = {"Authorization": "Bearer alice-token"}  # only asked for in one profile
    httpx.post(f"{server.url}/runs/wait", json=run, headers=headers, timeout=60).raise_for_status()


def _compare(transcripts: Path) -> dict[str, Any]:
    """Transcript → level and findings."""
    judged = _kit("compare.py", str(transcripts), "--json")
    assert judged.stdout, judged.stderr
    found: dict[str, Any] = json.loads(judged.stdout)["transcripts"]
    return found


@pytest.mark.parametrize(("profile", "groups"), WAITING)
def test_every_answer_is_as_recorded_after_pauses(profile: str, groups: str, tmp_path: Path) -> None:
    """On all storages at once: the pauses cost nothing."""
    folders = [tmp_path / database for database in DATABASES]
    for folder in folders:
        folder.mkdir()
    with ThreadPoolExecutor() as pool:
        played = pool.map(partial(_capture, profile=profile, groups=groups), folders, DATABASES)
        for transcripts in played:
            _judge(transcripts)


@pytest.mark.parametrize(("profile", "groups"), WORKING)
@pytest.mark.parametrize("database", DATABASES)
def test_every_answer_is_as_recorded(profile: str, groups: str, database: Database, tmp_path: Path) -> None:
    _judge(_capture(tmp_path, database, profile=profile, groups=groups))


def _judge(transcripts: Path) -> None:
    judged = _compare(transcripts)
    assert judged
    different = {name: found["different"] for name, found in judged.items() if found["level"] == "different"}
    unexpected = {name: findings for name, findings in different.items() if name not in KNOWN}
    assert not unexpected, json.dumps(unexpected, indent=1, ensure_ascii=False)
    mended = (KNOWN & judged.keys()) - different.keys()
    assert not mended, f"take these out of known.txt, they are as recorded: {', '.join(sorted(mended))}"


def test_every_group_that_is_served_is_played() -> None:
    recorded = json.loads((KIT / "golden_index.json").read_text("utf-8"))
    played = {(profile, group) for profile, groups in (*WAITING, *WORKING) for group in groups.split()}
    all_groups = {(profile, group) for profile, groups in recorded.items() for group in groups}
    assert played == all_groups
