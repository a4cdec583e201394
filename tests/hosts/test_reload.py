"""A change restarts the server within a moment; nobody is turned away meanwhile, and nothing that was kept is lost."""

import json
import threading
import time
from pathlib import Path

import httpx

from tests.hosts.command import Command, ask, serving
from tests.hosts.conftest import SAYS, Project

STEPS = """
import asyncio, operator, pathlib
from typing import Annotated
from typing_extensions import TypedDict
from langgraph.graph import START, StateGraph

HERE = pathlib.Path(__file__).parent

class State(TypedDict, total=False):
    steps: Annotated[list[str], operator.add]

def one(state):
    return {"steps": ["one"]}

async def two(state):
    (HERE / "begun").touch()
    while not (HERE / "go").exists():
        await asyncio.sleep(0.01)
    return {"steps": ["two"]}

builder = StateGraph(State)
builder.add_node("one", one)
builder.add_node("two", two)
builder.add_edge(START, "one")
builder.add_edge("one", "two")
graph = builder.compile()
"""


def _says(word: str) -> str:
    return SAYS + f"graph = says({word!r}).compile()"


def _restarted(server: Command, times: int) -> None:
    server.wait_for("server restarted", count=times)
    server.wait_for("graphs loaded", count=times + 1)


def test_a_changed_graph_answers_anew_and_its_threads_are_there(project: Project) -> None:
    folder = project({"g": "./g.py:graph"}, {"g.py": _says("before")})
    with serving(folder) as server:
        thread_id = httpx.post(f"{server.url}/threads", json={}).json()["thread_id"]
        assert ask(server.url, "g", thread_id=thread_id) == {"said": "before"}
        (folder / "g.py").write_text(_says("after"))
        _restarted(server, 1)
        thread = httpx.get(f"{server.url}/threads/{thread_id}").json()
        assert thread["values"] == {"said": "before"}
        assert ask(server.url, "g", thread_id=thread_id) == {"said": "after"}
        assert len(httpx.get(f"{server.url}/threads/{thread_id}/history?limit=20").json()) > 3
        assert server.stop() == 0


def test_files_of_the_configuration_and_new_modules_count(project: Project) -> None:
    text = SAYS + "import os\ngraph = says(os.environ.get('WORD', 'none')).compile()"
    folder = project({"g": "./g.py:graph"}, {"g.py": text, "longline.toml": "", ".env": "WORD=one\n", "new/x.txt": ""})
    changed = {
        "longline.toml": ("[server]\nruns = 3\n", "g", "one"),
        "langgraph.json": (json.dumps({"graphs": {"g": "./g.py:graph", "h": "./g.py:graph"}}), "h", "one"),
        ".env": ("WORD=two\n", "g", "two"),
        "new/deep/module.py": ("x = 1\n", "h", "two"),
    }
    with serving(folder) as server:
        assert ask(server.url, "g") == {"said": "one"}
        for times, (name, (content, graph_id, said)) in enumerate(changed.items(), 1):
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(content)
            _restarted(server, times)
            assert ask(server.url, graph_id) == {"said": said}


def test_nobody_is_turned_away_during_a_restart(project: Project) -> None:
    folder = project({"g": "./g.py:graph"}, {"g.py": _says("before")})
    slowest, failures = [0.0], []
    is_over = threading.Event()

    def ask_as_clients_do(url: str) -> httpx.Response:
        try:
            return httpx.get(f"{url}/ok", timeout=20)
        except httpx.RemoteProtocolError:  # taken by the server that goes in the moment it goes, and closed unanswered
            return httpx.get(f"{url}/ok", timeout=20)

    def knock(url: str) -> None:
        while not is_over.is_set():
            started = time.monotonic()
            try:
                assert ask_as_clients_do(url).status_code == 200
            except Exception as error:  # noqa: BLE001
                failures.append(error)
            slowest[0] = max(slowest[0], time.monotonic() - started)

    with serving(folder) as server:
        server.wait_for("graphs loaded")
        knocking = threading.Thread(target=knock, args=(server.url,))
        knocking.start()
        try:
            for times in range(1, 4):
                (folder / "g.py").write_text(_says(f"version {times}"))
                _restarted(server, times)
        finally:
            is_over.set()
            knocking.join()
        assert failures == []
        assert slowest[0] < 15


def test_a_syntax_error_is_shown_with_its_line_and_mended_by_the_next_change(project: Project) -> None:
    folder = project({"g": "./g.py:graph"}, {"g.py": _says("before")})
    with serving(folder) as server:
        (folder / "g.py").write_text("x = 1\ndef broken(:\n")
        line = server.wait_for(r"graph not loaded .*").group()
        assert "./g.py, line 2" in line
        assert "SyntaxError" in line
        assert httpx.get(f"{server.url}/ok").status_code == 200
        (folder / "g.py").write_text(_says("mended"))
        _restarted(server, 2)
        assert ask(server.url, "g") == {"said": "mended"}


def test_a_configuration_that_breaks_is_told_and_the_next_change_starts_the_server_again(project: Project) -> None:
    folder = project({"g": "./g.py:graph"}, {"g.py": _says("before")})
    document = (folder / "langgraph.json").read_text()
    with serving(folder) as server:
        url = server.url
        (folder / "langgraph.json").write_text(document[:-1])
        server.wait_for(r"langgraph\.json, line 1, column \d+: Expecting")
        server.wait_for(r"server ended  exit_code=2")
        (folder / "langgraph.json").write_text(document)
        _restarted(server, 1)
        assert ask(url, "g") == {"said": "before"}
        assert server.stop() == 0


def test_a_run_that_a_restart_interrupts_goes_on_from_its_last_checkpoint(project: Project) -> None:
    folder = project({"g": "./g.py:graph"}, {"g.py": STEPS})
    with serving(folder) as server:
        thread_id = httpx.post(f"{server.url}/threads", json={}).json()["thread_id"]
        body = {"assistant_id": "g", "input": {}}
        run_id = httpx.post(f"{server.url}/threads/{thread_id}/runs", json=body).json()["run_id"]
        with httpx.stream("GET", f"{server.url}/threads/{thread_id}/runs/{run_id}/stream", timeout=20) as stream:
            assert stream.status_code == 200
            _wait_for_file(folder / "begun")
            (folder / "g.py").write_text(STEPS + "\n")
            _restarted(server, 1)
        (folder / "go").touch()
        result = httpx.get(f"{server.url}/threads/{thread_id}/runs/{run_id}/join", timeout=30).json()
        assert result == {"steps": ["one", "two"]}


def test_what_the_server_itself_writes_restarts_nothing(project: Project) -> None:
    folder = project({"g": "./g.py:graph"}, {"g.py": _says("before"), "sub/a.py": "", ".venv/lib/x.py": ""})
    with serving(folder) as server:
        ask(server.url, "g")
        (folder / ".venv/lib/x.py").write_text("y = 1")
        (folder / "notes.txt").write_text("nothing to do with it")
        (folder / "sub/__pycache__").mkdir()
        (folder / "sub/__pycache__/a.py").write_text("x")
        (folder / "g.py").write_text(_says("after"))
        _restarted(server, 1)
        assert ask(server.url, "g") == {"said": "after"}
        assert server.output.count("files changed") == 1
        assert "files=g.py" in server.output


def _wait_for_file(path: Path, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.01)
