"""No byte that a server wrote holds a token, a key or a password: files, tables, logs, answers, all streams."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.databases import DATABASES, Database
from tests.postgres import fresh_database, migrated_template, server_url
from tests.processes import wait_for
from tests.supabase.identity import new_key
from tests.supabase.model import ANSWERS, BOTH, DEADLINE, GREETING, LAW
from tests.supabase.project import McpTool
from tests.supabase.stack import Server, Stack, said, serving
from tests.supabase.written import Said, files_in, leaks, rows_in, secrets_of

CUSTOM_KEY = "sk-custom-Wq2-given-in-a-configuration-91bC"
NAMED_KEY = "sk-named-Xy7-given-by-its-usual-name-44dE"
HEADER = "header-Pk5-of-a-caller-77aB"
SERVERS_HEADER = "header-Vt8-for-an-mcp-server-63fG"
IN_URL = "url-Lm3-secret-of-an-endpoint-58cD"
MODES = ["values", "updates", "messages", "messages-tuple", "events", "debug", "tasks", "checkpoints", "custom"]
ALL: Any = {"stream_mode": MODES, "stream_resumable": True, "stream_subgraphs": True}
KEYS: Any = {"custom_api_key": CUSTOM_KEY, "apiKeys": {"OPENAI_API_KEY": NAMED_KEY}}


@contextmanager
def _database(kind: Database) -> Iterator[dict[str, str]]:
    if kind == "sqlite":
        yield {}
        return
    where = server_url()
    with fresh_database(where, migrated_template(where)) as url:
        yield {"DATABASE_URL": url}


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.slow] * (kind == "postgres")) for kind in DATABASES]
)
def test_no_secret_is_in_anything_that_the_server_wrote(own_stack: Stack, tmp_path: Path, kind: Database) -> None:
    stack, said_there = own_stack, Said()
    agents = _more_agents(stack)
    with _database(kind) as environment:
        debug = {"LONGLINE_LOG_LEVEL": "debug", **environment}
        with serving(stack, tmp_path, **debug) as server:
            server.sync_counts()
            with httpx.Client(base_url=server.url, headers=_headers(stack), timeout=60) as client:
                _talk(stack, said_there, client, agents)
                _fail(stack, said_there, client, agents)
                _look_around(stack, said_there, client)
            _be_refused(stack, said_there, server)
            server.terminate()
            server.wait_end()
        places = [*files_in(tmp_path), *said_there.answers]
        if environment:
            places += rows_in(environment["DATABASE_URL"], "longline")
    assert kind == "postgres" or any(name.endswith(".db") for name, _ in places), [name for name, _ in places]
    secrets = secrets_of(stack, CUSTOM_KEY, NAMED_KEY, HEADER, SERVERS_HEADER, IN_URL)
    assert any(name.startswith("exchanged") for name in secrets), "no token was exchanged"
    assert leaks(places, secrets) == []
    assert leaks([("here", NAMED_KEY.encode())], secrets), "it would find one"


def _headers(stack: Stack) -> dict[str, str]:
    return {**stack.headers(stack.seed.carla), "x-api-key": HEADER, "cookie": f"session={HEADER}"}


def _more_agents(stack: Stack) -> dict[str, str]:
    refused_url = stack.legal.endpoint.replace("http://", f"http://longline:{IN_URL}@")
    secret_url = f"{stack.legal.endpoint}?api_key={IN_URL}"
    add, kanzlei, engine = stack.project.add_agent, stack.seed.kanzlei, stack.project.add_engine("openai:gpt-4o-mini")
    return {
        "spiegel": add(kanzlei, "Spiegel", graph_id="spiegel", tools=[McpTool("gesetz_suchen", refused_url)]),
        "refused_url": add(
            kanzlei, "Abgelehnte Adresse", engine_id=engine, tools=[McpTool("gesetz_suchen", refused_url)]
        ),
        "warten": add(kanzlei, "Warten", graph_id="warten"),
        "secret_url": add(
            kanzlei, "Geheime Adresse", engine_id=engine, tools=[McpTool("gesetz_suchen", secret_url)]
        ),
    }  # fmt: skip


def _talk(stack: Stack, said_there: Said, client: httpx.Client, agents: dict[str, str]) -> None:
    """Runs that end well: waited for, streamed in all modes, in the background, interrupted and resumed."""
    thread = said_there.ask(client, "POST", "/threads", {}).json()["thread_id"]
    run = {"assistant_id": stack.seed.fristen, "input": said(BOTH), **ALL}
    streamed = said_there.ask(client, "POST", f"/threads/{thread}/runs/stream", run)
    assert ANSWERS[BOTH].split()[-1] in streamed.text
    assert "event: debug" in streamed.text
    law = {"assistant_id": agents["secret_url"], "input": said(LAW)}
    assert ANSWERS[LAW] in said_there.ask(client, "POST", "/runs/wait", law).text
    keyed = {"assistant_id": agents["spiegel"], "input": {}, "config": {"configurable": KEYS}, **ALL}
    seen = said_there.ask(client, "POST", f"/threads/{thread}/runs/stream", {**keyed, "multitask_strategy": "enqueue"})
    assert '"custom_api_key":"SecretStr"' in seen.text.replace(" ", "")
    said_there.ask(client, "POST", "/runs/wait", {**keyed, "context": KEYS, "config": {}})
    other = said_there.ask(client, "POST", "/threads", {}).json()["thread_id"]
    waiting = {"assistant_id": agents["warten"], "input": {}, **ALL}
    said_there.ask(client, "POST", f"/threads/{other}/runs/stream", waiting)
    said_there.ask(
        client, "POST", f"/threads/{other}/runs/wait", {**waiting, "input": None, "command": {"resume": "ja"}}
    )
    servers = [{"url": stack.legal.endpoint, "headers": {"x-mandant": SERVERS_HEADER, "authorization": SERVERS_HEADER}}]
    headed = {**law, "assistant_id": stack.seed.recht, "config": {"configurable": {"mcp_config": {"servers": servers}}}}
    answer = said_there.ask(client, "POST", f"/threads/{other}/runs/stream", {**headed, **ALL})
    assert ANSWERS[LAW].split()[-1] in answer.text
    assert stack.legal.seen[-1].headers["x-mandant"] == SERVERS_HEADER
    background = {"assistant_id": stack.seed.fristen, "input": said(DEADLINE), "stream_resumable": True}
    runs = [said_there.ask(client, "POST", f"/threads/{other}/runs", background).json()["run_id"] for _ in range(2)]
    for run_id in runs:
        answer = said_there.ask(client, "GET", f"/threads/{other}/runs/{run_id}/join")
        assert ANSWERS[DEADLINE] in answer.text
        said_there.ask(client, "GET", f"/threads/{other}/runs/{run_id}/stream", headers={"last-event-id": "-1"})
    cron = {"assistant_id": stack.seed.fristen, "input": said(DEADLINE), "schedule": "* * * * *"}
    said_there.ask(client, "POST", f"/threads/{other}/runs/crons", cron)
    said_there.ask(client, "POST", "/runs/crons/search", {})
    body = {"graph_id": "agent", "name": "Eigene", "config": {"configurable": KEYS}, "metadata": {"mein": "ä"}}
    assert (
        said_there.ask(client, "POST", "/assistants", body).json()["config"]["configurable"]["custom_api_key"] == "***"
    )


def _fail(stack: Stack, said_there: Said, client: httpx.Client, agents: dict[str, str]) -> None:
    """Runs that end badly: a refused key, an exchange that fails, a server that is away, an unknown model."""
    exchange = stack.deadlines.exchange
    assert exchange is not None
    thread = said_there.ask(client, "POST", "/threads", {}).json()["thread_id"]
    place = f"/threads/{thread}/runs/stream"
    keyed = {"assistant_id": stack.seed.recht, "input": said(GREETING), "config": {"configurable": KEYS}, **ALL}
    said_there.ask(client, "POST", place, keyed)
    deadline = {"assistant_id": stack.seed.fristen, "input": said(DEADLINE), **ALL}
    exchange.forget()
    exchange.fails_with = 500
    said_there.ask(client, "POST", place, deadline)
    exchange.fails_with = None
    said_there.ask(client, "POST", place, deadline)
    stack.legal.stop()
    said_there.ask(client, "POST", place, {**deadline, "input": said(BOTH)})
    for name in ("secret_url", "refused_url"):
        said_there.ask(client, "POST", place, {**deadline, "assistant_id": agents[name], "input": said(LAW)})
    stack.legal.start()
    unknown = {"assistant_id": stack.seed.unknown_model, "input": said(GREETING), **ALL}
    said_there.ask(client, "POST", place, unknown)
    said_there.ask(client, "POST", place, {**unknown, "config": {"configurable": {**KEYS, "temperature": "warm"}}})


def _look_around(stack: Stack, said_there: Said, client: httpx.Client) -> None:
    """Everything that can be read."""
    threads = said_there.ask(client, "POST", "/threads/search", {"limit": 100}).json()
    for thread in threads:
        place = f"/threads/{thread['thread_id']}"
        for path in ("", "/state", "/history?limit=100", "/runs"):
            said_there.ask(client, "GET", place + path)
        for run in said_there.ask(client, "GET", f"{place}/runs").json():
            said_there.ask(client, "GET", f"{place}/runs/{run['run_id']}")
            said_there.ask(client, "GET", f"{place}/runs/{run['run_id']}/stream", headers={"last-event-id": "-1"})
    for assistant in said_there.ask(client, "POST", "/assistants/search", {"limit": 100}).json():
        for path in ("", "/graph", "/schemas", "/subgraphs"):
            said_there.ask(client, "GET", f"/assistants/{assistant['assistant_id']}{path}")
        said_there.ask(client, "POST", f"/assistants/{assistant['assistant_id']}/versions", {})
    said_there.ask(client, "POST", f"/agents/{stack.seed.recht}/sync")
    for path in ("/info", "/metrics", "/metrics/json", "/openapi.json", "/docs", "/ready"):
        said_there.ask(client, "GET", path)


def _be_refused(stack: Stack, said_there: Said, server: Server) -> None:
    """Tokens that are no good stand nowhere either."""
    user, identity = stack.seed.anna, stack.identity
    bad = [
        identity.issue(user, exp=1), identity.issue(user, aud="anon"), identity.issue(user, iss="https://evil.example"),
        identity.issue(user, key=new_key()), identity.issue_unsigned(user), identity.issue(user, sub=None),
        f"{identity.issue(user)}x", "sb_secret_0123456789abcdef-Qz",
    ]  # fmt: skip
    identity.issued.append(bad[-1])
    for token in bad:
        with httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {token}"}, timeout=30) as client:
            assert said_there.ask(client, "POST", "/assistants/search", {}).status_code == 401, token
    identity.fails_with = 500
    with httpx.Client(base_url=server.url, timeout=30) as client:
        token = identity.issue(user, key=new_key())
        said_there.ask(client, "POST", "/assistants/search", {}, headers={"authorization": f"Bearer {token}"})
    identity.fails_with = None
    wait_for(lambda: "run ended" in server.output or "run failed" in server.output, "lines about runs")
