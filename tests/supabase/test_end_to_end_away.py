"""A project's database that is away costs a server nothing that it has already."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.postgres import OwnServer, own_server
from tests.processes import wait_for
from tests.supabase.model import ANSWERS, GREETING, LAW
from tests.supabase.stack import Stack, running_stack, said, serving

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture(scope="module")
def postgres() -> Iterator[OwnServer]:
    """A server that may be stopped."""
    with own_server() as postgres:
        yield postgres


@pytest.fixture
def far_stack(postgres: OwnServer) -> Iterator[Stack]:
    """A seeded project on it."""
    with running_stack(postgres=postgres.url) as stack:
        yield stack
        if not postgres.answers():
            postgres.start()


async def test_a_server_starts_while_the_project_is_away_and_syncs_once_it_is_back(
    postgres: OwnServer, far_stack: Stack, tmp_path: Path
) -> None:
    stack, seed = far_stack, far_stack.seed
    headers = stack.headers(seed.anna)
    postgres.stop()
    with serving(stack, tmp_path) as server, httpx.Client(base_url=server.url, headers=headers, timeout=30) as client:
        warned = [line for line in server.lines if line["level"] in ("warning", "error") and "supabase" in str(line)]
        assert warned, server.output
        assert str(conninfo_to_dict(stack.project.url)["password"]) not in server.output
        assert client.get("/ok").status_code == 200
        explicit = client.post(f"/agents/{seed.recht}/sync")
        assert explicit.status_code == 502, explicit.text
        run = client.post("/runs/wait", json={"assistant_id": seed.recht, "input": said(LAW)})
        assert run.status_code in (404, 502), run.text
        body = {"graph_id": "agent", "name": "Vorläufig", "metadata": {"supabase_agent_id": seed.recht}}
        made = client.post("/assistants", json=body)
        assert made.status_code == 200, made.text
        assert made.json()["metadata"]["sync_error"]
        assert "mcp_config" not in made.json()["config"].get("configurable", {})
        assert str(conninfo_to_dict(stack.project.url)["password"]) not in explicit.text + run.text + made.text
        postgres.start()

        def synced() -> bool:
            return client.post(f"/agents/{seed.recht}/sync").status_code == 200

        wait_for(synced, "a sync on demand", 30)
        assert client.get(f"/assistants/{seed.recht}").json()["name"] == "Rechts-Assistent"
        answer = client.post("/runs/wait", json={"assistant_id": seed.recht, "input": said(LAW)}).json()
        assert answer["messages"][-1]["content"] == ANSWERS[LAW]
        provisional = made.json()["assistant_id"]
        answer = client.post("/runs/wait", json={"assistant_id": provisional, "input": said(LAW)}).json()
        assert answer["messages"][-1]["content"] == ANSWERS[LAW], "it syncs at the next use"


@pytest.mark.parametrize("outage", ["stopped", "silent"])
async def test_what_is_mirrored_goes_on_while_the_project_is_away(
    postgres: OwnServer, far_stack: Stack, tmp_path: Path, outage: str
) -> None:
    stack, seed = far_stack, far_stack.seed
    headers = stack.headers(seed.anna)
    quick = {"LONGLINE_SUPABASE_SYNC__FRESH_SECONDS": "0"}
    with (
        serving(stack, tmp_path, **quick) as server,
        httpx.Client(base_url=server.url, headers=headers, timeout=60) as client,
    ):
        server.sync_counts()
        if outage == "stopped":
            postgres.stop()
        else:
            postgres.freeze()
        try:
            began = time.monotonic()
            answer = client.post("/runs/wait", json={"assistant_id": seed.recht, "input": said(LAW)})
            print(f"first run while the project is {outage}: {time.monotonic() - began:.2f} s")
            assert answer.json()["messages"][-1]["content"] == ANSWERS[LAW]
            answer = client.post("/runs/wait", json={"assistant_id": seed.without_prompt, "input": said(GREETING)})
            assert answer.json()["messages"][-1]["content"] == ANSWERS[GREETING]
        finally:
            if outage == "stopped":
                postgres.start()
            else:
                postgres.thaw()


async def test_a_project_that_is_silent_at_the_start_holds_it_up_for_its_time_only(
    postgres: OwnServer, far_stack: Stack, tmp_path: Path
) -> None:
    stack = far_stack
    postgres.freeze()
    try:
        with serving(stack, tmp_path, LONGLINE_SUPABASE_SYNC__START_SECONDS="0.5") as server:
            assert httpx.get(f"{server.url}/ok").status_code == 200
            postgres.thaw()
            assert server.sync_counts()["created"] > 0
    finally:
        postgres.thaw()
