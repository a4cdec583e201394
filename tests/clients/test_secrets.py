"""A secret given in a configuration reaches the graph and nothing else."""

import json
from pathlib import Path

import httpx
import pytest

from tests.processes import running

SECRET = "sk-Zq8-never-to-be-seen-7fA3"
OTHER = "sk-Other-Wq2-hidden-too-91bC"

GRAPH = """
from typing import Any
from typing_extensions import TypedDict
from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph

class State(TypedDict, total=False):
    seen: Any
    fail: bool

def look(state, config):
    configurable = config["configurable"]
    key = configurable.get("custom_api_key")
    keys = configurable.get("apiKeys") or {}
    get_stream_writer()({"writing": str(key), "keys": repr(keys)})
    if state.get("fail"):
        raise ValueError(f"the key was {key}")
    clear = key.get_secret_value() if key is not None else ""
    model = configurable.get("model_name")
    return {"seen": {"length": len(clear), "shown": str(key), "names": sorted(keys), "model": model}}

builder = StateGraph(State)
builder.add_node("look", look)
builder.add_edge(START, "look")
graph = builder.compile()
"""

CONFIGURABLE = {"custom_api_key": SECRET, "apiKeys": {"OPENAI_API_KEY": OTHER}, "model_name": "openai:gpt-4o"}
MODES = ["values", "updates", "messages-tuple", "events", "debug", "tasks", "checkpoints", "custom"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "look.py").write_text(GRAPH)
    (tmp_path / "langgraph.json").write_text(json.dumps({"dependencies": ["."], "graphs": {"look": "./look.py:graph"}}))
    return tmp_path


def test_a_secret_is_in_no_row_checkpoint_stream_log_or_response(project: Path) -> None:
    said: list[bytes] = []

    def call(method: str, path: str, body: object = None) -> httpx.Response:
        response = httpx.request(method, server.url + path, json=body, timeout=30)
        said.append(response.content + str(response.headers).encode())
        return response

    with running(project, "--log-level", "debug") as server:
        assistant = call("POST", "/assistants", {"graph_id": "look", "config": {"configurable": CONFIGURABLE}}).json()
        assert assistant["config"]["configurable"]["custom_api_key"] == "***"
        assistant_id = assistant["assistant_id"]
        thread_id = call("POST", "/threads", {}).json()["thread_id"]
        by_assistant = {"assistant_id": assistant_id, "input": {}, "stream_mode": MODES, "stream_resumable": True}
        stream = call("POST", f"/threads/{thread_id}/runs/stream", {**by_assistant, "stream_subgraphs": True})
        assert "event: debug" in stream.text
        state = call("GET", f"/threads/{thread_id}/state").json()["values"]["seen"]
        assert state == {
            "length": len(SECRET),
            "shown": "**********",
            "names": ["OPENAI_API_KEY"],
            "model": "openai:gpt-4o",
        }
        by_run = {"assistant_id": "look", "input": {}, "config": {"configurable": CONFIGURABLE}, "stream_mode": MODES}
        call("POST", f"/threads/{thread_id}/runs/wait", by_run)
        call("POST", f"/threads/{thread_id}/runs/stream", {**by_run, "input": {"fail": True}})
        by_context = {"assistant_id": "look", "input": {}, "context": CONFIGURABLE}
        assert call("POST", "/runs/wait", by_context).json()["seen"]["length"] == len(SECRET)
        call("PATCH", f"/assistants/{assistant_id}", {"config": assistant["config"], "name": "renamed"})
        call("POST", f"/assistants/{assistant_id}/versions", {})
        call("POST", "/assistants/search", {})
        call("POST", "/threads/search", {})
        runs = call("GET", f"/threads/{thread_id}/runs").json()
        for run in runs:
            call("GET", f"/threads/{thread_id}/runs/{run['run_id']}")
        call("GET", f"/threads/{thread_id}/history?limit=100")
        renamed = call("POST", "/runs/wait", {"assistant_id": assistant_id, "input": {}}).json()
        assert renamed["seen"]["length"] == len(SECRET), "a client that sends back *** must not lose the key"
        server.stop()
    with running(project) as server:  # sealed with a key that outlives the process
        assert call("POST", "/runs/wait", {"assistant_id": assistant_id, "input": {}}).json()["seen"]["length"] == 28
        server.stop()

    (project / ".longline" / "secret.key").unlink()
    with running(project) as server:  # another key: the secret is gone, and the log says so
        assert call("POST", "/runs/wait", {"assistant_id": assistant_id, "input": {}}).json()["seen"]["length"] == 0
        assert "secret not readable" in server.output
        server.stop()

    written = [path for path in project.rglob("*") if path.is_file() and path.suffix != ".py"]
    assert any(path.suffix == ".db" for path in written)
    for place, data in [
        *((str(p), p.read_bytes()) for p in written),
        *((f"answer {n}", b) for n, b in enumerate(said)),
    ]:
        for secret in (SECRET, OTHER):
            assert secret.encode() not in data, f"a secret stands in {place}"


def test_the_key_that_seals_secrets_is_readable_by_its_owner_alone(project: Path) -> None:
    with running(project):
        assert (project / ".longline" / "secret.key").stat().st_mode & 0o077 == 0
