"""A run has its caller's token on whichever server it is executed."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

import orjson
import psycopg
import pytest

from longline.auth.kept_token import CALLER_TOKEN
from longline.auth.principal import Principal
from longline.auth.secrets import new_key
from longline.models.crons import CronChange, CronSpec, NewCron
from longline.models.runs import RunQuery, RunStatus
from longline.services.run_requests import RunRequest
from tests.core.token_graphs import TOKEN_NAME, digest, finding
from tests.races.graphs import Gate, gated
from tests.races.replicas import OpenReplicas, database_url, no_net, occupied, open_replicas, template

__all__ = ["database_url", "no_net", "open_replicas", "template"]  # fixtures

pytestmark = pytest.mark.anyio

TOKEN = "eyJ-Zq8-never-to-be-seen-7fA3"
BOTH = {CALLER_TOKEN: digest(TOKEN), TOKEN_NAME: digest(TOKEN)}
ANN = Principal(
    identity="ann", token=TOKEN, token_name=TOKEN_NAME, token_expires_at=datetime.now(UTC) + timedelta(hours=1)
)


def stored(url: str) -> list[tuple[str, str | None]]:
    """The graph and the token of each run, oldest first."""
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT spec::json ->> 'graph_id', token FROM longline.runs ORDER BY position")
        return list(rows.fetchall())


@pytest.mark.parametrize("has_key", [True, False])
async def test_a_run_that_is_queued_here_and_executed_there_has_its_token_if_both_have_the_key(
    open_replicas: OpenReplicas, no_net: None, database_url: str, caplog: pytest.LogCaptureFixture, has_key: bool
) -> None:
    caplog.set_level(logging.WARNING, logger="longline.runs.execution")
    block, gate = Gate(), Gate()
    key = new_key() if has_key else ""
    async with open_replicas({"block": gated(block), "g": finding(gate)}, key=key) as (here, _):
        async with occupied(here, "block", block):
            thread_id = (await here.threads.create(ANN)).thread_id
            run, reader = await here.runs.watch(ANN, RunRequest(assistant="g", thread_id=thread_id, input={}))
            assert run.status is RunStatus.PENDING
            await asyncio.wait_for(gate.reached.wait(), 30)
            (token,) = (token for graph_id, token in stored(database_url) if graph_id == "g")
            assert token is not None
            assert TOKEN not in token
            gate.opened.set()
            end = await reader.wait_for_end(30)
            reader.close()
        assert orjson.loads(end.result)["found"] == (BOTH if has_key else {})
        assert ("g", None) in stored(database_url)
    said = [(record.run_id, record.reason) for record in caplog.records if record.message == "caller token not usable"]
    assert said == ([] if has_key else [(run.run_id, "sealed with another key")])


async def test_a_run_that_goes_on_elsewhere_has_its_token(open_replicas: OpenReplicas, database_url: str) -> None:
    key, gate = new_key(), Gate()
    async with open_replicas({"g": finding(gate)}, 1, key=key) as (there,):
        async with open_replicas({"g": finding(gate)}, 1, key=key) as (here,):
            thread_id = (await here.threads.create(ANN)).thread_id
            run = await here.runs.create(ANN, RunRequest(assistant="g", thread_id=thread_id, input={}))
            await asyncio.wait_for(gate.reached.wait(), 30)
        gate.opened.set()
        _, reader = await there.runs.join(ANN, thread_id, run.run_id)
        with reader:
            end = await reader.wait_for_end(30)
        assert orjson.loads(end.result)["found"] == BOTH
        assert (await there.runs.get(ANN, thread_id, run.run_id)).attempt == 2
    assert stored(database_url) == [("g", None)]


async def test_a_cron_that_was_made_here_and_is_fired_there_has_its_makers_token(
    open_replicas: OpenReplicas, database_url: str
) -> None:
    key, gate = new_key(), Gate()
    async with open_replicas({"g": finding(gate)}, 1, key=key) as (here,):
        thread_id = (await here.threads.create(ANN)).thread_id
        new = NewCron(
            assistant="g", schedule="* * * * * *", thread_id=thread_id, spec=CronSpec(input={}), enabled=False
        )
        cron = await here.crons.create(ANN, new)
    with psycopg.connect(database_url) as connection:
        (creator,) = connection.execute("SELECT creator FROM longline.crons").fetchone()
    assert TOKEN not in creator
    async with open_replicas({"g": finding(gate)}, 1, key=key) as (there,):
        await there.crons.update(ANN, cron.cron_id, CronChange(enabled=True))
        await asyncio.wait_for(gate.reached.wait(), 30)
        await there.crons.delete(ANN, cron.cron_id)
        gate.opened.set()
        (run, *_) = await there.runs.search(ANN, RunQuery(thread_id=thread_id))
        _, reader = await there.runs.join(ANN, thread_id, run.run_id)
        with reader:
            end = await reader.wait_for_end(30)
        assert orjson.loads(end.result)["found"] == BOTH
