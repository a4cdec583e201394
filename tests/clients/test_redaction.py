"""Secrets of every kind, at any depth, with the graph as the only one who sees them: not the database, no answer, no
stream, no line of the log, no trace."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.clients.tracing import taking_traces
from tests.processes import ServerProcess, running, wait_for

SECRETS = {
    name: f"geheim-{name}-7fA3" for name in ("key", "odd", "list", "url", "query", "header", "token", "env", "meta")
}

GRAPH = """
from typing import Any
from typing_extensions import TypedDict
from langgraph.graph import START, StateGraph

class State(TypedDict, total=False):
    seen: Any
    fail: bool

def clear(value):
    if isinstance(value, dict):
        return {key: clear(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clear(item) for item in value]
    return value.get_secret_value() if hasattr(value, "get_secret_value") else value

def look(state, config):
    configurable = clear({k: v for k, v in config["configurable"].items() if not k.startswith("__")})
    if state.get("fail"):
        raise ValueError(f"Zugriff verweigert für {configurable}")
    found = str(configurable).count("geheim-")
    return {"seen": {"secrets": found, "lang": configurable.get("lang")}}

builder = StateGraph(State)
builder.add_node("look", look)
builder.add_edge(START, "look")
graph = builder.compile()
"""

CONFIGURABLE = {
    "custom_api_key": SECRETS["key"],
    "apiKeys": {"Schlüssel für alles": SECRETS["odd"], "more": [[SECRETS["list"]]]},
    "mcp_config": {
        "servers": [
            {
                "name": "recht",
                "url": f"https://ann:{SECRETS['url']}@tools.invalid/mcp?lang=de",
                "headers": {"X-Odd": SECRETS["header"]},
                "env": {"ACCESS_TOKEN": SECRETS["env"]},
            }
        ]
    },
    "rag": {"rag_url": f"https://rag.invalid/?key={SECRETS['query']}", "collections": ["akten"]},
    "x-team-access-token": SECRETS["token"],
    "lang": "größe",
}
COUNT = 8
CONFIG = {"configurable": CONFIGURABLE, "metadata": {"api_key": SECRETS["meta"], "team": "recht"}}
SHOWN = {
    "custom_api_key": "***",
    "apiKeys": {"Schlüssel für alles": "***", "more": [["***"]]},
    "mcp_config": {
        "servers": [
            {
                "name": "recht",
                "url": "https://***@tools.invalid/mcp?lang=de",
                "headers": {"X-Odd": "***"},
                "env": {"ACCESS_TOKEN": "***"},
            }
        ]
    },
    "rag": {"rag_url": "https://rag.invalid/?key=***", "collections": ["akten"]},
    "x-team-access-token": "***",
    "lang": "größe",
}
MODES = ["values", "updates", "messages-tuple", "events", "debug", "tasks", "checkpoints", "custom"]


class Calls:
    """Calls to a server; `said` is all that it answered."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self.said: list[bytes] = []

    def __call__(self, method: str, path: str, body: object = None) -> httpx.Response:
        response = httpx.request(method, self._server.url + path, json=body, timeout=30)
        self.said.append(response.content + str(response.headers).encode())
        return response

    def run(self, body: dict[str, Any]) -> Any:
        return self("POST", "/runs/wait", {"input": {}, **body}).json()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "look.py").write_text(GRAPH)
    (folder / "langgraph.json").write_text(json.dumps({"dependencies": ["."], "graphs": {"look": "./look.py:graph"}}))
    return folder


def assert_no_secret(places: dict[str, bytes]) -> None:
    for place, data in places.items():
        for name, secret in SECRETS.items():
            assert secret.encode() not in data, f"the secret {name!r} stands in {place}"


def files_of(project: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in project.rglob("*") if path.is_file() and path.suffix != ".py"}


