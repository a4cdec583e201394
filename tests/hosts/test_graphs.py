"""The graphs of a langgraph.json, in every form that LangGraph's own tools take, and what is said of broken ones."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.hosts.command import Command, ask, running, serving
from tests.hosts.conftest import SAYS, Project

FORMS = (
    SAYS
    + """
import os
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from langchain_core.runnables import RunnableConfig
from langgraph_sdk.runtime import ServerRuntime

HERE = Path(__file__).parent
compiled = says("compiled").compile()
builder = says("builder")
from_env = says(os.environ["A_WORD"]).compile()

def note(word):
    with (HERE / "notes.txt").open("a") as file:
        file.write(word + "\\n")

class holder:
    graph = says("nested").compile()

def plain():
    return says("plain factory")

def by_config(config: RunnableConfig):
    return says(config["configurable"].get("word", "no word")).compile()

async def by_config_async(config):
    return says("async " + config["configurable"].get("word", "no word")).compile()

def by_runtime(runtime: ServerRuntime):
    return says(runtime.access_context).compile()

def by_both(config: RunnableConfig, runtime: ServerRuntime):
    return says(config["configurable"].get("word", "no word") + " " + runtime.access_context).compile()

@asynccontextmanager
async def opened(config: RunnableConfig):
    note("opened")
    yield says("opened").compile()
    note("closed")

@contextmanager
def opened_sync():
    note("opened")
    yield says("opened sync").compile()
    note("closed")
