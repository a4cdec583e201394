"""Two tickers, one set of crons: a tick makes one run, whoever is slow, stops or comes back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from longline.auth.authenticator import renew
from longline.auth.principal import LOCAL, Principal
from longline.auth.secrets import Vault
from longline.clock import now
from longline.errors import AlreadyExistsError, StorageError
from longline.events.broker import connect_memory
from longline.graphs.definition import GraphDefinition
from longline.graphs.registry import GraphRegistry
from longline.ids import tick_run_id
from longline.models.crons import CronChange, CronSpec, NewCron
from longline.models.runs import Claim, Run
from longline.runtime import Runtime
from longline.services import cron_ticks
from longline.services.cron_ticks import CronTicker
from longline.services.run_requests import RunRequest
from longline.services.runs import RunService
from longline.services.server import Server
from longline.storage.protocols import Storage
from tests.core.cron_tools import EVERY_SECOND, YEARLY, Told, config_of
from tests.core.sample_graphs import steps
from tests.races.graphs import Gate, gated

pytestmark = pytest.mark.anyio

GRAPHS: dict[str, Callable[[], object]] = {"g": lambda: steps("a")}
OVER = 0.0
"""A lease that is over before anybody looks: whoever asks takes the same tick."""


@asynccontextmanager
async def opened(
    folder: Path, told: Told, monkeypatch: pytest.MonkeyPatch, **settings: object
) -> AsyncIterator[tuple[Server, Storage]]:
    """A server and the storage below it."""
    database = f"sqlite:///{folder}/server.db"
    runtime = Runtime(["storage_sqlite"], {"server": {"database": database, "drain_seconds": 0, **settings}})
    definition = GraphDefinition(graph_id="g", origin="the test", load=GRAPHS["g"])
    runtime.graphs = GraphRegistry({"g": definition})
    monkeypatch.setattr(runtime.host, "run_listeners", lambda settings: [told])
    backend, storages = runtime.storage_backend, []

    @asynccontextmanager
    async def connect(url: str) -> AsyncIterator[Storage]:
        async with backend.connect(url) as storage:
            storages.append(storage)
            yield storage

    runtime.storage_backend = replace(backend, connect=connect)
    async with runtime.open() as open_server:
        yield open_server.server, storages[0]


@asynccontextmanager
async def ticking(storage: Storage, runs: RunService, owner: str, *, lease_seconds: float) -> AsyncIterator[None]:
    """Another process' ticker, on the same storage."""
    async with connect_memory("memory://") as broker:
        ticker = CronTicker(
            store=storage.crons,
            runs=runs,
            broker=broker,
            renew=partial(renew, ()),
            vault=Vault(None),
            claim=Claim(owner=owner, lease_seconds=lease_seconds),
            clock=now,
        )
        task = asyncio.create_task(ticker.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})


def new(**fields: object) -> NewCron:
    values = {"assistant": "g", "schedule": EVERY_SECOND, "spec": CronSpec(input={"n": 0}), **fields}
    return NewCron(**values)  # type: ignore[arg-type]  # the names are checked when it is called


@pytest.mark.parametrize("lease_seconds", [OVER, 30.0])
async def test_many_tickers_make_one_run_of_each_tick(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lease_seconds: float
) -> None:
    told = Told()
    async with opened(tmp_path, told, monkeypatch) as (server, storage), AsyncExitStack() as stack:
        for number in range(3):
            await stack.enter_async_context(
                ticking(storage, server.runs, f"other-{number}", lease_seconds=lease_seconds)
            )
        crons = [await server.crons.create(LOCAL, new()) for _ in range(5)]
        runs = await told.wait(20)
    ids = [run.run_id for run in runs]
    assert len(ids) == len(set(ids))
    for cron in crons:
        ticks = sorted(run.run_id for run in runs if config_of(run)["cron_id"] == cron.cron_id)
        first = cron.next_tick
        assert first is not None
        assert ticks[0] == tick_run_id(cron.cron_id, first)


class _FirstStalls:
    """Creates runs; the first call does nothing until it may."""

    def __init__(self, runs: RunService) -> None:
        self._create = runs.create
        self.calls = 0
        self.opened, self.done = asyncio.Event(), asyncio.Event()
        self.error: Exception | None = None

    async def create(self, principal: Principal, request: RunRequest) -> Run:
        self.calls += 1
        if self.calls > 1:
            return await self._create(principal, request)
        await self.opened.wait()
        try:
            return await self._create(principal, request)
        except Exception as error:
            self.error = error
            raise
        finally:
            self.done.set()


