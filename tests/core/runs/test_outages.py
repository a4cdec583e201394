"""While the storage is away runs wait, and go on when it is back."""

import asyncio
import logging
from typing import Any

import orjson
import pytest
from tests.core import sample_graphs as graphs
from tests.core.conftest import OpenServer
from tests.core.runs.test_listeners import Recorder

from longline import runtime as runtime_module
from longline.auth.principal import LOCAL
from longline.errors import StorageError
from longline.models.runs import RunStatus
from longline.runs import engine as engine_module
from longline.runs import scheduler as scheduler_module
from longline.services.run_requests import RunRequest
from longline.services.server import Server

pytestmark = pytest.mark.anyio


class Away:
    """A method of the storage that fails some times and then works."""

    def __init__(self, method: Any, *, times: int) -> None:
        self._method = method
        self.left = times

    async def __call__(self, *arguments: Any, **options: Any) -> Any:
        if self.left > 0:
            self.left -= 1
            raise StorageError("away")
        return await self._method(*arguments, **options)


async def finish(server: Server, **fields: Any) -> Any:
    request = RunRequest(**{"assistant": "g", "input": {"n": 0}, "keep_thread": True, **fields})
    run, reader = await server.runs.watch(LOCAL, request)
    with reader:
        end = await reader.wait_for_end(20)
    assert end is not None, "the run did not end within 20 s"
    return run, end


async def test_the_end_of_a_run_is_stored_as_soon_as_it_can_be_and_logged_once(
    open_server: OpenServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engine_module, "_RETRY_SECONDS", 0)
    async with open_server({"g": graphs.steps("a")}) as server:
        queue = server.scheduler._queue
        monkeypatch.setattr(queue, "finish", Away(queue.finish, times=3))
        with caplog.at_level(logging.ERROR):
            run, end = await finish(server)
        assert (end.status, orjson.loads(end.result)["notes"]) == (RunStatus.SUCCESS, ["a"])
        assert (await server.runs.get(LOCAL, run.thread_id, run.run_id)).status is RunStatus.SUCCESS
    assert [record.message for record in caplog.records] == ["run end not stored"]


async def test_a_queue_that_cannot_be_read_is_read_again(
    open_server: OpenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_server({"g": graphs.steps("a")}, poll_seconds=0.02) as server:
        queue = server.scheduler._queue
        away = Away(queue.claim, times=3)
        monkeypatch.setattr(queue, "claim", away)
        _, end = await finish(server, after_seconds=0.05)
        assert end.status is RunStatus.SUCCESS
        assert away.left == 0


async def test_a_storage_that_fails_inside_a_run_fails_the_run_and_says_nothing_of_itself(
    open_server: OpenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_server({"g": graphs.steps("a")}) as server:
        storage = server.runs._storage
        monkeypatch.setattr(storage, "checkpointer", Away(storage.checkpointer, times=1))
        _, end = await finish(server)
        assert (end.status, end.failure.message) == (RunStatus.ERROR, "An internal error occurred")


async def test_listeners_are_told_the_whole_story_of_a_run(open_server: OpenServer) -> None:
    recorder = Recorder(wants_events=True)
    async with open_server({"g": graphs.steps("a")}, listeners=[recorder]) as server:
        run = await server.runs.create(LOCAL, RunRequest(assistant="g", input={"n": 0}, keep_thread=True))
        async with asyncio.timeout(20):
            while recorder.told[-1][0] != "ended":
                await asyncio.sleep(0.01)
    assert [word for word, *_ in recorder.told] == ["created", "started", "event", "event", "event", "ended"]
    assert [event.mode for word, event, *_ in recorder.told if word == "event"] == ["metadata", "values", "values"]
    assert recorder.told[0][1].run_id == run.run_id
    assert recorder.told[-1][2].status is RunStatus.SUCCESS


async def test_a_server_ends_although_its_storage_stays_away(
    open_server: OpenServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(runtime_module, "_LAST_SECONDS", 0.1)
    monkeypatch.setattr(scheduler_module, "_LAST_SECONDS", 0.1)
    async with asyncio.timeout(30):
        async with open_server({"g": graphs.steps("a")}, drain_seconds=0) as server:
            log = server.runs._storage.events
            away = Away(log.append, times=1_000_000)
            monkeypatch.setattr(log, "append", away)
            request = RunRequest(assistant="g", input={"n": 0}, keep_thread=True, resumable=True)
            await server.runs.create(LOCAL, request)
            while away.left == 1_000_000:
                await asyncio.sleep(0)
    assert "events not stored at shutdown" in [record.message for record in caplog.records]
