"""A project's database that is away, full, silent or closed to us is said in a sentence, and used again later."""

import asyncio
import logging
import uuid
from collections.abc import Iterator

import psycopg
import pytest
from tests.plugins.supabase_sync.conftest import source_of
from tests.plugins.supabase_sync.listening import install_in, listening, only
from tests.postgres import OwnServer, own_server
from tests.processes import free_port
from tests.supabase.project import Project, fresh_project

from longline.errors import SettingsError, SourceAwayError
from longline_supabase_sync.source import SupabaseSource

pytestmark = pytest.mark.anyio

_SLOW = "SELECT pg_sleep(30)::text AS agent_id"


@pytest.fixture(scope="module")
def postgres() -> Iterator[OwnServer]:
    with own_server() as postgres:
        yield postgres


@pytest.fixture
def far(postgres: OwnServer) -> Iterator[Project]:
    """A project with an agent, on a server that may be stopped."""
    with fresh_project(server=postgres.url) as project:
        project.add_agent(project.add_organization("x"), "a")
        yield project
        if not postgres.answers():
            postgres.start()


async def fails(source: SupabaseSource) -> str:
    """Why the source cannot be asked, with nothing in it that is a secret or an address."""
    with pytest.raises(SourceAwayError) as caught:
        await source.get(str(uuid.uuid4()))
    told = str(caught.value)
    for secret in ("kept/secret@tests", "kept%2Fsecret", "127.0.0.1", "falsch"):
        assert secret not in told
    return caught.value.reason


async def test_a_server_that_starts_before_its_project(postgres: OwnServer, far: Project) -> None:
    source = source_of(far.url)
    postgres.stop()
    async with source.open():
        with pytest.raises(SourceAwayError, match="nothing listens where its database should be"):
            await source.list()
        postgres.start()
        (agent,) = (await source.list()).agents
        assert agent.name == "a"


async def test_kept_connections_that_ended_are_not_used(postgres: OwnServer, far: Project) -> None:
    source = source_of(far.url)
    async with source.open():
        await asyncio.gather(*(source.list() for _ in range(4)))
        postgres.restart()
        await asyncio.gather(*(source.list() for _ in range(4)))


async def test_a_silent_database_is_given_up(postgres: OwnServer, far: Project) -> None:
    source = source_of(far.url, statement_seconds=0.2, connect_seconds=2)
    async with source.open():
        await asyncio.gather(*(source.list() for _ in range(3)))
        postgres.freeze()
        try:
            assert await fails(source) == "the connection to its database broke off"
            assert await fails(source) == "its database does not answer"
        finally:
            postgres.thaw()
        await source.list()


async def test_changes_are_heard_again_once_the_database_is_back(postgres: OwnServer, far: Project) -> None:
    install_in(far)
    organization, source = far.add_organization("y"), source_of(far.url)
    async with source.open():
        await source.list()
        async with listening(source) as ears:
            await only(ears, far, organization)
            postgres.stop()
            postgres.start()
            missed = far.add_agent(organization, "verpasst")
            await only(ears, far, organization, missed)


async def test_listening_begins_when_a_database_that_was_away_comes(
    postgres: OwnServer, far: Project, caplog: pytest.LogCaptureFixture
) -> None:
    install_in(far)
    organization, source = far.add_organization("y"), source_of(far.url)
    postgres.stop()
    async with source.open(), listening(source) as ears:
        while "changes of agents cannot be followed" not in caplog.text:
            await asyncio.sleep(0.01)
        postgres.start()
        await source.list()  # what changes from here on is news
        await only(ears, far, organization)


