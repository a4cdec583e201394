"""Servers behind a transaction pooler: with a direct way beside it signals arrive, without one everybody looks."""

import asyncio
import logging
from collections.abc import Iterator

import orjson
import pytest

from longline.auth.principal import LOCAL
from longline.models.runs import CancelRequest, RunStatus
from longline.services.run_requests import RunRequest
from tests.pgbouncer import pgbouncer
from tests.postgres import fresh_database, own_server
from tests.races.graphs import Gate, gated
from tests.races.replicas import OpenReplicas, everything, no_net, occupied, open_replicas, thread_on

__all__ = ["no_net", "open_replicas"]  # fixtures

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture(scope="module")
def both_ways() -> Iterator[tuple[str, str]]:
    """The URLs of one database, through the pooler and directly."""
    with own_server("max_connections=200") as server, pgbouncer(server) as port, fresh_database(server.url) as direct:
        name = direct.rpartition("/")[2]
        yield server.url_of(name, port=port), direct


@pytest.fixture
def database_url(both_ways: tuple[str, str]) -> str:
    return both_ways[0]


async def _work_together(open_replicas: OpenReplicas, postgres: dict[str, object]) -> None:
    block, gate, slow = Gate(), Gate(), Gate()
    gate.opened.set()
    graphs = {"block": gated(block), "gated": gated(gate), "slow": gated(slow)}
    async with open_replicas(graphs, postgres=postgres) as (here, there):
        async with occupied(here, "block", block):
            request = RunRequest(assistant="gated", input={"name": "a"}, stream_modes=("updates",))
            _, reader = await here.runs.watch(LOCAL, request)
            assert [event.seq for event in await everything(reader)] == [1, 2, 3, 4]
            assert orjson.loads(reader.end.result)["steps"] == ["before", "gate of a", "after"]
        thread_id = await thread_on(here)
        run, waiting = await there.runs.watch(
            LOCAL, RunRequest(assistant="slow", thread_id=thread_id, input={}), only_end=True
        )
        async with asyncio.timeout(30):
            await slow.reached.wait()
        await here.runs.cancel(LOCAL, thread_id, [run.run_id], CancelRequest(action="interrupt", reason="enough"))
        assert (await waiting.wait_for_end(30)).status is RunStatus.INTERRUPTED
        waiting.close()


async def test_with_a_direct_way_beside_the_pooler_signals_arrive(
    open_replicas: OpenReplicas, both_ways: tuple[str, str], no_net: None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "longline_storage_postgres"):
        await _work_together(open_replicas, {"direct_url": both_ways[1]})
    assert "pooler" not in caplog.text


async def test_without_one_everybody_looks_and_a_warning_says_so(
    open_replicas: OpenReplicas, no_net: None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "longline_storage_postgres"):
        await _work_together(open_replicas, {})
    assert "notifications do not pass the pooler; set DATABASE_DIRECT_URL" in caplog.text