"""
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Command, Path]]:
    folder = tmp_path_factory.mktemp("forms")
    names = ("compiled", "builder", "from_env", "plain", "by_config", "by_config_async", "by_runtime", "by_both")
    graphs: dict[str, object] = {name: f"./forms.py:{name}" for name in (*names, "opened", "opened_sync")}
    graphs |= {
        "nested": "forms.py:holder.graph",
        "absolute": f"{folder}/forms.py:compiled",
        "by_module": "pond.fish:graph",
        "in_src": "./src/lake/trout.py:graph",
        "told": {"path": "./forms.py:compiled", "description": "says its name"},
    }
    pond = SAYS + "graph = says('module').compile()"
    trout = "from lake.words import WORD\n" + SAYS + "graph = says(WORD + ' ' + __name__).compile()"
    files = {
        "forms.py": FORMS,
        "pond/__init__.py": "",
        "pond/fish.py": pond,
        "src/lake/__init__.py": "",
        "src/lake/words.py": "WORD = 'from src'",
        "src/lake/trout.py": trout,
        "words.env": "A_WORD=from the env file\n",
    }
    project = _project(folder, graphs, files)
    with running(
        tmp_path_factory.mktemp("elsewhere"), "dev", "--port", "0", "--no-reload", "--config", str(project)
    ) as command:
        command.wait_loaded()
        yield command, folder


def _project(folder: Path, graphs: dict[str, object], files: dict[str, str]) -> Path:
    import json

    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    path = folder / "langgraph.json"
    path.write_text(json.dumps({"dependencies": ["."], "graphs": graphs, "env": "words.env"}))
    return path


@pytest.mark.parametrize(
    ("graph_id", "said"),
    [
        ("compiled", "compiled"),
        ("builder", "builder"),
        ("from_env", "from the env file"),
        ("nested", "nested"),
        ("absolute", "compiled"),
        ("by_module", "module"),
        ("in_src", "from src lake.trout"),
        ("plain", "plain factory"),
        ("by_config", "a word"),
        ("by_config_async", "async a word"),
        ("by_runtime", "threads.create_run"),
        ("by_both", "a word threads.create_run"),
    ],
)
def test_a_graph_runs_in_every_form(server: tuple[Command, Path], graph_id: str, said: str) -> None:
    assert ask(server[0].url, graph_id, config={"configurable": {"word": "a word"}}) == {"said": said}


@pytest.mark.parametrize("graph_id", ["opened", "opened_sync"])
def test_a_context_manager_is_closed_after_each_run(server: tuple[Command, Path], graph_id: str) -> None:
    command, folder = server
    notes = folder / "notes.txt"
    notes.unlink(missing_ok=True)
    for _ in range(2):
        ask(command.url, graph_id)
    words = notes.read_text().split()
    assert words.count("opened") == words.count("closed") >= 2


def test_the_description_of_a_graph_is_its_assistants(server: tuple[Command, Path]) -> None:
    found = httpx.post(f"{server[0].url}/assistants/search", json={"limit": 100}).json()
    assert {a["graph_id"]: a["description"] for a in found}["told"] == "says its name"


def test_every_graph_is_listed_with_where_it_comes_from(server: tuple[Command, Path]) -> None:
    assert "by_module       ← pond.fish:graph" in server[0].output
    assert "broken" not in server[0].output


BROKEN = {
    "missing_file": ("./nowhere.py:graph", "there is no such file", "nowhere.py"),
    "missing_name": ("./fine.py:grahp", "it has no attribute 'grahp'", "fine.py"),
    "missing_module": ("no_such_package.graph:graph", "No module named 'no_such_package'", ""),
    "bad_import": ("./imports.py:graph", "No module named 'not_installed_here'", "./imports.py, line 2"),
    "bad_syntax": ("./syntax.py:graph", "SyntaxError", "./syntax.py, line 3"),
    "raises": ("./raises.py:graph", "ValueError: no such pond", "./raises.py, line 2"),
    "exits": ("./exits.py:graph", "SystemExit: 3", "./exits.py, line 2"),
    "no_graph": ("./fine.py:SAYS", "expected a LangGraph graph, got str", ""),
}  # fmt: skip


def test_broken_graphs_are_named_with_file_line_and_cause_and_the_others_are_served(project: Project) -> None:
    folder = project(
        {"fine": "./fine.py:graph", **{name: reference for name, (reference, _, _) in BROKEN.items()}},
        {
            "fine.py": SAYS + "SAYS = 'text'\ngraph = says('fine').compile()",
            "imports.py": "import json\nimport not_installed_here\n",
            "syntax.py": "x = 1\ny = 2\ndef broken(:\n",
            "raises.py": "def f():\n    raise ValueError('no such pond')\nf()\n",
            "exits.py": "import sys\nsys.exit(3)\n",
        },
    )
    with serving(folder, "--no-reload") as server:
        assert ask(server.url, "fine") == {"said": "fine"}
        for name, (_, cause, place) in BROKEN.items():
            (line,) = [line for line in server.output.splitlines() if f"graph_id={name} " in line]
            assert " error " in line
            assert cause in line
            assert place in line
            response = httpx.post(f"{server.url}/runs/wait", json={"assistant_id": name, "input": {}})
            assert response.status_code < 500
            assert cause in response.text
        assert "Traceback" not in server.output


def test_a_factory_that_raises_fails_its_runs_and_no_others(project: Project) -> None:
    text = SAYS + "graph = says('fine').compile()\ndef bad(config):\n    raise RuntimeError('not today')\n"
    folder = project({"fine": "./g.py:graph", "bad": "./g.py:bad"}, {"g.py": text})
    with serving(folder, "--no-reload") as server:
        found = ask(server.url, "bad")
        assert found["__error__"] == {"error": "RuntimeError", "message": "not today"}
        assert ask(server.url, "fine") == {"said": "fine"}


def test_env_may_be_a_table_and_the_environment_wins_over_it(project: Project) -> None:
    text = SAYS + "import os\ngraph = says(os.environ['FIRST'] + ' ' + os.environ['SECOND']).compile()"
    folder = project({"g": "./g.py:graph"}, {"g.py": text}, env={"FIRST": "file", "SECOND": "file"})
    with serving(folder, "--no-reload", env={"SECOND": "environment"}) as server:
        assert ask(server.url, "g") == {"said": "file environment"}


def test_keys_that_are_not_acted_on_are_named_once_and_stop_nothing(project: Project) -> None:
    folder = project(
        {"g": "./g.py:graph"},
        {"g.py": SAYS + "graph = says('fine').compile()"},
        http={"disable_mcp": True}, store={}, ui={"agent": "./ui.tsx"}, python_version="3.11", colour="blue",
    )  # fmt: skip
    with serving(folder, "--no-reload") as server:
        assert ask(server.url, "g") == {"said": "fine"}
        assert server.output.count("langgraph.json used in part") == 1
        assert 'not_acted_on="colour, ui"' in server.output


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"graphs": {"a": "./a.py:g",}}', "line 1, column 29: "),
        ("[]", "an object is expected"),
        ('{"graphs": {"a": 3}}', "graphs.a must be "),
        ('{"dependencies": ["."]}', '"graphs" must be an object'),
    ],
)
def test_a_malformed_file_is_named_with_what_is_expected(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "langgraph.json"
    path.write_text(text)
    with running(tmp_path, "dev", "--port", "0") as command:
        assert command.end() == 2
        assert f"longline: {path}" in command.output
        assert expected in command.output
        assert "Traceback" not in command.output