async def test_a_statement_that_takes_too_long_is_broken_off(
    far: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("sql") / "slow.sql"
    file.write_text(_SLOW)
    source = source_of(far.url, query_file=str(file), statement_seconds=0.2)
    async with source.open():
        assert await fails(source) == "a statement took over supabase_sync.statement_seconds"


async def test_a_table_that_somebody_locks_is_not_waited_for_without_end(far: Project) -> None:
    source = source_of(far.url)
    async with source.open():
        await source.list()
        with psycopg.connect(far.url) as other:
            other.execute("LOCK TABLE public.agents")
            assert await fails(source) == "another transaction holds what is needed; try again"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("kept%2Fsecret%40tests", "falsch"), "its database refuses the user or the password"),
        (("postgres:", "niemand:"), "its database refuses the user or the password"),
        (("/longline_test_", "/longline_toast_"), "there is no such database"),
        (("@127.0.0.1:", "@nirgends.invalid:"), "the name of its database's host is not known"),
    ],
)
async def test_what_is_wrong_with_the_url_is_said(
    far: Project, change: tuple[str, str], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert change[0] in far.url
    source = source_of(far.url.replace(*change))
    async with source.open():
        assert await fails(source) == reason
    (told,) = [record for record in caplog.records if record.message == "agents' database not reached"]
    assert "secret" not in str(told.__dict__)


async def test_a_server_that_takes_no_more_connections() -> None:
    few = ("max_connections=5", "superuser_reserved_connections=0")
    with own_server(*few) as postgres, fresh_project(server=postgres.url) as project:
        source = source_of(project.url)
        async with source.open():
            held = [psycopg.connect(postgres.url) for _ in range(5)]
            try:
                assert await fails(source) == "its database takes no more connections"
            finally:
                for connection in held:
                    connection.close()


async def test_no_more_connections_than_allowed_are_made(far: Project) -> None:
    source = source_of(far.url, pool_size=3)
    async with source.open():
        await asyncio.gather(*(source.list() for _ in range(40)))
        counted = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s"
        assert far.value(counted, "longline") == 3
        assert {one.closed for one in source._database._idle} == {False}
    assert far.value(counted, "longline") == 0


async def test_who_is_cancelled_leaves_a_source_that_works(
    far: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("sql") / "slow.sql"
    file.write_text(_SLOW)
    source = source_of(far.url, query_file=str(file), pool_size=1)
    async with source.open():
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await source.list()
        source._query = source_of(far.url)._query
        assert len((await source.list()).agents) == 1


async def test_a_closed_source_says_so(far: Project) -> None:
    assert await fails(source_of(far.url)) == "this server is not running"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:pa@ss/wort@h/x",
        "postgresql://u:p@h:a/x",
        "postgresql://h/x?gehx=1",
    ],
)
def test_a_url_that_cannot_be_read_stops_the_start_and_is_not_repeated(url: str) -> None:
    for settings in ({"database": url}, {"direct_url": url}):
        with pytest.raises(SettingsError, match="bad value for supabase_sync") as caught:
            source_of(**{"project_url": "postgresql://h/x", **settings})
        assert not any(part in str(caught.value) for part in ("wort", "geh", "eim"))


async def test_the_log_says_where_once_for_each_reason(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    port = free_port()
    source = source_of(f"postgresql://u:geheim@127.0.0.1:{port}/x")
    async with source.open():
        for _ in range(3):
            await fails(source)
    (told,) = [record for record in caplog.records if record.message == "agents' database not reached"]
    assert told.place == f"127.0.0.1:{port}/x"  # type: ignore[attr-defined]


async def test_who_waits_for_a_database_that_is_silent_does_not_try_it_again() -> None:
    tried, done = 0, asyncio.Event()

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tried
        tried += 1
        await done.wait()
        writer.close()
        await writer.wait_closed()

    silent = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    source = source_of(f"postgresql://u@127.0.0.1:{port}/x?sslmode=disable", connect_seconds=2, pool_size=2)
    try:
        async with source.open():
            assert {*await asyncio.gather(*(fails(source) for _ in range(20)))} == {"its database does not answer"}
        assert tried == 2
    finally:
        done.set()
        silent.close()
        await asyncio.sleep(0.1)  # what was accepted is closed in tasks of its own
