"""Servers stop when they are told to: with streams open, with runs that never end, without their parent."""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.hosts.command import Command, running, serving
from tests.hosts.conftest import Project

SLOW = """
import asyncio, pathlib, time
from typing_extensions import TypedDict
from langgraph.graph import START, StateGraph

HERE = pathlib.Path(__file__).parent

class State(TypedDict, total=False):
    kind: str
    done: bool

async def waits(state):
    (HERE / "begun").touch()
    await asyncio.sleep(300)

def blocks(state):
    (HERE / "begun").touch()
    time.sleep(300)

async def ends(state):
    (HERE / "begun").touch()
    while not (HERE / "go").exists():
        await asyncio.sleep(0.01)
    return {"done": True}

def graph_of(node):
    builder = StateGraph(State)
    builder.add_node("node", node)
    builder.add_edge(START, "node")
    return builder.compile()

waiting, blocking, ending = graph_of(waits), graph_of(blocks), graph_of(ends)
"""


@pytest.fixture
def folder(project: Project) -> Path:
    graphs = {name: f"./slow.py:{name}" for name in ("waiting", "blocking", "ending")}
    return project(graphs, {"slow.py": SLOW})


@contextmanager
def streaming(server: Command, folder: Path, graph_id: str) -> Iterator[tuple[httpx.Response, Iterator[str]]]:
    """An open stream of a run whose node has begun."""
    body = {"assistant_id": graph_id, "input": {"kind": "x"}, "stream_mode": ["values"]}
    with httpx.stream("POST", f"{server.url}/runs/stream", json=body, timeout=30) as response:
        lines = response.iter_lines()
        assert next(lines) == "event: metadata"
        deadline = time.monotonic() + 20
        while not (folder / "begun").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield response, lines


@pytest.mark.parametrize("graph_id", ["waiting", "blocking"])
@pytest.mark.parametrize("reload", [[], ["--no-reload"]], ids=["reload", "no reload"])
def test_sigterm_ends_a_server_with_an_open_stream_and_a_run_that_does_not_end(
    folder: Path, graph_id: str, reload: list[str]
) -> None:
    with serving(folder, *reload) as server, streaming(server, folder, graph_id) as (_, lines):
        started = time.monotonic()
        assert server.stop(signal.SIGTERM, seconds=20) == 0
        assert time.monotonic() - started < 15
        with suppress(httpx.TransportError):
            for _ in lines:
                pass
        assert "Traceback" not in server.output


def test_a_run_that_ends_in_time_is_waited_for_and_its_stream_is_whole(folder: Path) -> None:
    env = {"LONGLINE_SERVER__DRAIN_SECONDS": "20"}
    with serving(folder, "--no-reload", env=env) as server, streaming(server, folder, "ending") as (_, lines):
        server.process.terminate()
        server.wait_for("server stopping")
        (folder / "go").touch()
        assert 'data: {"kind":"x","done":true}' in list(lines)
        assert server.end(seconds=20) == 0


def test_no_connection_is_taken_while_the_last_runs_end(folder: Path) -> None:
    env = {"LONGLINE_SERVER__DRAIN_SECONDS": "20"}
    with serving(folder, "--no-reload", env=env) as server, streaming(server, folder, "ending"):
        server.process.terminate()
        server.wait_for("server stopping")
        assert _is_closed(server.url)
        (folder / "go").touch()
        assert server.end(seconds=20) == 0


@pytest.mark.parametrize("reload", [[], ["--no-reload"]], ids=["reload", "no reload"])
def test_the_second_ctrl_c_ends_everything_at_once(folder: Path, reload: list[str]) -> None:
    env = {"LONGLINE_SERVER__DRAIN_SECONDS": "100"}
    with serving(folder, *reload, env=env) as server, streaming(server, folder, "waiting"):
        os.killpg(server.process.pid, signal.SIGINT)
        server.wait_for("server stopping")
        started = time.monotonic()
        os.killpg(server.process.pid, signal.SIGINT)
        assert server.end(seconds=20) == 130
        assert time.monotonic() - started < 5


def test_a_server_whose_supervisor_was_killed_ends_by_itself_and_frees_the_database(folder: Path) -> None:
    with serving(folder) as server:
        server.process.kill()
        server.process.wait(10)
        with running(folder, "dev", "--port", "0", "--no-reload") as second:
            # the first one may still be on its way out
            if _refused(second):
                with running(folder, "dev", "--port", "0", "--no-reload") as third:
                    third.wait_loaded()
        server.wait_for("server stopping")


def _is_closed(url: str, seconds: float = 10) -> bool:
    """Whether nobody listens there any more, soon."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            httpx.get(f"{url}/ok", timeout=2)
        except httpx.ConnectError:
            return True
    return False


def _refused(command: Command) -> bool:
    with suppress(AssertionError):
        command.wait_loaded()
        return False
    return "in use by another Longline server" in command.output


def test_an_interrupted_terminal_reaches_the_whole_group_and_counts_once(folder: Path) -> None:
    with serving(folder) as server:
        os.killpg(server.process.pid, signal.SIGINT)
        assert server.end(seconds=20) == 0
        assert server.output.count("server stopping") == 1
        assert "Traceback" not in server.output


def test_serve_stops_too(folder: Path) -> None:
    with running(folder, "serve", "--port", "0", "--insecure-no-auth") as server:
        line = server.wait_for(r'\{.*"message": "server started".*\}').group()
        url = json.loads(line)["url"]
        assert httpx.get(f"{url}/ok").status_code == 200
        assert server.stop(signal.SIGTERM, seconds=20) == 0
