"""`kill -9` between taking a cron and making its run, and what the next server makes of it."""

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from longline.ids import tick_run_id
from tests.processes import running, wait_for

GRAPH = """
import pathlib
from typing_extensions import TypedDict
from langgraph.graph import START, StateGraph

class State(TypedDict, total=False):
    n: int

def note(state):
    with (pathlib.Path(__file__).parent / "effects.txt").open("a") as file:
        file.write("ran\\n")
    return {"n": 1}

builder = StateGraph(State)
builder.add_node("note", note)
builder.add_edge(START, "note")
graph = builder.compile()
"""

# A server of the same project whose process kills itself once a tick is taken: the ticker asks for the assistant next.
DYING = """
import asyncio, os, signal, sys
from dataclasses import replace
from datetime import datetime
from longline.auth.principal import LOCAL
from longline.models.crons import CronSpec, NewCron
from longline.runtime import Runtime

async def main(database, tick):
    runtime = Runtime(["storage_sqlite"], {"server": {"database": database}, "langgraph": {"file": "langgraph.json"}})
    async with runtime.open() as opened:
        server = opened.server
        spec = CronSpec(input={})
        cron = await server.crons.create(LOCAL, NewCron(assistant="note", schedule="0 0 1 1 *", spec=spec))
    async with runtime.storage_backend.connect(database) as storage:
        await storage.crons.update(cron.cron_id, lambda old: replace(old, next_tick=tick), at=tick)

        async def die(*arguments):
            print("taken", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

    async with runtime.open() as opened:
        opened.server.assistants.resolve = die
        await asyncio.sleep(30)

asyncio.run(main(sys.argv[1], datetime.fromisoformat(sys.argv[2])))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "note.py").write_text(GRAPH)
    (tmp_path / "langgraph.json").write_text(json.dumps({"dependencies": ["."], "graphs": {"note": "./note.py:graph"}}))
    return tmp_path


def test_a_tick_that_was_taken_by_a_process_that_died_makes_its_run_once(project: Path) -> None:
    tick = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    database = "sqlite:///.longline/longline.db"
    died = subprocess.run(
        [sys.executable, "-c", DYING, database, tick.isoformat()],
        cwd=project, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (died.returncode, died.stdout) == (-signal.SIGKILL, "taken\n"), died.stderr
    effects = project / "effects.txt"
    assert not effects.exists()
    with running(project) as server:
        wait_for(effects.exists, "the run of the tick")
        (cron,) = httpx.post(f"{server.url}/runs/crons/search", json={}).json()
        assert datetime.fromisoformat(cron["next_run_date"]) > datetime.now(UTC)
        other = {"assistant_id": "note", "schedule": "* * * * * *", "input": {}}
        httpx.post(f"{server.url}/runs/crons", json=other).raise_for_status()
        wait_for(lambda: server.output.count("run created") == 2, "the run of another cron")
        assert server.output.count(tick_run_id(cron["cron_id"], tick)) == 3  # created, bound, ended
