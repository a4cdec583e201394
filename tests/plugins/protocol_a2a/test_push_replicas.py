"""Several servers on one Postgres: whoever is free makes a call, and nobody else does."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.plugins.protocol_a2a.push_site import call, config, configs, ids, make_due, open_server, start, stored, until
from tests.plugins.protocol_langgraph import graphs
from tests.plugins.webhooks.receiver import Receiver, receiving
from tests.postgres import fresh_database, migrated_template, server_url

from longline.auth.principal import LOCAL
from longline.services.server import Server
from longline_protocol_a2a.names import task_id_of

pytestmark = pytest.mark.anyio

COUNT = {"count": graphs.counting()}
TASKS = 12


@pytest.fixture(scope="module")
def template() -> str:
    return migrated_template(server_url())


@pytest.fixture
def database(template: str) -> Iterator[str]:
    with fresh_database(server_url(), template) as url:
        yield url


@pytest.fixture
async def receiver(anyio_backend: str) -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


@pytest.fixture
async def servers(database: str, tmp_path: Path) -> AsyncIterator[list[Server]]:
    async with AsyncExitStack() as stack:
        opened = [open_server(tmp_path, COUNT, database=database) for _ in range(2)]
        yield [await stack.enter_async_context(one) for one in opened]


async def test_each_config_is_told_once_and_in_clear_whoever_sealed_it(
    servers: list[Server], receiver: Receiver
) -> None:
    runs = [await start(servers[number % 2], "count", receiver.url, token=f"token-{number}") for number in range(TASKS)]
    for run in runs:
        await servers[0].runs.join(LOCAL, *ids(run))
    for name in ("endings", "calls"):
        await until(servers[0], name, lambda found: not found)
    told = {one.json["task"]["id"]: one.headers["x-a2a-notification-token"] for one in receiver.calls}
    assert told == {task_id_of(run): f"token-{number}" for number, run in enumerate(runs)}
    assert len(receiver.calls) == TASKS


async def test_a_config_that_is_made_at_one_server_is_known_and_bounded_at_the_other(
    servers: list[Server], receiver: Receiver
) -> None:
    first, second = (configs(server) for server in servers)
    made = await asyncio.gather(
        *((first, second)[number % 2].create(call(), "context:run", config(receiver.url, name=f"c{number}"))
          for number in range(14)),
        return_exceptions=True,
    )  # fmt: skip
    assert len([one for one in made if isinstance(one, Exception)]) == 4
    assert await first.find_all(call(), "context:run") == await second.find_all(call(), "context:run")
    assert len(await first.find_all(call(), "context:run")) == 10


async def test_what_one_server_could_not_deliver_another_does(
    database: str, tmp_path: Path, receiver: Receiver
) -> None:
    receiver.answers += [(503, {})]
    async with open_server(tmp_path, COUNT, database=database, first_retry_seconds=300) as server:
        await start(server, "count", receiver.url, token="the-token")
        await until(server, "calls", lambda found: bool(found) and found[0].get("reason") == "status 503")
    async with open_server(tmp_path, COUNT, database=database) as other:
        await make_due(other)
        _, again = await receiver.wait_for(2)
        assert (again.headers["x-a2a-notification-token"], again.headers["longline-attempt"]) == ("the-token", "2")
        await until(other, "calls", lambda found: not found)
        assert await stored(other, "endings") == []
