"""Agents that are defined elsewhere become assistants, stay as they are there, and never keep anything from working."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.core.agent_source import NAME, PLUGIN, Shelf, agent, id_of, serving
from tests.core.conftest import InstallPlugin

from longline.auth.principal import LOCAL, Principal
from longline.errors import AlreadyExistsError, ForbiddenError, NotFoundError, SourceAwayError
from longline.models.assistants import AssistantChange, AssistantQuery
from longline.models.json import JsonObject
from longline.services.assistants import NewAssistant
from longline.services.run_requests import RunRequest
from longline.services.server import Server
from longline.services.sources import SourceFault, SyncTimes

pytestmark = pytest.mark.anyio
MEMBER = Principal(identity="ann", organizations=("a",))
STRANGER = Principal(identity="bob", organizations=("b",))
OpenShelf = Callable[..., AbstractAsyncContextManager[Server]]


@pytest.fixture
def open_shelf(install_plugin: InstallPlugin, tmp_path: Path) -> OpenShelf:
    module = __import__(install_plugin("shelf", PLUGIN))
    return lambda shelf: serving(module, shelf, tmp_path)


async def prompts(server: Server, principal: Principal = LOCAL) -> dict[str, object]:
    page = await server.assistants.search(principal, AssistantQuery(limit=99))
    found = {one.name: one.config.get("configurable") for one in page.items if "agent" in one.metadata}
    return {name: dict(value)["system_prompt"] for name, value in found.items() if isinstance(value, dict)}


class TestStart:
    async def test_what_is_listed_is_there_before_the_server_serves(self, open_shelf: OpenShelf) -> None:
        shelf = Shelf(agent("clerk"), agent("cook", "Cook."), agent("other", group="b"))
        async with open_shelf(shelf) as server:
            assert await prompts(server) == {"Clerk": "Be kind.", "Cook": "Cook."}
            counts = server.mirrors.listings.report(NAME).counts
            assert (counts.total, counts.created, counts.skipped, counts.failed) == (2, 2, 0, 0)
            assert shelf.told == ["clerk", "cook"]
            clerk = await server.assistants.get(LOCAL, id_of("clerk"))
            assert clerk.metadata["owner"] == clerk.metadata["created_by"] == "system"
            assert clerk.context == {"system_prompt": "Be kind."}

    async def test_a_second_start_changes_nothing(self, open_shelf: OpenShelf) -> None:
        config: JsonObject = {"configurable": {"headers": {"X-N": 3}, "api_key": "s", "url": "https://u:p@host/"}}
        clerk = replace(agent("clerk"), config=config)
        async with open_shelf(Shelf(clerk)) as server:
            first = await server.assistants.get(LOCAL, id_of("clerk"))
        async with open_shelf(Shelf(clerk)) as server:
            assert await server.assistants.get(LOCAL, id_of("clerk")) == first
            assert server.mirrors.listings.report(NAME).counts.skipped == 1

    async def test_what_changed_gets_a_new_version_and_what_is_gone_is_hidden(self, open_shelf: OpenShelf) -> None:
        async with open_shelf(Shelf(agent("clerk"), agent("cook"))):
            pass
        async with open_shelf(Shelf(agent("clerk", "Be brief."))) as server:
            assert await prompts(server) == {"Clerk": "Be brief."}
            assert (await server.assistants.get(LOCAL, id_of("clerk"))).version == 2
            counts = server.mirrors.listings.report(NAME).counts
            assert (counts.updated, counts.withdrawn) == (1, 1)
            with pytest.raises(NotFoundError):
                await server.runs.create(LOCAL, RunRequest(assistant=id_of("cook")))
        async with open_shelf(Shelf(agent("clerk", "Be brief."), agent("cook"))) as server:  # it came back
            assert set(await prompts(server)) == {"Clerk", "Cook"}

    async def test_the_log_says_how_it_went(self, open_shelf: OpenShelf, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("INFO", "longline")
        async with open_shelf(Shelf(agent("clerk"))):
            (line,) = [record for record in caplog.records if record.message == "agent sync finished"]
            found = {"total": 1, "created": 1, "updated": 0, "skipped": 0, "failed": 0, "withdrawn": 0}
            assert vars(line)["counts"] == found

    async def test_one_bad_agent_never_stops_the_others(self, open_shelf: OpenShelf) -> None:
        shelf = Shelf(agent("bad", graph="none such"), agent("clerk"))
        shelf.faults = [SourceFault("worse", "no endpoint")]
        async with open_shelf(shelf) as server:
            assert set(await prompts(server)) == {"Clerk"}
            counts = server.mirrors.listings.report(NAME).counts
            assert (counts.total, counts.created, counts.failed) == (3, 1, 2)

    @pytest.mark.parametrize("how", ["away", "slow"])
    async def test_a_source_that_does_not_answer_never_stops_the_server(self, open_shelf: OpenShelf, how: str) -> None:
        shelf = Shelf(agent("clerk"))
        shelf.times = SyncTimes(start_seconds=0.05)
        if how == "away":
            shelf.away = "nobody listens"
        else:
            shelf.gate = asyncio.Event()
        async with open_shelf(shelf) as server, asyncio.timeout(30):
            assert await prompts(server) == {}
            shelf.away = ""
            if shelf.gate is not None:
                shelf.gate.set()
            while await prompts(server) == {}:  # it is asked again soon, or goes on
                await asyncio.sleep(0.01)

    async def test_none_mirrors_nothing_until_asked(self, open_shelf: OpenShelf) -> None:
        shelf = Shelf(agent("clerk"))
        shelf.is_listed = False
        async with open_shelf(shelf) as server:
            assert (await prompts(server), shelf.lists_made) == ({}, 0)
            await server.runs.create(LOCAL, RunRequest(assistant=id_of("clerk"), input={"n": 1}))
            assert set(await prompts(server)) == {"Clerk"}


class TestOnDemand:
    @pytest.fixture
    def shelf(self) -> Shelf:
        shelf = Shelf(agent("clerk"))
        shelf.is_listed = False
        return shelf

    async def test_many_at_once_make_one_question_and_one_assistant(self, open_shelf: OpenShelf, shelf: Shelf) -> None:
        async with open_shelf(shelf) as server:
            shelf.gate = asyncio.Event()
            new = NewAssistant(graph_id="steps", metadata={"agent": "clerk"})
            asked = [asyncio.create_task(server.assistants.create(LOCAL, new)) for _ in range(20)]
            while not shelf.gets:
                await asyncio.sleep(0)
            shelf.gate.set()
            found = await asyncio.gather(*asked)
            assert {one.assistant_id for one in found} == {id_of("clerk")}
            assert shelf.gets == ["clerk"]
            await server.assistants.create(LOCAL, new)
            assert shelf.gets == ["clerk"]  # it is fresh

    async def test_an_explicit_sync_asks_every_time(self, open_shelf: OpenShelf, shelf: Shelf) -> None:
        async with open_shelf(shelf) as server:
            assert (await server.mirrors.sync(LOCAL, NAME, "clerk")).action == "created"
            assert (await server.mirrors.sync(LOCAL, NAME, "clerk")).action == "skipped"
            shelf.change("clerk", "Be brief.")
            assert (await server.mirrors.sync(LOCAL, NAME, "clerk")).action == "updated"
            with pytest.raises(NotFoundError):
                await server.mirrors.sync(LOCAL, NAME, "nobody")
            shelf.away = "nobody listens"
            with pytest.raises(SourceAwayError):
                await server.mirrors.sync(LOCAL, NAME, "clerk")

    async def test_while_the_source_is_away_what_is_stored_is_used(self, open_shelf: OpenShelf, shelf: Shelf) -> None:
        shelf.times = SyncTimes(fresh_seconds=0)
        async with open_shelf(shelf) as server:
            await server.mirrors.sync(LOCAL, NAME, "clerk")
            shelf.away = "nobody listens"
            run = await server.runs.create(LOCAL, RunRequest(assistant=id_of("clerk"), input={"n": 1}))
            assert run.assistant_id == id_of("clerk")
            with pytest.raises(SourceAwayError):
                await server.runs.create(LOCAL, RunRequest(assistant=id_of("gone")))

    async def test_an_assistant_made_meanwhile_is_marked_and_mirrored_at_its_next_use(
        self, open_shelf: OpenShelf, shelf: Shelf
    ) -> None:
        async with open_shelf(shelf) as server:
            shelf.away = "nobody listens"
            new = NewAssistant(graph_id="steps", name="mine", metadata={"agent": "clerk"})
            made = await server.assistants.create(LOCAL, new)
            assert made.name == "mine"
            assert "nobody listens" in str(made.metadata["sync_error"])
            shelf.away = ""
            async with asyncio.timeout(20):
                while True:  # a source that was away is left in peace for a moment
                    run = await server.runs.create(LOCAL, RunRequest(assistant=made.assistant_id, input={"n": 1}))
                    if run.assistant_id == id_of("clerk"):
                        break
                    await asyncio.sleep(0.2)

    async def test_an_agent_whose_id_a_caller_took_is_mirrored_over_it(
        self, open_shelf: OpenShelf, shelf: Shelf
    ) -> None:
        async with open_shelf(shelf) as server:
            await server.assistants.create(STRANGER, NewAssistant(graph_id="steps", assistant_id=id_of("clerk")))
            assert (await server.mirrors.sync(MEMBER, NAME, "clerk")).action == "updated"
            mirror = await server.assistants.get(MEMBER, id_of("clerk"))
            assert mirror.metadata["owner"] == "system"
            with pytest.raises(NotFoundError):
                await server.assistants.get(STRANGER, id_of("clerk"))
            new = NewAssistant(graph_id="steps", assistant_id=id_of("clerk"))
            with pytest.raises(AlreadyExistsError):
                await server.assistants.create(STRANGER, new)


class TestChanges:
    async def test_a_change_is_live_and_a_removal_too(self, open_shelf: OpenShelf) -> None:
        shelf = Shelf(agent("clerk"), agent("far", group="b"))
        async with open_shelf(shelf) as server, asyncio.timeout(20):
            shelf.change("clerk", "Be brief.")
            shelf.change("far", "Be far.")
            for key in ("far", "clerk"):
                shelf.queue.put_nowait(key)
            while await prompts(server) != {"Clerk": "Be brief."}:  # what is out of the scope is left alone
                await asyncio.sleep(0.01)
            del shelf.agents["clerk"]
            shelf.queue.put_nowait("clerk")
            while await prompts(server):
                await asyncio.sleep(0.01)


class TestWhoMay:
    async def test_without_its_source_nobody_sees_a_mirror(self, open_shelf: OpenShelf) -> None:
        shelf = Shelf(agent("clerk"))
        async with open_shelf(shelf):
            pass
        shelf.name = "another shelf"
        shelf.is_listed = False
        async with open_shelf(shelf) as server:
            assert await prompts(server) == {}
            posing = NewAssistant(graph_id="steps", metadata={"mirrored_from": "another shelf", "created_by": "system"})
            made = await server.assistants.create(LOCAL, posing)
            assert "mirrored_from" not in made.metadata

    async def test_members_see_it_and_nobody_changes_it(self, open_shelf: OpenShelf) -> None:
        async with open_shelf(Shelf(agent("clerk"))) as server:
            assert set(await prompts(server, MEMBER)) == {"Clerk"}
            for change in (
                server.assistants.update(MEMBER, id_of("clerk"), AssistantChange(name="mine")),
                server.assistants.delete(MEMBER, id_of("clerk")),
                server.assistants.set_latest(MEMBER, id_of("clerk"), 1),
            ):
                with pytest.raises(ForbiddenError, match="where it is defined"):
                    await change

    async def test_to_others_it_looks_like_none(self, open_shelf: OpenShelf) -> None:
        async with open_shelf(Shelf(agent("clerk"))) as server:
            assert await prompts(server, STRANGER) == {}
            for act in (
                server.assistants.get(STRANGER, id_of("clerk")),
                server.assistants.delete(STRANGER, id_of("clerk")),
                server.runs.create(STRANGER, RunRequest(assistant=id_of("clerk"))),
                server.mirrors.sync(STRANGER, NAME, "clerk"),
                server.assistants.create(STRANGER, NewAssistant(graph_id="steps", metadata={"agent": "clerk"})),
            ):
                with pytest.raises(NotFoundError):
                    await act
