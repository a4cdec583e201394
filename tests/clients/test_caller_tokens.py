"""A caller's bearer token reaches the graphs of their runs, and nothing that anybody reads."""

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.processes import running, wait_for

TOKEN = "eyJ-Zq8-never-to-be-seen-7fA3"
DIGEST = hashlib.sha256(TOKEN.encode()).hexdigest()
MODES = ["values", "updates", "messages", "messages-tuple", "events", "debug", "tasks", "checkpoints", "custom"]

GRAPH = """
import hashlib
from typing_extensions import TypedDict
from langchain_core.runnables import RunnableLambda
from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph

class State(TypedDict, total=False):
    digest: str
    fail: bool

def look(state, config):
    token = config["configurable"].get("__caller_token__")
    get_stream_writer()({"handle": token, "written": f"{token} {token!r}"})
    RunnableLambda(lambda given: given).with_config(run_name="nested").invoke("x", config)
    if state.get("fail"):
        raise ValueError(f"the token was {token}")
    return {"digest": hashlib.sha256(token.get_secret_value().encode()).hexdigest() if token else "none"}

inner = StateGraph(State)
inner.add_node("look", look)
inner.add_edge(START, "look")
outer = StateGraph(State)
outer.add_node("inner", inner.compile())
outer.add_edge(START, "inner")
graph = outer.compile()
"""


class Collector:
    """Takes whatever it is sent: traces and webhooks."""

    def __init__(self) -> None:
        self.bodies: list[tuple[str, bytes]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.bodies.append((self.path, body))
                self._answer(202)

            def do_GET(self) -> None:
                self._answer(200)

            def _answer(self, status: int) -> None:
                self.send_response(status)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *facts: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def sent_to(self, path: str) -> bytes:
        """All that came to this path or below."""
        return b"\n".join(body for where, body in self.bodies if where.startswith(path))

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "look.py").write_text(GRAPH)
    config = {
        "dependencies": ["."],
        "graphs": {"look": "./look.py:graph"},
        "webhooks": {"url": {"disable_loopback": False}},
    }
    (tmp_path / "langgraph.json").write_text(json.dumps(config))
    return tmp_path


def test_a_bearer_token_is_in_no_row_checkpoint_stream_log_trace_webhook_or_response(
    project: Path, collector: Collector
) -> None:
    said: list[bytes] = []

    def call(method: str, path: str, body: object = None) -> httpx.Response:
        shown = {"authorization": f"Bearer {TOKEN}"}
        response = httpx.request(method, server.url + path, json=body, headers=shown, timeout=30)
        said.append(response.content + str(response.headers).encode())
        assert response.status_code < 300, response.text
        return response

    env = {
        "LONGLINE_STATIC_TOKENS__TOKENS": json.dumps({"ann": TOKEN}),
        "LANGSMITH_TRACING": "true",
        "LANGSMITH_ENDPOINT": f"{collector.url}/traces",
        "LANGSMITH_API_KEY": "none",
        "LANGSMITH_DISABLE_RUN_COMPRESSION": "true",
    }
    with running(project, "--log-level", "debug", env=env) as server:
        thread_id = call("POST", "/threads", {}).json()["thread_id"]
        asked: dict[str, object] = {
            "assistant_id": "look", "input": {}, "stream_mode": MODES, "stream_subgraphs": True,
            "stream_resumable": True, "webhook": f"{collector.url}/hook",
        }  # fmt: skip
        runs = f"/threads/{thread_id}/runs"
        assert "event: debug" in call("POST", f"{runs}/stream", asked).text
        assert call("GET", f"/threads/{thread_id}/state").json()["values"] == {"digest": DIGEST}
        assert "the token was ***" in call("POST", "/runs/stream", {**asked, "input": {"fail": True}}).text
        assert call("POST", "/runs/wait", {**asked, "stream_mode": None}).json()["digest"] == DIGEST
        cron = call("POST", f"{runs}/crons", {**asked, "schedule": "* * * * * *"}).json()
        wait_for(lambda: len(call("GET", runs).json()) > 2, "a run of the cron")
        call("POST", "/runs/crons/search", {})
        call("DELETE", f"/runs/crons/{cron['cron_id']}")
        for run in call("GET", runs).json():
            call("GET", f"{runs}/{run['run_id']}")
            call("GET", f"{runs}/{run['run_id']}/join")
        call("POST", f"{runs}", {**asked, "after_seconds": 600})
        call("GET", f"/threads/{thread_id}/history?limit=100")
        assert call("GET", f"/threads/{thread_id}").json()["values"] == {"digest": DIGEST}
        call("POST", "/threads/search", {})
        wait_for(lambda: thread_id.encode() in collector.sent_to("/hook"), "a webhook")
        wait_for(lambda: b"nested" in collector.sent_to("/traces"), "a trace")
        server.stop()
        assert "graph bound" in server.output

    written = [path for path in project.rglob("*") if path.is_file() and path.suffix != ".py"]
    assert any(path.suffix == ".db" for path in written)
    places = [
        *((str(path), path.read_bytes()) for path in written),
        *((f"answer {number}", data) for number, data in enumerate(said)),
        *collector.bodies,
    ]
    for place, data in places:
        assert TOKEN.encode() not in data, f"the token stands in {place}"
