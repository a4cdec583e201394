"""Callers, and agents of others, that want what is not theirs: neither gets it, or learns that it is there."""

import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.core.agent_source import NAME, PLUGIN, GroupRule, Shelf, agent, id_of, runtime_of, serving
from tests.core.conftest import InstallPlugin

from longline.auth.principal import LOCAL, Principal
from longline.errors import BrokenAgentError, FilterTooWideError, LonglineError, NotFoundError
from longline.graphs.registry import GraphRegistry
from longline.ids import graph_assistant_id
from longline.models.assistants import AssistantChange
from longline.models.json import JsonObject, as_object
from longline.services.assistants import NewAssistant
from longline.services.mirror_store import MirrorStore
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


@pytest.fixture
def shelf() -> Shelf:
    """Everything is asked for, and again by every use."""
    shelf = Shelf(agent("clerk"))
    shelf.is_listed = False
    shelf.times = SyncTimes(fresh_seconds=0)
    return shelf


def run_of(key: str) -> RunRequest:
    return RunRequest(assistant=id_of(key), input={"n": 1})


def referring(key: str) -> NewAssistant:
    return NewAssistant(graph_id="steps", metadata={"agent": key})


class TestGraphs:
    async def test_an_agent_never_takes_the_place_of_a_graphs_own_assistant(
        self, open_shelf: OpenShelf, shelf: Shelf
    ) -> None:
        own = graph_assistant_id("steps")
        shelf.agents["clerk"] = replace(agent("clerk", group="b"), assistant_id=own)
        shelf.id_of = lambda key: own  # type: ignore[method-assign]  # who writes agents chooses their ids
        async with open_shelf(shelf) as server:
            with pytest.raises(BrokenAgentError, match="graph's own"):
                await server.mirrors.sync(STRANGER, NAME, "clerk")
            found = await server.assistants.resolve(MEMBER, "steps")
            assert (found.name, found.config) == ("steps", {})

    async def test_an_agent_that_had_the_id_before_the_graph_is_run_by_its_members_only(
        self, install_plugin: InstallPlugin, tmp_path: Path, shelf: Shelf
    ) -> None:
        module = __import__(install_plugin("shelf", PLUGIN))
        shelf.agents["clerk"] = replace(agent("clerk", group="b"), assistant_id=graph_assistant_id("later"))
        shelf.id_of = lambda key: graph_assistant_id("later")  # type: ignore[method-assign]  # as above
        async with serving(module, shelf, tmp_path) as server:
            assert (await server.mirrors.sync(STRANGER, NAME, "clerk")).action == "created"
        runtime = runtime_of(module, shelf, tmp_path)
        steps_graph = runtime.graphs.definition("steps")
        runtime.graphs = GraphRegistry({"steps": steps_graph, "later": replace(steps_graph, graph_id="later")})
        async with runtime.open() as running:
            with pytest.raises(NotFoundError):
                await running.server.assistants.resolve(MEMBER, "later")


