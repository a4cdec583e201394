"""Behind a transaction pooler everything works; without a way round it, news is looked for instead of heard."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager

import psycopg
import pytest
from pydantic import SecretStr
from tests.pgbouncer import pgbouncer
from tests.postgres import OwnServer, fresh_database, migrated_template, own_server

from longline.events.broker import Broker
from longline.storage.protocols import Storage
from longline.testing.broker import BrokerContract
from longline.testing.storage_checkpoints import CheckpointContract
from longline.testing.storage_collections import CollectionContract
from longline.testing.storage_events import EventLogContract
from longline.testing.storage_items import ItemsContract
from longline.testing.storage_queue import RunQueueContract
from longline.testing.storage_threads import ThreadStoreContract
from longline_storage_postgres.backends import postgres_backend
from longline_storage_postgres.broker import connect_broker
from longline_storage_postgres.connections import Connection
from longline_storage_postgres.database import open_database
from longline_storage_postgres.settings import PostgresSettings

_SECONDS = 20.0


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    with own_server("max_connections=200") as server:
        yield server


@pytest.fixture(scope="module")
def pooler_port(server: OwnServer) -> Iterator[int]:
    with pgbouncer(server) as port:
        yield port


@pytest.fixture(scope="module")
def template(server: OwnServer) -> str:
    return migrated_template(server.url)


@pytest.fixture
def straight_url(server: OwnServer, template: str) -> Iterator[str]:
    with fresh_database(server.url, template) as url:
        yield url


@pytest.fixture
def database_url(straight_url: str, server: OwnServer, pooler_port: int) -> str:
    return straight_url.replace(f":{server.port}/", f":{pooler_port}/")


@pytest.fixture
def reopen(database_url: str) -> Callable[[], AbstractAsyncContextManager[Storage]]:
    backend = postgres_backend(PostgresSettings(read_seconds=7))
    return lambda: backend.connect(database_url)


@pytest.mark.slow
class TestRunQueue(RunQueueContract):
    pass


@pytest.mark.slow
class TestEventLog(EventLogContract):
    pass


@pytest.mark.slow
class TestThreads(ThreadStoreContract):
    pass


@pytest.mark.slow
class TestCheckpoints(CheckpointContract):
    pass


@pytest.mark.slow
class TestItems(ItemsContract):
    pass


@pytest.mark.slow
class TestCollections(CollectionContract):
    pass


class TestBrokerBesideThePooler(BrokerContract):
    @pytest.fixture
    async def broker(self, anyio_backend: str, database_url: str, straight_url: str) -> AsyncIterator[Broker]:
        async with connect_broker(database_url, PostgresSettings(direct_url=SecretStr(straight_url))) as broker:
            yield broker


@pytest.mark.anyio
class TestWithoutADirectUrl:
    async def test_every_subscriber_is_told_to_look_again_and_again_and_the_log_says_why_once(
        self, database_url: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        settings = PostgresSettings(poll_seconds=0.05)
        async with (
            asyncio.timeout(_SECONDS),
            connect_broker(database_url, settings) as broker,
            broker.subscribe("topic") as one,
            broker.subscribe("other") as two,
        ):
            for _ in range(3):
                assert await one.receive() is None
                assert await two.receive() is None
        warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
        assert [record.message for record in warnings] == [
            "notifications do not pass the pooler; set DATABASE_DIRECT_URL to the database without it"
        ]

    async def test_signals_still_reach_the_subscribers_of_the_same_process(self, database_url: str) -> None:
        async with (
            asyncio.timeout(_SECONDS),
            connect_broker(database_url, PostgresSettings(poll_seconds=60)) as broker,
            broker.subscribe("topic") as subscription,
        ):
            for signal in ("a", "b", "b"):
                await broker.publish("topic", signal)
            assert [await subscription.receive() for _ in range(3)] == ["a", "b", "b"]

    async def test_a_direct_url_that_is_a_pooler_as_well_is_noticed(
        self, database_url: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        settings = PostgresSettings(direct_url=SecretStr(database_url))
        async with connect_broker(database_url, settings):
            pass
        assert "notifications do not pass the pooler" in caplog.text


@pytest.mark.anyio
class TestDatabase:
    async def test_the_pooler_is_recognised(self, database_url: str, straight_url: str) -> None:
        async with open_database(database_url, PostgresSettings()) as database:
            assert database.is_pooled
        async with open_database(straight_url, PostgresSettings()) as database:
            assert not database.is_pooled

    @pytest.mark.parametrize("how", ["write", "write_alone", "read", "read_snapshot"])
    async def test_limits_hold_for_our_transactions_and_stay_with_nobody_else(
        self, database_url: str, how: str
    ) -> None:
        async def look(connection: Connection) -> tuple[object, object]:
            row = await (
                await connection.execute(
                    "SELECT current_setting('statement_timeout') AS statement,"
                    " current_setting('idle_in_transaction_session_timeout') AS idle"
                )
            ).fetchone()
            assert row is not None
            return row["statement"], row["idle"]

        settings = PostgresSettings(read_seconds=7, idle_transaction_seconds=1.5)
        async with open_database(database_url, settings) as database:
            for _ in range(20):
                assert await getattr(database, how)(look) == ("7s", "1500ms")
        with psycopg.connect(database_url, autocommit=True, prepare_threshold=None) as stranger:
            for _ in range(20):
                assert stranger.execute("SHOW statement_timeout").fetchone() == ("0",)

    async def test_migrations_run_through_the_pooler_and_beside_it(self, server: OwnServer, pooler_port: int) -> None:
        for goes_beside in (True, False):
            with fresh_database(server.url) as straight:
                through = straight.replace(f":{server.port}/", f":{pooler_port}/")
                direct = SecretStr(straight if goes_beside else "")
                backend = postgres_backend(PostgresSettings(direct_url=direct))
                assert backend.pending is not None
                waiting = await backend.pending(through)
                assert waiting
                assert await backend.migrate(through) == waiting
                assert await backend.pending(through) == []
