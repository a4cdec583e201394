"""What the sweeper of a server asks of its storage, and how the settings are read."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from longline.errors import SettingsError
from longline.events.herald import Herald
from longline.events.hub import EventHub
from longline.models.retention import SweepOrder, Swept
from longline.models.threads import ThreadTtl
from longline.services.retention import RetentionService, default_ttl
from longline.settings import CORE_SECTIONS, ItemsSettings, ThreadsSettings, parse_settings

NOW = datetime(2026, 1, 2, tzinfo=UTC)


class Remembering:
    """A storage that has some batches to sweep, and remembers what it was asked."""

    def __init__(self, *batches: Swept) -> None:
        self.orders: list[SweepOrder] = []
        self.scrubs = 0
        self._batches = list(batches)

    async def sweep(self, order: SweepOrder) -> Swept:
        self.orders.append(order)
        return self._batches.pop(0) if self._batches else Swept()

    async def scrub(self) -> None:
        self.scrubs += 1


def service(store: Remembering, **threads: object) -> RetentionService:
    return RetentionService(
        store=store,
        herald=Herald(EventHub()),
        threads=ThreadsSettings(**threads),
        items=ItemsSettings(),
        clock=lambda: NOW,
    )


@pytest.mark.anyio
async def test_a_sweep_goes_on_until_nothing_is_due_and_then_removes_the_traces() -> None:
    store = Remembering(Swept(gone=("a", "b"), is_done=False), Swept(items=3, is_done=False))
    swept = await service(store).sweep()
    assert (len(store.orders), store.scrubs) == (3, 1)
    assert (swept.threads_deleted, swept.items) == (2, 3)


@pytest.mark.anyio
async def test_who_follows_a_thread_that_is_swept_learns_that_it_is_gone() -> None:
    hub = EventHub()
    gone, there = hub.attach_thread("gone"), hub.attach_thread("there")
    store = Remembering(Swept(gone=("gone",), is_done=False))
    settings = {"threads": ThreadsSettings(), "items": ItemsSettings()}
    await RetentionService(store=store, herald=Herald(hub), clock=lambda: NOW, **settings).sweep()
    assert (gone.is_closed, there.is_closed) == (True, False)


@pytest.mark.anyio
async def test_kept_streams_have_a_day_unless_the_settings_say_otherwise() -> None:
    for settings, before in (
        ({}, NOW - timedelta(days=1)),
        ({"stream_ttl_minutes": 5}, NOW - timedelta(minutes=5)),
        ({"stream_ttl_minutes": None}, None),
    ):
        store = Remembering()
        await service(store, **settings).sweep()
        assert (store.orders[0].at, store.orders[0].streams_before) == (NOW, before)


@pytest.mark.anyio
async def test_the_server_sweeps_at_once_and_again_at_every_interval() -> None:
    store = Remembering()
    sweeper = service(store, ttl={"sweep_interval_minutes": 0.0001, "sweep_limit": 7})
    running = asyncio.create_task(sweeper.run())
    async with asyncio.timeout(10):
        while store.scrubs < 3:
            await asyncio.sleep(0)
    running.cancel()
    assert {order.most_threads for order in store.orders} == {7}


def test_the_default_for_new_threads_is_what_the_settings_say() -> None:
    assert default_ttl(ThreadsSettings()) is None
    assert default_ttl(ThreadsSettings(ttl={"strategy": "keep_latest"})) is None
    ttl = {"strategy": "keep_latest", "default_ttl": 0.2}
    assert default_ttl(ThreadsSettings(ttl=ttl)) == ThreadTtl(minutes=0.2, strategy="keep_latest")


@pytest.mark.parametrize(("section", "values", "said"), [
    ("threads", {"ttl": {"default_ttl": -1}}, "threads.ttl.default_ttl"),
    ("threads", {"ttl": {"strategy": "burn"}}, "threads.ttl.strategy"),
    ("threads", {"ttl": {"sweep_interval_minutes": 0}}, "threads.ttl.sweep_interval_minutes"),
    ("items", {"index": {"dims": 8}}, "items.index.embed"),
    ("items", {"index": {"dims": 0, "embed": "./e.py:f"}}, "items.index.dims"),
    ("items", {"ttl": {"default": 5}}, "items.ttl.default"),
])  # fmt: skip
def test_settings_that_cannot_be_stop_the_start(section: str, values: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        parse_settings({section: values}, CORE_SECTIONS)
