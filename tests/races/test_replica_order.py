"""What happens on a thread is told in order on every server, wherever its runs execute one after the other."""

import asyncio

import pytest

from longline.auth.principal import LOCAL
from longline.events.hub import StateUpdated, ThreadEntry
from longline.events.relay import Relay
from longline.events.replay import ThreadReader
from longline.models.events import RunEnding
from longline.runs.recorders import EndRecorders
from longline.services.run_requests import RunRequest
from longline_storage_postgres.relay import PostgresRelay
from tests.races.graphs import Gate, gated
from tests.races.replicas import OpenReplicas, database_url, no_net, open_replicas, template, thread_on

__all__ = ["database_url", "no_net", "open_replicas", "template"]  # fixtures

pytestmark = pytest.mark.anyio


async def until_ends(reader: ThreadReader, count: int) -> list[ThreadEntry]:
    """What a thread tells until so many runs have ended."""
    entries: list[ThreadEntry] = []
    async with asyncio.timeout(30):
        while sum(isinstance(entry, RunEnding) for entry in entries) < count:
            entries += await reader.read(30) or ()
    return entries


def told(entries: list[ThreadEntry]) -> list[tuple[str, int]]:
    return [(entry.run_id, 0 if isinstance(entry, RunEnding) else entry.seq) for entry in entries]


@pytest.mark.parametrize("resumable", [False, True])
async def test_a_run_here_is_told_after_all_that_went_before_it_elsewhere(
    open_replicas: OpenReplicas, no_net: None, monkeypatch: pytest.MonkeyPatch, resumable: bool
) -> None:
    gate, free = Gate(), Gate()
    free.opened.set()
    async with open_replicas({"gated": gated(gate), "free": gated(free)}) as (here, there):
        thread_id = await thread_on(here)
        reader = await here.thread_streams.follow(LOCAL, thread_id)
        request = {"thread_id": thread_id, "input": {}, "stream_modes": ("updates",), "resumable": resumable}
        first, joined = await there.runs.watch(LOCAL, RunRequest(assistant="gated", **request), only_end=True)
        entries = list(await reader.read(30) or ())
        monkeypatch.setattr(Relay, "_hear", lambda *_: None)  # nothing is heard any more
        gate.opened.set()
        assert await joined.wait_for_end(30) is not None
        joined.close()
        second = await here.runs.create(LOCAL, RunRequest(assistant="free", **request))
        async with asyncio.timeout(10):
            entries += await until_ends(reader, 2)
        reader.close()
        assert told(entries) == [(run.run_id, seq) for run in (first, second) for seq in (1, 2, 3, 4, 0)]


