"""Projects as people have them: a folder with a langgraph.json and some Python."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

SAYS = """
from typing_extensions import TypedDict
from langgraph.graph import START, StateGraph

class State(TypedDict, total=False):
    said: str

def says(word):
    builder = StateGraph(State)
    builder.add_node("say", lambda state: {"said": word})
    builder.add_edge(START, "say")
    return builder
"""

Project = Callable[..., Path]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Makes a project: `project({"g": "./g.py:graph"}, {"g.py": "..."}, env=".env")`."""

    def make(graphs: Mapping[str, object], files: Mapping[str, str], **keys: object) -> Path:
        document = {"dependencies": ["."], "graphs": graphs, **keys}
        (tmp_path / "langgraph.json").write_text(json.dumps(document))
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return make