class TestStrangers:
    """What is told of another's agent is what is told of one that is not there."""

    async def told(self, server: Server, key: str) -> list[str]:
        said: list[str] = []
        for act in (
            server.mirrors.sync(STRANGER, NAME, key),
            server.assistants.create(STRANGER, referring(key)),
            server.runs.create(STRANGER, run_of(key)),
        ):
            try:
                await act
            except LonglineError as error:
                said.append(f"{type(error).__name__}: {error}".replace(key, "KEY").replace(id_of(key), "ID"))
            else:
                said.append("done")
        return said

    async def test_of_a_broken_one(self, open_shelf: OpenShelf, shelf: Shelf) -> None:
        shelf.agents["clerk"] = agent("clerk", graph="none such")
        async with open_shelf(shelf) as server:
            assert await self.told(server, "clerk") == await self.told(server, "gone")
            for act in (server.mirrors.sync(MEMBER, NAME, "clerk"), server.runs.create(MEMBER, run_of("clerk"))):
                with pytest.raises(BrokenAgentError, match="none such"):
                    await act
            made = await server.assistants.create(MEMBER, referring("clerk"))
            assert "none such" in str(made.metadata["sync_error"])

    async def test_of_one_that_cannot_be_stored(self, open_shelf: OpenShelf, shelf: Shelf) -> None:
        shelf.agents["clerk"] = replace(agent("clerk"), config={"configurable": {"system_prompt": "\ud800"}})
        async with open_shelf(shelf) as server:
            assert await self.told(server, "clerk") == await self.told(server, "gone")
            for act in (server.mirrors.sync(MEMBER, NAME, "clerk"), server.runs.create(MEMBER, run_of("clerk"))):
                with pytest.raises(BrokenAgentError, match="cannot be stored"):
                    await act

    async def test_of_one_that_the_storage_refuses(
        self, open_shelf: OpenShelf, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with open_shelf(shelf) as server:
            error = FilterTooWideError()

            async def refuse(*_: object) -> None:
                raise error

            monkeypatch.setattr(MirrorStore, "put", refuse)
            assert await self.told(server, "clerk") == await self.told(server, "gone")
            with pytest.raises(BrokenAgentError, match=re.escape(str(error))):
                await server.mirrors.sync(MEMBER, NAME, "clerk")

    async def test_of_one_of_which_nobody_knows_whose_it_is(
        self, open_shelf: OpenShelf, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also where another rule than the one about owners decides."""
        monkeypatch.setattr(GroupRule, "overrides", lambda self, action: True, raising=False)
        shelf.faults = [SourceFault("clerk", "it is broken")]
        async with open_shelf(shelf) as server:
            assert await self.told(server, "clerk") == await self.told(server, "gone")
            with pytest.raises(BrokenAgentError, match="it is broken"):
                await server.mirrors.sync(LOCAL, NAME, "clerk")

    async def test_of_one_that_broke_after_it_was_mirrored(self, open_shelf: OpenShelf, shelf: Shelf) -> None:
        async with open_shelf(shelf) as server:
            await server.mirrors.sync(MEMBER, NAME, "clerk")
            shelf.agents["clerk"] = agent("clerk", graph="none such")
            assert await self.told(server, "clerk") == await self.told(server, "gone")
            await server.runs.create(MEMBER, run_of("clerk"))
            assert (await server.assistants.create(MEMBER, referring("clerk"))).assistant_id == id_of("clerk")

    async def test_of_one_whose_source_is_away(self, open_shelf: OpenShelf, shelf: Shelf) -> None:
        async with open_shelf(shelf) as server:
            await server.mirrors.sync(MEMBER, NAME, "clerk")
            shelf.away = "nobody listens"
            assert await self.told(server, "clerk") == await self.told(server, "gone")

    async def test_of_one_that_an_assistant_of_theirs_says_it_waits_for(
        self, open_shelf: OpenShelf, shelf: Shelf
    ) -> None:
        async with open_shelf(shelf) as server:
            for key in ("clerk", "gone"):
                forged: JsonObject = {"agent": key, "sync_error": "made up"}
                made = await server.assistants.create(STRANGER, NewAssistant(graph_id="steps"))
                await server.assistants.update(STRANGER, made.assistant_id, AssistantChange(metadata=forged))
                run = await server.runs.create(STRANGER, RunRequest(assistant=made.assistant_id, input={"n": 1}))
                assert run.assistant_id == made.assistant_id


class TestFixed:
    """What a source says of whose an agent is no run says differently, nor says where it says nothing."""

    @pytest.mark.parametrize("said", [{"config": {"configurable": {"group": "x"}}}, {"context": {"group": "x"}}])
    @pytest.mark.parametrize("has_group", [True, False])
    async def test_of_a_mirror(self, open_shelf: OpenShelf, shelf: Shelf, said: JsonObject, has_group: bool) -> None:
        own: JsonObject = {"system_prompt": "Be kind.", **({"group": "a"} if has_group else {})}
        shelf.agents["clerk"] = replace(agent("clerk"), config={"configurable": own})
        async with open_shelf(shelf) as server:
            run = await server.runs.create(MEMBER, replace(run_of("clerk"), headers={"group": "x"}, **said))  # type: ignore[arg-type]  # of its fields
            configurable = as_object(run.spec.config["configurable"])
            assert configurable.get("group") == (run.spec.context or {}).get("group") == own.get("group")

    async def test_of_what_callers_make_they_say_it(self, open_shelf: OpenShelf, shelf: Shelf) -> None:
        async with open_shelf(shelf) as server:
            new = NewAssistant(graph_id="steps", config={"configurable": {"group": "a"}})
            made = await server.assistants.create(STRANGER, new)
            asked = RunRequest(assistant=made.assistant_id, config={"configurable": {"group": "x"}})
            run = await server.runs.create(STRANGER, asked)
            assert as_object(run.spec.config["configurable"])["group"] == "x"


class TestTakenIds:
    async def test_a_member_runs_an_agent_whose_id_a_stranger_took(self, open_shelf: OpenShelf, shelf: Shelf) -> None:
        async with open_shelf(shelf) as server:
            await server.assistants.create(STRANGER, NewAssistant(graph_id="steps", assistant_id=id_of("clerk")))
            await server.runs.create(MEMBER, run_of("clerk"))
            assert (await server.assistants.get(MEMBER, id_of("clerk"))).name == "Clerk"

    async def test_whatever_stands_in_its_metadata_the_listing_comes_to_its_end(
        self, open_shelf: OpenShelf, shelf: Shelf
    ) -> None:
        bomb: JsonObject = {"synced_at": [{"n": number} for number in range(2_000)], "withdrawn_at": "now"}
        async with open_shelf(shelf) as server:
            taken = NewAssistant(graph_id="steps", assistant_id=id_of("clerk"), metadata=bomb)
            await server.assistants.create(STRANGER, taken)
        shelf.is_listed = True
        async with open_shelf(shelf) as server:
            assert server.mirrors.listings.report(NAME).counts.updated == 1
            assert (await server.assistants.get(MEMBER, id_of("clerk"))).name == "Clerk"


class TestVersions:
    async def test_those_of_its_former_owners_are_not_shown(self, open_shelf: OpenShelf, shelf: Shelf) -> None:
        async with open_shelf(shelf) as server:
            await server.mirrors.sync(MEMBER, NAME, "clerk")
            shelf.agents["clerk"] = agent("clerk", "Be new.", group="b")
            await server.mirrors.sync(STRANGER, NAME, "clerk")
            found = await server.assistants.versions(STRANGER, id_of("clerk"))
            assert [one.config for one in found] == [{"configurable": {"system_prompt": "Be new."}}]
            assert await server.assistants.versions(MEMBER, id_of("clerk")) == []
            assert len(await server.assistants.versions(LOCAL, id_of("clerk"))) == 2