async def test_a_ticker_that_wakes_up_too_late_makes_no_second_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, leases = Told(), {"lease_seconds": 0.3, "heartbeat_seconds": 0.1}
    async with opened(tmp_path, told, monkeypatch, **leases) as (server, storage), asyncio.timeout(30):
        stalled = _FirstStalls(server.runs)
        monkeypatch.setattr(server.runs, "create", stalled.create)
        cron = await server.crons.create(LOCAL, new(schedule=YEARLY))
        tick = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
        await storage.crons.update(cron.cron_id, lambda old: replace(old, next_tick=tick), at=tick)
        async with ticking(storage, server.runs, "other", lease_seconds=0.3):
            (run,) = await told.wait(1, ended=True)
            assert run.run_id == tick_run_id(cron.cron_id, tick)
            assert run.spec.temporary
            stalled.opened.set()
            await stalled.done.wait()
        assert type(stalled.error) is AlreadyExistsError
        assert stalled.calls == 2
        assert len(told.created) == 1
        assert (await server.crons.get(LOCAL, cron.cron_id)).next_tick == cron.next_tick


async def test_a_tick_that_takes_for_ever_holds_up_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cron_ticks, "_PATIENCE_SECONDS", 0.05)
    told = Told()
    async with opened(tmp_path, told, monkeypatch) as (server, storage), asyncio.timeout(30):
        stalled = _FirstStalls(server.runs)
        monkeypatch.setattr(server.runs, "create", stalled.create)
        stuck = await server.crons.create(LOCAL, new(schedule=YEARLY))
        tick = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
        await storage.crons.update(stuck.cron_id, lambda old: replace(old, next_tick=tick), at=tick)
        other = await server.crons.create(LOCAL, new())
        made = await told.wait(6)
        assert {config_of(run)["cron_id"] for run in made} == {other.cron_id}
        stalled.opened.set()
        await stalled.done.wait()
        assert stalled.error is None


async def test_a_cron_that_is_changed_while_its_run_is_made_makes_it_as_it_is_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told()
    async with opened(tmp_path, told, monkeypatch) as (server, storage), asyncio.timeout(30):
        stalled = _FirstStalls(server.runs)
        monkeypatch.setattr(server.runs, "create", stalled.create)
        cron = await server.crons.create(LOCAL, new(schedule=YEARLY))
        tick = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
        await storage.crons.update(cron.cron_id, lambda old: replace(old, next_tick=tick), at=tick)
        await server.crons.update(LOCAL, cron.cron_id, CronChange())
        while not stalled.calls:
            await asyncio.sleep(0)
        await server.crons.update(LOCAL, cron.cron_id, CronChange(spec=CronSpec(input={"n": 7})))
        stalled.opened.set()
        (run,) = await told.wait(1)
        assert (run.run_id, run.spec.input) == (tick_run_id(cron.cron_id, tick), {"n": 7})


async def test_a_cron_that_is_slower_than_its_schedule_leaves_ticks_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    told, gate = Told(), Gate()
    monkeypatch.setitem(GRAPHS, "g", lambda: gated(gate))
    async with opened(tmp_path, told, monkeypatch) as (server, _), asyncio.timeout(30):
        thread = await server.threads.create(LOCAL)
        spec = CronSpec(input={"name": "a"})
        cron = await server.crons.create(LOCAL, new(thread_id=thread.thread_id, spec=spec))
        behind = f"the run of an earlier tick of cron {cron.cron_id!r} still waits to start"
        while sum(getattr(record, "reason", "") == behind for record in caplog.records) < 2:
            await asyncio.sleep(0.01)
        assert len(told.created) == 2
        gate.opened.set()
        await told.wait(4)


class _AwayForAWhile:
    """A method of a storage that fails the first times."""

    def __init__(self, method: Callable[..., Awaitable[object]], times: int) -> None:
        self._method, self.left = method, times

    async def __call__(self, *arguments: object, **named: object) -> object:
        if self.left:
            self.left -= 1
            raise StorageError("away")
        return await self._method(*arguments, **named)


async def test_ticks_wait_for_a_storage_that_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(cron_ticks, "_NET_SECONDS", 0.05)
    told, leases = Told(), {"lease_seconds": 0.3, "heartbeat_seconds": 0.1}
    async with opened(tmp_path, told, monkeypatch, **leases) as (server, storage), asyncio.timeout(30):
        cron = await server.crons.create(LOCAL, new(schedule=YEARLY))
        looking, creating = (
            _AwayForAWhile(storage.crons.take_due, 3),
            _AwayForAWhile(server.runs.create, 2),
        )
        monkeypatch.setattr(storage.crons, "take_due", looking)
        monkeypatch.setattr(server.runs, "create", creating)
        tick = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
        await storage.crons.update(cron.cron_id, lambda old: replace(old, next_tick=tick), at=tick)
        (run,) = await told.wait(1, ended=True)
        assert run.run_id == tick_run_id(cron.cron_id, tick)
        assert (looking.left, creating.left, len(told.created)) == (0, 0, 1)
    lines = [record.getMessage() for record in caplog.records if record.name == cron_ticks.__name__]
    assert lines == ["crons not readable", "cron tick put off", "cron tick put off"]
