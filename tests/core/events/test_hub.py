"""Readers of a run get its events as they happen, and are told when it ends or when they fell behind."""

import asyncio

import pytest

from longline.events import hub as hub_module
from longline.events.hub import EventHub, RunEnd
from longline.models.events import RunEvent
from longline.models.runs import RunStatus

pytestmark = pytest.mark.anyio

DONE = RunEnd(status=RunStatus.SUCCESS, result=b"{}")


@pytest.fixture
def anyio_backend(jumping: object) -> object:
    return jumping


def events(*seqs: int, run_id: str = "r") -> list[RunEvent]:
    return [RunEvent(run_id, 1, seq, "values", (), str(seq).encode()) for seq in seqs]


async def test_every_reader_of_a_run_gets_its_events_in_order() -> None:
    hub = EventHub()
    one, two, other = hub.attach("r"), hub.attach("r"), hub.attach("s")
    hub.publish("r", events(1, 2))
    hub.publish("r", events(3))
    assert one.take() == two.take() == events(1, 2, 3)
    assert other.take() == []
    assert one.take() == []


async def test_a_reader_gets_nothing_from_before_it_came_or_after_it_left() -> None:
    hub = EventHub()
    hub.publish("r", events(1))
    reader = hub.attach("r")
    hub.publish("r", events(2))
    hub.detach("r", reader)
    hub.publish("r", events(3))
    assert reader.take() == events(2)


async def test_the_hub_knows_whether_anybody_reads() -> None:
    hub = EventHub()
    assert not hub.has_readers("r")
    one, two = hub.attach("r"), hub.attach("r")
    hub.detach("r", one)
    assert hub.has_readers("r")
    hub.detach("r", two)
    hub.detach("r", two)
    assert not hub.has_readers("r")


async def test_waiting_ends_with_what_comes() -> None:
    hub = EventHub()
    reader = hub.attach("r")
    waiting = asyncio.create_task(reader.wait(3600))
    await asyncio.sleep(1)
    assert not waiting.done()
    hub.publish("r", events(1))
    assert await waiting is True
    assert await reader.wait(3600) is True, "what came is still there"
    reader.take()
    assert await reader.wait(3600) is False, "taken events do not come again"


async def test_waiting_takes_no_longer_than_asked() -> None:
    started = asyncio.get_running_loop().time()
    assert await EventHub().attach("r").wait(30) is False
    assert asyncio.get_running_loop().time() - started == pytest.approx(30)


async def test_the_end_reaches_all_readers_and_stays_readable() -> None:
    hub = EventHub()
    one, two = hub.attach("r"), hub.attach("r")
    hub.publish("r", events(1))
    hub.close("r", DONE)
    for reader in (one, two):
        assert await reader.wait(3600) is True
        assert reader.take() == events(1)
        assert reader.end is DONE
        assert await reader.wait(3600) is True
    assert not hub.has_readers("r")
    hub.detach("r", one)
    hub.close("r", DONE)


async def test_a_reader_that_falls_too_far_behind_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "_BACKLOG_EVENTS", 3)
    hub = EventHub()
    slow, quick = hub.attach("r"), hub.attach("r")
    hub.publish("r", events(1, 2))
    assert quick.take() == events(1, 2)
    hub.publish("r", events(3, 4))
    assert slow.has_overflowed
    assert slow.take() == []
    assert not quick.has_overflowed
    assert quick.take() == events(3, 4)