def test_secrets_of_every_kind_reach_the_graph_and_nothing_else(project: Path) -> None:
    with taking_traces() as traces, running(project, "--log-level", "debug", env=traces.env) as server:
        call = Calls(server)
        assistant = call("POST", "/assistants", {"graph_id": "look", "config": CONFIG}).json()
        assert assistant["config"]["configurable"] == assistant["context"] == SHOWN
        assert assistant["config"]["metadata"] == {"api_key": "***", "team": "recht"}
        assistant_id = assistant["assistant_id"]
        assert call.run({"assistant_id": assistant_id})["seen"] == {"secrets": COUNT, "lang": "größe"}
        assert call.run({"assistant_id": "look", "config": CONFIG})["seen"]["secrets"] == COUNT
        assert call.run({"assistant_id": "look", "context": CONFIGURABLE})["seen"]["secrets"] == COUNT

        thread_id = call("POST", "/threads", {}).json()["thread_id"]
        runs = f"/threads/{thread_id}/runs"
        for assistant_of_run, config in ((assistant_id, {}), ("look", CONFIG)):
            body = {"assistant_id": assistant_of_run, "input": {}, "config": config, "stream_mode": MODES}
            assert "event: debug" in call("POST", f"{runs}/stream", {**body, "stream_resumable": True}).text
        for run in call("GET", runs).json():
            shown = call("GET", f"{runs}/{run['run_id']}").json()["kwargs"]["config"]["configurable"]
            assert shown["rag"] == SHOWN["rag"]
        state = call("GET", f"/threads/{thread_id}/state").json()
        assert state["metadata"]["api_key"] == "***"
        call("GET", f"/threads/{thread_id}/history?limit=100")

        renamed = call("PATCH", f"/assistants/{assistant_id}", {"name": "neu", "config": assistant["config"]}).json()
        assert renamed["config"]["configurable"] == SHOWN
        assert call.run({"assistant_id": assistant_id})["seen"]["secrets"] == COUNT, "what was shown keeps its secrets"
        cron = {"schedule": "0 0 1 1 *", "assistant_id": "look", "config": CONFIG, "input": {}}
        call("POST", f"{runs}/crons", cron)
        for path in (
            "/assistants/search",
            "/threads/search",
            "/runs/crons/search",
            f"/assistants/{assistant_id}/versions",
        ):
            call("POST", path, {})
        wait_for(lambda: traces.everything.count(b'"name":"look"') >= 5, "tracing")
        server.stop()
        assert b"recht" in traces.everything, "metadata are traced"
        assert_no_secret({**files_of(project), "a trace": traces.everything, "an answer": b"".join(call.said)})


def test_an_error_that_quotes_secrets_is_told_without_them(project: Path) -> None:
    with taking_traces() as traces, running(project, "--log-level", "debug", env=traces.env) as server:
        call = Calls(server)
        thread_id = call("POST", "/threads", {}).json()["thread_id"]
        body = {"assistant_id": "look", "input": {"fail": True}, "config": CONFIG, "stream_mode": MODES}
        stream = call("POST", f"/threads/{thread_id}/runs/stream", {**body, "stream_resumable": True})
        assert "event: error" in stream.text
        assert "Zugriff verweigert für {" in stream.text
        told = call("POST", f"/threads/{thread_id}/runs/wait", body).json()["__error__"]
        assert told["error"] == "ValueError"
        assert "'lang': 'größe'" in told["message"]
        assert call("GET", f"/threads/{thread_id}").json()["error"]["message"] == told["message"]
        for run in call("GET", f"/threads/{thread_id}/runs").json():
            call("GET", f"/threads/{thread_id}/runs/{run['run_id']}/join")
        (task,) = call("GET", f"/threads/{thread_id}/state").json()["tasks"]
        assert "https://***@tools.invalid/mcp?lang=de" in task["error"]
        call("GET", f"/threads/{thread_id}/history")
        wait_for(lambda: traces.everything.count(b"ValueError") >= 2, "tracing")
        server.stop()
        assert "ValueError: Zugriff verweigert" in server.output
        assert_no_secret({**files_of(project), "a trace": traces.everything, "an answer": b"".join(call.said)})


def test_the_built_in_agent_tells_its_traces_nothing_secret(project: Path) -> None:
    configurable = {**CONFIGURABLE, "model_name": "demo:", "apiKeys": {"Schlüssel": SECRETS["odd"]}}
    with taking_traces() as taken, running(project, "--log-level", "debug", env=taken.env) as server:
        call = Calls(server)
        messages = {"messages": [{"role": "user", "content": 'call collection_akten {"query": "Größe"}'}]}
        body = {"assistant_id": "agent", "input": messages, "config": {"configurable": configurable}}
        stream = call("POST", "/runs/stream", {**body, "stream_mode": MODES})
        assert "the collection cannot be searched" in stream.text
        wait_for(lambda: b'"name":"agent"' in taken.everything, "tracing")
        server.stop()
        assert_no_secret({**files_of(project), "a trace": taken.everything, "an answer": b"".join(call.said)})
