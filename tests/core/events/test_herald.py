"""News for other processes: in order, in signals that a broker takes, each at least once in its last place."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longline.events import herald as herald_module
from longline.events.broker import MemoryBroker
from longline.events.herald import RELAY_TOPIC, Herald, Outbox, read_signal
from longline.events.hub import EventHub, RunEnd
from longline.models.events import RunEnding, RunEvent
from longline.models.runs import RunStatus

pytestmark = pytest.mark.anyio

NEWS = st.lists(
    st.tuples(st.sampled_from(["said", "ended"]), st.text(max_size=40), st.text(max_size=40), st.booleans()),
    max_size=400,
)


async def sent_by(news: list[tuple[object, ...]]) -> list[str]:
    """The signals that the news are sent with."""
    broker = MemoryBroker()
    outbox = Outbox(broker, "me")
    async with broker.subscribe(RELAY_TOPIC) as subscription:
        for one in news:
            outbox.put(one)
        await outbox.send()
        await broker.publish(RELAY_TOPIC, "over")
        signals = []
        async with asyncio.timeout(10):
            while (signal := await subscription.receive()) != "over":
                signals.append(signal)
    return signals


@given(news=NEWS)
def test_all_news_arrive_in_the_order_of_their_last_mention(news: list[tuple[object, ...]]) -> None:
    signals = asyncio.run(sent_by(news))
    assert all(len(signal.encode()) <= 7_000 for signal in signals)
    assert {read_signal(signal)[0] for signal in signals} <= {"me"}
    told = [tuple(one) for signal in signals for one in read_signal(signal)[1]]
    assert set(told) == set(news)
    latest = sorted(set(news), key=lambda one: len(news) - news[::-1].index(one))
    assert sorted(set(told), key=lambda one: len(told) - told[::-1].index(one)) == latest


async def test_what_nobody_reads_elsewhere_is_not_said_there(started_run) -> None:
    broker = MemoryBroker()
    outbox = Outbox(broker, "me")
    herald = Herald(EventHub(), outbox)
    herald.begin(started_run)
    event = RunEvent(started_run.run_id, 1, 1, "values", (), b"{}")
    async with broker.subscribe(RELAY_TOPIC) as subscription:
        herald.publish(started_run.run_id, [event], thread_id=started_run.thread_id, is_kept=True)
        ending = RunEnding(run_id=started_run.run_id, turn=1, status=RunStatus.SUCCESS)
        herald.tell_end(started_run.thread_id, RunEnd(status=RunStatus.SUCCESS), ending, is_kept=True, is_watched=False)
        herald.watch(started_run.run_id)
        await outbox.send()
        async with asyncio.timeout(10):
            _, news = read_signal(await subscription.receive())
        said = [["said", started_run.run_id, started_run.thread_id, started_run.spec.resumable]]
        assert news == said
        herald.say_again()
        await outbox.send()
        async with asyncio.timeout(10):
            assert read_signal(await subscription.receive())[1] == said, "it may not have been heard"


async def test_a_run_on_a_thread_that_is_read_elsewhere_is_watched_from_its_start(started_run) -> None:
    herald = Herald(EventHub(), Outbox(MemoryBroker(), "me"))
    herald.watch_thread(started_run.thread_id)
    herald.begin(started_run)
    assert herald.is_watched(started_run.run_id)
    herald.forget(started_run)
    assert not herald.is_watched(started_run.run_id)
    assert not herald.is_mine(started_run.run_id)


async def test_a_reader_elsewhere_that_is_a_moment_earlier_than_the_run_is_not_forgotten(
    started_run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(herald_module, "_MOST_ASKED", 2)
    herald = Herald(EventHub(), Outbox(MemoryBroker(), "me"))
    herald.watch(started_run.run_id)
    herald.watch("another")
    herald.begin(started_run)
    assert herald.is_watched(started_run.run_id)
    herald.forget(started_run)
    for run_id in ("a", "b", started_run.run_id, "c", "d"):
        herald.watch(run_id)
    herald.begin(started_run)
    assert not herald.is_watched(started_run.run_id), "a bound on what is remembered"


@pytest.fixture
async def started_run(tmp_path):
    from longline.testing.storage_samples import begin
    from longline_storage_sqlite.settings import SqliteSettings
    from longline_storage_sqlite.storage import sqlite_backend

    async with sqlite_backend(SqliteSettings()).connect(f"sqlite:///{tmp_path}/a.db") as storage:
        yield await begin(storage)
