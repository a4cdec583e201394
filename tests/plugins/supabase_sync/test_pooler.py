"""Behind a transaction pooler agents are read as anywhere, nothing set leaks, and changes are looked for."""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from tests.pgbouncer import pgbouncer
from tests.plugins.supabase_sync.conftest import source_of
from tests.plugins.supabase_sync.listening import install_in, listening, only
from tests.postgres import OwnServer, own_server
from tests.supabase.project import Project, fresh_project

pytestmark = pytest.mark.anyio

_DEAF = "notifications of agents do not pass the pooler"


@dataclass(frozen=True, slots=True)
class Pooled:
    """A project, and its URL by way of the pooler."""

    project: Project
    url: str


@pytest.fixture(scope="module")
def postgres() -> Iterator[OwnServer]:
    with own_server() as postgres:
        yield postgres


@pytest.fixture
def pooled(postgres: OwnServer) -> Iterator[Pooled]:
    with pgbouncer(postgres, pool_size=3) as port, fresh_project(server=postgres.url) as project:
        yield Pooled(project, project.url.replace(f":{postgres.port}/", f":{port}/"))


async def test_agents_are_read_and_nothing_stays_set(pooled: Pooled) -> None:
    ids = pooled.project.add_many_agents(pooled.project.add_organization("x"), 20)
    source = source_of(pooled.url)
    async with source.open():
        for _ in range(8):  # over the count after which the driver would prepare statements
            found = await asyncio.gather(*(source.get(one) for one in ids))
            assert [agent.key for agent in found if agent is not None] == ids
        await source.mirrored((await source.list()).agents)
        assert pooled.project.written_back() == {one: one for one in ids}
        shown = "SELECT current_setting(%s)"
        for _ in range(6):
            with psycopg.connect(pooled.url, prepare_threshold=None) as anybody:
                for name, usual in (("statement_timeout", "0"), ("default_transaction_read_only", "off")):
                    assert anybody.execute(shown, (name,)).fetchone() == (usual,)
                assert anybody.execute(shown, ("lock_timeout",)).fetchone() == ("0",)


async def test_changes_are_looked_for_and_the_log_says_so(pooled: Pooled, caplog: pytest.LogCaptureFixture) -> None:
    install_in(pooled.project)
    organization = pooled.project.add_organization("x")
    source = source_of(pooled.url, poll_seconds=0.05)
    async with source.open():
        await source.list()
        async with listening(source) as ears:
            changed = pooled.project.add_agent(organization, "a")
            await only(ears, pooled.project, organization, changed)
            await only(ears, pooled.project, organization)
    (told,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert told.message.startswith(_DEAF)
    assert "supabase_sync.direct_url" in told.message


async def test_with_a_way_round_it_changes_are_heard(pooled: Pooled, caplog: pytest.LogCaptureFixture) -> None:
    install_in(pooled.project)
    organization = pooled.project.add_organization("x")
    source = source_of(pooled.url, direct_url=pooled.project.url, poll_seconds=3600)
    async with source.open():
        await source.list()
        async with listening(source) as ears:
            await only(ears, pooled.project, organization, pooled.project.add_agent(organization, "a"))
    assert _DEAF not in caplog.text


def test_the_port_of_supabases_pooler_is_known() -> None:
    direct = source_of("postgresql://u:p@h:6543/postgres")._changes._direct
    assert direct.is_pooler
    assert not source_of("postgresql://u:p@h:5432/postgres")._changes._direct.is_pooler