async def test_of_two_runs_elsewhere_the_earlier_one_is_told_first(
    open_replicas: OpenReplicas, no_net: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The later one is heard of while the earlier one is still being read."""
    gate, free = Gate(), Gate()
    free.opened.set()
    gate_of_ends = asyncio.Event()
    ends = PostgresRelay.ends

    async def slow(self: PostgresRelay, run_ids: list[str]) -> object:
        await gate_of_ends.wait()
        return await ends(self, run_ids)

    monkeypatch.setattr(PostgresRelay, "ends", slow)
    ended, hear = asyncio.Queue[object](), Relay._hear

    def listening(self: Relay, news: list[object]) -> None:
        hear(self, news)
        if news[0] == "ended":
            ended.put_nowait(news[1])

    async def heard(run_id: str) -> None:
        async with asyncio.timeout(30):
            while await ended.get() != run_id:
                pass

    monkeypatch.setattr(Relay, "_hear", listening)
    async with open_replicas({"gated": gated(gate), "free": gated(free)}) as (here, there):
        thread_id = await thread_on(here)
        reader = await here.thread_streams.follow(LOCAL, thread_id)
        request = {"thread_id": thread_id, "input": {}, "stream_modes": ("updates",)}
        first, joined = await there.runs.watch(LOCAL, RunRequest(assistant="gated", **request), only_end=True)
        entries = list(await reader.read(30) or ())
        gate.opened.set()
        assert await joined.wait_for_end(30) is not None
        second, joined = await there.runs.watch(LOCAL, RunRequest(assistant="free", **request), only_end=True)
        assert await joined.wait_for_end(30) is not None
        await heard(second.run_id)
        gate_of_ends.set()
        async with asyncio.timeout(10):
            entries += await until_ends(reader, 2)
        reader.close()
        assert told(entries) == [(run.run_id, seq) for run in (first, second) for seq in (1, 2, 3, 4, 0)]


async def test_an_update_here_is_told_after_the_run_elsewhere_that_it_follows(
    open_replicas: OpenReplicas, no_net: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()
    async with open_replicas({"gated": gated(gate)}) as (here, there):
        thread_id = await thread_on(here)
        reader = await here.thread_streams.follow(LOCAL, thread_id)
        request = RunRequest(assistant="gated", thread_id=thread_id, input={}, stream_modes=("updates",))
        run, joined = await there.runs.watch(LOCAL, request, only_end=True)
        entries = list(await reader.read(30) or ())
        monkeypatch.setattr(Relay, "_hear", lambda *_: None)  # nothing is heard any more
        gate.opened.set()
        assert await joined.wait_for_end(30) is not None
        joined.close()
        await here.threads.update_state(LOCAL, thread_id, values={"steps": ["by hand"]})
        while not isinstance(entries[-1], StateUpdated):
            entries += await reader.read(30) or ()
        reader.close()
        assert told(entries[:-1]) == [(run.run_id, seq) for seq in (1, 2, 3, 4, 0)]


@pytest.mark.parametrize("resumable", [False, True])
async def test_a_run_that_comes_here_is_told_after_what_it_said_elsewhere(
    open_replicas: OpenReplicas, no_net: None, monkeypatch: pytest.MonkeyPatch, resumable: bool
) -> None:
    gate = Gate()
    async with open_replicas({"gated": gated(gate)}) as (here, there):
        thread_id = await thread_on(here)
        reader = await here.thread_streams.follow(LOCAL, thread_id)
        monkeypatch.setattr(Relay, "_hear", lambda *_: None)  # nothing is heard
        request = RunRequest(
            assistant="gated", thread_id=thread_id, input={}, stream_modes=("updates",), resumable=resumable
        )
        run, spoken = await there.runs.watch(LOCAL, request)
        async with asyncio.timeout(30):
            while (await spoken.read(30) or ())[-1].event_id < (1, 2):
                pass
        spoken.close()
        await gate.reached.wait()
        await there.scheduler.drain(0)
        gate.opened.set()
        entries = await until_ends(reader, 1)
        reader.close()
        assert {entry.run_id for entry in entries} == {run.run_id}
        said = [entry.event_id for entry in entries if not isinstance(entry, RunEnding)]
        assert said[:2] == [(1, 1), (1, 2)]
        assert next(event_id for event_id in said if event_id.attempt == 2) == (2, 1)


async def test_who_waits_for_a_run_whose_attempt_broke_off_here_hears_of_its_end_elsewhere(
    open_replicas: OpenReplicas, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = Gate()
    free.opened.set()
    async with open_replicas({"free": gated(free)}, lease_seconds=1, heartbeat_seconds=0.2) as (here, _):
        monkeypatch.setattr(Relay, "_hear", lambda *_: None)  # nothing is heard: it looks for itself
        with monkeypatch.context() as broken:
            broken.setattr(EndRecorders, "of_outcome", _broken)
            _, waiting = await here.runs.watch(LOCAL, RunRequest(assistant="free", input={}), only_end=True)
            here.scheduler._state.is_draining = True  # it takes no other
            async with asyncio.timeout(30):
                while here.scheduler.running_count:
                    await asyncio.sleep(0.01)
        assert await waiting.wait_for_end(30) is not None
        waiting.close()


def _broken(*_: object, **__: object) -> None:
    raise ValueError
