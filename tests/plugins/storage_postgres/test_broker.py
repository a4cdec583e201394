"""Signals through LISTEN and NOTIFY keep the promises of a broker, also when the database goes away."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest
from tests.postgres import OwnServer, own_server

from longline.errors import InvalidInputError, StorageError
from longline.events.broker import Broker, Subscription
from longline.testing.broker import BrokerContract
from longline_storage_postgres.broker import connect_broker
from longline_storage_postgres.settings import PostgresSettings

_SECONDS = 20.0  # far more than anything here takes

SETTINGS = PostgresSettings()


class TestPostgresBroker(BrokerContract):
    @pytest.fixture
    async def broker(self, anyio_backend: str, database_url: str) -> AsyncIterator[Broker]:
        async with connect_broker(database_url, SETTINGS) as broker:
            yield broker


@pytest.fixture
def server() -> Iterator[OwnServer]:
    with own_server() as server:
        yield server


async def received(subscription: Subscription) -> str | None:
    async with asyncio.timeout(_SECONDS):
        return await subscription.receive()


async def received_until(subscription: Subscription, last: str | None) -> list[str | None]:
    found = [await received(subscription)]
    while found[-1] != last:
        found.append(await received(subscription))
    return found


def end_listeners(url: str) -> int:
    """Break all connections but one's own off, as an operator may; how many."""
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
        return len(found.fetchall())


@pytest.mark.anyio
class TestTwoProcesses:
    async def test_a_signal_reaches_the_subscribers_of_another_process_in_order(self, database_url: str) -> None:
        sent = [f"{number}" for number in range(200)]
        async with (
            connect_broker(database_url, SETTINGS) as here,
            connect_broker(database_url, SETTINGS) as there,
            there.subscribe("topic") as subscription,
        ):
            assert here.spans_processes
            async with asyncio.TaskGroup() as group:
                for signal in sent:
                    group.create_task(here.publish("topic", signal))
            assert [await received(subscription) for _ in sent] == sent

    async def test_equal_signals_of_one_moment_all_arrive(self, database_url: str) -> None:
        async with connect_broker(database_url, SETTINGS) as broker, broker.subscribe("topic") as subscription:
            async with asyncio.TaskGroup() as group:
                for _ in range(5):
                    group.create_task(broker.publish("topic", "same"))
            await broker.publish("topic", "last")
            assert await received_until(subscription, "last") == ["same"] * 5 + ["last"]

    @pytest.mark.parametrize("signal", ["x" * 7_001, "é" * 3_501, "a\0b", "\ud800"])
    async def test_a_signal_that_cannot_be_sent_hurts_no_other(self, database_url: str, signal: str) -> None:
        async with connect_broker(database_url, SETTINGS) as broker, broker.subscribe("topic") as subscription:
            with pytest.raises(InvalidInputError):
                await broker.publish("topic", signal)
            await broker.publish("topic", "fine")
            assert await received(subscription) == "fine"

    async def test_a_publisher_that_is_cancelled_leaves_the_others_alone(self, database_url: str) -> None:
        async with connect_broker(database_url, SETTINGS) as broker, broker.subscribe("topic") as subscription:
            tasks = [asyncio.create_task(broker.publish("topic", f"{number}")) for number in range(100)]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            await asyncio.wait(tasks)
            await broker.publish("topic", "last")
            found = await received_until(subscription, "last")
            assert set(found) >= {f"{number}" for number in range(1, 100, 2)}


@pytest.mark.anyio
class TestOutages:
    async def test_after_its_connection_was_ended_every_subscriber_is_told_and_signals_travel_again(
        self, database_url: str
    ) -> None:
        async with (
            connect_broker(database_url, SETTINGS) as broker,
            broker.subscribe("one") as one,
            broker.subscribe("two") as two,
        ):
            assert end_listeners(database_url) > 0
            assert await received(one) is None
            assert await received(two) is None
            await broker.publish("one", "again")
            assert await received(one) == "again"

    @pytest.mark.parametrize("mode", ["fast", "immediate"])
    async def test_a_restarted_server_is_found_again(
        self, server: OwnServer, mode: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, "longline_storage_postgres")
        async with connect_broker(server.url, SETTINGS) as broker, broker.subscribe("topic") as subscription:
            for _ in range(2):
                server.stop(mode)  # type: ignore[arg-type]  # parametrized with two of its literals
                async with asyncio.timeout(_SECONDS):
                    await broker.publish("topic", "while it is away")
                    await broker.publish("topic", "the newest wait for it")
                await asyncio.to_thread(server.start)
                assert await received(subscription) is None
                await broker.publish("topic", "back")
                assert (await received_until(subscription, "back"))[-1] == "back"
        said = [record.message for record in caplog.records if record.name.endswith("broker")]
        assert said == ["notifications stopped", "notifications came back"] * 2
        assert server.password not in caplog.text

    async def test_a_server_that_goes_silent_is_noticed_and_left(self, server: OwnServer) -> None:
        async with connect_broker(server.url, SETTINGS) as broker, broker.subscribe("topic") as subscription:
            server.freeze()
            async with asyncio.timeout(_SECONDS):
                await broker.publish("topic", "unheard")  # gives up by itself: nothing answers any more
            server.thaw()
            assert None in await received_until(subscription, None)
            await broker.publish("topic", "back")
            assert (await received_until(subscription, "back"))[-1] == "back"

    async def test_closing_does_not_wait_for_a_server_that_went_silent(self, server: OwnServer) -> None:
        async with asyncio.timeout(_SECONDS), connect_broker(server.url, SETTINGS) as broker:
            server.freeze()
            publishing = asyncio.create_task(broker.publish("topic", "unheard"))
            await asyncio.sleep(0)
        await asyncio.wait_for(publishing, _SECONDS)

    async def test_a_start_without_a_server_is_one_sentence(self, server: OwnServer) -> None:
        server.stop()
        with pytest.raises(StorageError, match="nothing listens there") as caught:
            async with connect_broker(server.url, PostgresSettings(start_wait_seconds=0)):
                pass
        assert server.password not in str(caught.value)
