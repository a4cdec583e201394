"""Two servers on one Postgres: one assistant of an agent, changes on both, the caller's token wherever a run is."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.faults.cluster import wait_until
from tests.postgres import fresh_database, migrated_template, server_url
from tests.supabase.model import ANSWERS, BOTH, DEADLINE, tools_of
from tests.supabase.stack import Server, Stack, install_triggers, said, serving_many

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

FIRST_SYNCS = 20
QUICK = {"LONGLINE_SERVER__LEASE_SECONDS": "2", "LONGLINE_SERVER__HEARTBEAT_SECONDS": "0.5"}


@pytest.fixture
def database() -> Iterator[str]:
    """A migrated database for the servers."""
    where = server_url()
    with fresh_database(where, migrated_template(where)) as url:
        yield url


@pytest.fixture
def two(own_stack: Stack, tmp_path: Path, database: str) -> Iterator[Sequence[Server]]:
    """Two servers that mirror nothing until they are asked."""
    with serving_many(own_stack, tmp_path, scope="none", count=2, DATABASE_URL=database, **QUICK) as servers:
        yield servers


async def test_twenty_first_syncs_at_once_leave_one_assistant(
    own_stack: Stack, two: Sequence[Server], database: str
) -> None:
    stack, seed = own_stack, own_stack.seed
    async with httpx.AsyncClient(headers=stack.headers(seed.anna), timeout=30) as client:
        urls = [f"{two[number % 2].url}/agents/{seed.recht}/sync" for number in range(FIRST_SYNCS)]
        answers = await asyncio.gather(*(client.post(url) for url in urls))
    assert {answer.status_code for answer in answers} == {200}, [answer.text for answer in answers]
    assert {answer.json()["assistant_id"] for answer in answers} == {seed.recht}
    assert [answer.json()["action"] for answer in answers].count("created") >= 1
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT assistant_id, version FROM longline.assistant_versions WHERE metadata LIKE '%supabase_agent_id%'"
        ).fetchall()
    assert rows == [(seed.recht, 1)]
    assert stack.project.written_back()[seed.recht] == seed.recht


async def test_two_servers_that_start_at_once_mirror_each_agent_once(
    own_stack: Stack, tmp_path: Path, database: str
) -> None:
    stack, seed = own_stack, own_stack.seed
    with serving_many(stack, tmp_path, count=2, DATABASE_URL=database) as servers:
        counts = [server.sync_counts() for server in servers]
        agents = counts[0]["total"]
        assert counts[1]["total"] == agents
        assert sum(one["created"] for one in counts) == agents - counts[0]["failed"]
        with psycopg.connect(database) as connection:
            rows = connection.execute(
                "SELECT assistant_id, version FROM longline.assistant_versions"
                " WHERE metadata LIKE '%supabase_agent_id%'"
            ).fetchall()
        assert len(rows) == agents - counts[0]["failed"]
        assert {version for _, version in rows} == {1}
        for server in servers:
            async with stack.client(server, seed.anna) as client:
                answer: Any = await client.runs.wait(None, seed.fristen, input=said(BOTH))
            assert answer["messages"][-1]["content"] == ANSWERS[BOTH]


async def test_a_change_reaches_every_server(own_stack: Stack, tmp_path: Path, database: str) -> None:
    stack, seed = own_stack, own_stack.seed
    install_triggers(stack)
    with serving_many(stack, tmp_path, count=2, DATABASE_URL=database) as servers:
        for server in servers:
            server.sync_counts()
        stack.project.set_agent(seed.fristen, name="Fristen-Prüferin")
        for server in servers:
            async with stack.client(server, seed.anna) as client:

                async def live(client: Any = client) -> bool:
                    return bool((await client.assistants.get(seed.fristen))["name"] == "Fristen-Prüferin")

                await wait_until(live, f"the new name on server {server.number}", 10)


async def test_a_run_that_another_server_takes_over_has_its_callers_token(
    own_stack: Stack, two: Sequence[Server]
) -> None:
    stack, seed, (one, other) = own_stack, own_stack.seed, two
    async with stack.client(one, seed.anna) as client:
        thread_id = (await client.threads.create())["thread_id"]
        run = await client.runs.create(thread_id, seed.fristen, input=said(DEADLINE), after_seconds=1)
    one.kill()
    async with stack.client(other, seed.anna) as client:
        values: Any = await client.runs.join(thread_id, run["run_id"])
    assert values["messages"][-1]["content"] == ANSWERS[DEADLINE]
    (call,) = [seen for seen in stack.deadlines.seen if seen.method == "tools/call"]
    assert call.subject == seed.anna.id


async def test_a_run_that_waits_longer_than_its_token_is_good_does_without_its_tools(
    own_stack: Stack, two: Sequence[Server]
) -> None:
    stack, seed, server = own_stack, own_stack.seed, two[0]
    async with stack.client(server, seed.anna, exp=int(time.time()) + 2) as client:
        thread_id = (await client.threads.create())["thread_id"]
        run = await client.runs.create(thread_id, seed.fristen, input=said(DEADLINE), after_seconds=4)
    async with stack.client(server, seed.anna) as client:
        await client.runs.join(thread_id, run["run_id"])
        assert (await client.runs.get(thread_id, run["run_id"]))["status"] == "success"
    assert sorted(tools_of(stack.model.requests()[-1])) == ["gesetz_suchen", "urteil_lesen"]
    assert not stack.deadlines.seen
    said_so = [line for one in two for line in one.lines if line["level"] == "warning" and "token" in str(line)]
    assert said_so, "the log says which tools are missing and why"
