"""A storage that is away, an agent that cannot be stored and a server that ends cost what they must and no more."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from tests.core.agent_source import NAME, PLUGIN, Shelf, agent, id_of, runtime_of, serving
from tests.core.conftest import InstallPlugin

from longline.auth.principal import LOCAL
from longline.errors import StorageAwayError
from longline.models.assistants import AssistantQuery
from longline.services.mirror_store import MirrorStore
from longline.services.run_requests import RunRequest
from longline.services.server import Server
from longline.services.sources import AssistantSource, SyncTimes

pytestmark = pytest.mark.anyio
OpenShelf = Callable[..., AbstractAsyncContextManager[Server]]


@pytest.fixture
def module(install_plugin: InstallPlugin) -> ModuleType:
    return __import__(install_plugin("shelf", PLUGIN))


@pytest.fixture
def open_shelf(module: ModuleType, tmp_path: Path) -> OpenShelf:
    return lambda shelf, **key: serving(module, shelf, tmp_path, **key)


async def names(server: Server) -> set[str]:
    page = await server.assistants.search(LOCAL, AssistantQuery(limit=99))
    return {one.name for one in page.items if "agent" in one.metadata}


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await condition():
            await asyncio.sleep(0.01)


def tasks() -> set[str]:
    return {task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()}


class TestStorageAway:
    async def test_the_first_listing_is_tried_again(
        self, open_shelf: OpenShelf, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        found, failures = MirrorStore.all, [StorageAwayError("nobody listens")]

        async def all_of(self: MirrorStore, source: AssistantSource) -> object:
            if failures:
                raise failures.pop()
            return await found(self, source)

        monkeypatch.setattr(MirrorStore, "all", all_of)
        async with open_shelf(Shelf(agent("clerk"))) as server:

            async def is_there() -> bool:
                return await names(server) == {"Clerk"}

            await until(is_there)
        assert [record.message for record in caplog.records if record.exc_info] == []
        (line,) = [record for record in caplog.records if record.message == "agent sync not possible"]
        assert "nobody listens" in vars(line)["reason"]

    async def test_a_change_is_followed_once_it_is_back(
        self, open_shelf: OpenShelf, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        shelf = Shelf(agent("clerk"), agent("cook"))
        async with open_shelf(shelf) as server:
            found, failures = MirrorStore.find, [StorageAwayError("nobody listens")]

            async def find(self: MirrorStore, assistant_id: str) -> object:
                if failures:
                    raise failures.pop()
                return await found(self, assistant_id)

            monkeypatch.setattr(MirrorStore, "find", find)
            shelf.change("clerk", "Be brief.")
            shelf.queue.put_nowait("clerk")

            async def is_live() -> bool:
                config = (await server.assistants.get(LOCAL, id_of("clerk"))).config
                return config["configurable"] == {"system_prompt": "Be brief."}

            await until(is_live)
        assert [record.message for record in caplog.records if record.exc_info] == []


class TestBadAgents:
    @pytest.mark.parametrize("bad", ["two truths", "half a character", "NUL"])
    async def test_one_that_cannot_be_stored_stops_nobody(
        self, open_shelf: OpenShelf, bad: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        clerk = agent("bad")
        if bad == "two truths":
            clerk = replace(clerk, context={"system_prompt": "Be cruel."})
        elif bad == "half a character":
            clerk = replace(clerk, config={"configurable": {"system_prompt": "\ud800"}}, name="\udfff")
        else:
            clerk = replace(clerk, config={"configurable": {"system_prompt": "a\0b"}}, name="x\0y")
        shelf = Shelf(clerk, agent("clerk"))
        async with open_shelf(shelf) as server:
            counts = server.mirrors.listings.report(NAME).counts
            assert (counts.total, counts.created + counts.failed) == (2, 2)
            assert "Clerk" in await names(server)
            shelf.change("clerk", "Be brief.")
            for key in ("bad", "clerk"):
                shelf.queue.put_nowait(key)

            async def is_live() -> bool:
                config = (await server.assistants.get(LOCAL, id_of("clerk"))).config
                return config["configurable"] == {"system_prompt": "Be brief."}

            await until(is_live)
        assert [record.message for record in caplog.records if record.exc_info] == []

    @pytest.mark.parametrize("bad", ["\ud800", 2**64])
    async def test_one_that_no_storage_keeps_is_told_in_one_line(
        self, open_shelf: OpenShelf, bad: str | int, caplog: pytest.LogCaptureFixture
    ) -> None:
        clerk = replace(agent("bad"), config={"configurable": {"system_prompt": bad}})
        async with open_shelf(Shelf(clerk, agent("clerk"))) as server:
            counts = server.mirrors.listings.report(NAME).counts
            assert (counts.total, counts.created, counts.failed) == (2, 1, 1)
            planned, faults = await server.mirrors.listings.plan(server.mirrors.sources[NAME])
            assert ([one.agent.key for one in planned], [key for key, _ in faults]) == (["clerk"], ["bad"])
        (line,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
        assert (line.message, line.exc_info, vars(line)["agent"]) == ("agent not synced", None, "bad")
        assert "it cannot be stored" in vars(line)["reason"]

    async def test_secrets_that_cannot_be_kept_make_no_new_version_each_time(self, open_shelf: OpenShelf) -> None:
        shelf = Shelf(replace(agent("clerk"), config={"configurable": {"api_key": "s", "system_prompt": "x"}}))
        async with open_shelf(shelf, key="") as server:
            await server.mirrors.listings.list(server.mirrors.sources[NAME])
            assert (await server.assistants.get(LOCAL, id_of("clerk"))).version == 1


class TestEnd:
    @pytest.mark.parametrize("what", ["listing", "question", "both"])
    async def test_nothing_is_left_running(self, open_shelf: OpenShelf, what: str) -> None:
        shelf = Shelf(agent("clerk"))
        shelf.times = SyncTimes(start_seconds=0.01)
        shelf.is_listed = what != "question"
        shelf.gate = asyncio.Event()
        before = tasks()
        async with open_shelf(shelf) as server:
            if what != "listing":
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await server.runs.create(LOCAL, RunRequest(assistant=id_of("clerk")))
        await asyncio.sleep(0)
        assert tasks() <= before

    async def test_a_start_that_is_given_up_leaves_nothing_running(self, module: ModuleType, tmp_path: Path) -> None:
        shelf = Shelf(agent("clerk"))
        shelf.times = SyncTimes(start_seconds=3600)
        shelf.gate = asyncio.Event()
        before = tasks()
        runtime = runtime_of(module, shelf, tmp_path)

        async def start() -> None:
            async with runtime.open():
                raise AssertionError("it waits for its first listing")

        starting = asyncio.create_task(start())
        while not shelf.lists_made:
            await asyncio.sleep(0)
        starting.cancel()
        with suppress(asyncio.CancelledError):
            await starting
        await asyncio.sleep(0)
        assert tasks() <= before

    async def test_who_does_not_wait_any_more_ends_nobody_elses_question(self, open_shelf: OpenShelf) -> None:
        shelf = Shelf(agent("clerk"))
        shelf.is_listed = False
        async with open_shelf(shelf) as server:
            shelf.gate = asyncio.Event()
            request = RunRequest(assistant=id_of("clerk"), input={"n": 1})
            impatient, patient = (asyncio.create_task(server.runs.create(LOCAL, request)) for _ in range(2))
            while not shelf.gets:
                await asyncio.sleep(0)
            impatient.cancel()
            shelf.gate.set()
            assert (await patient).assistant_id == id_of("clerk")
            assert impatient.cancelled()
