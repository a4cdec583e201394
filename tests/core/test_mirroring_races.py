"""What changes while it is read is mirrored as it is in the end; nothing that was once asked stays true for ever."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.core.agent_source import NAME, PLUGIN, Shelf, agent, id_of, serving
from tests.core.conftest import InstallPlugin

from longline.auth.principal import LOCAL, Principal
from longline.errors import BrokenAgentError, NotFoundError
from longline.services.run_requests import RunRequest
from longline.services.server import Server
from longline.services.sources import SyncTimes

pytestmark = pytest.mark.anyio
MEMBER = Principal(identity="ann", organizations=("a",))
STRANGER = Principal(identity="bob", organizations=("b",))
OpenShelf = Callable[..., AbstractAsyncContextManager[Server]]


@pytest.fixture
def open_shelf(install_plugin: InstallPlugin, tmp_path: Path) -> OpenShelf:
    module = __import__(install_plugin("shelf", PLUGIN))
    return lambda shelf: serving(module, shelf, tmp_path)


async def prompt(server: Server, key: str, principal: Principal = LOCAL) -> object:
    config = (await server.assistants.get(principal, id_of(key))).config["configurable"]
    return config["system_prompt"] if isinstance(config, dict) else None


async def until(server: Server, key: str, wanted: str) -> None:
    async with asyncio.timeout(20):
        while await prompt(server, key) != wanted:
            await asyncio.sleep(0.01)


async def test_a_change_after_an_agent_was_read_and_before_it_was_stored_is_not_lost(open_shelf: OpenShelf) -> None:
    shelf = Shelf(agent("clerk"))
    shelf.is_listed = False
    async with open_shelf(shelf) as server:
        await server.mirrors.sync(LOCAL, NAME, "clerk")
        shelf.late = asyncio.Event()
        use = asyncio.create_task(server.mirrors.sync(LOCAL, NAME, "clerk"))
        await shelf.until_read()
        shelf.change("clerk", "Be brief.")
        follow = asyncio.create_task(server.mirrors.listings.follow(server.mirrors.sources[NAME], ["clerk"]))
        await asyncio.sleep(0)
        shelf.late.set()
        await asyncio.gather(use, follow)
        assert await prompt(server, "clerk") == "Be brief."


async def test_a_listing_does_not_undo_a_change_that_came_while_it_was_read(open_shelf: OpenShelf) -> None:
    shelf = Shelf(agent("clerk"), agent("cook"))
    async with open_shelf(shelf) as server:
        source = server.mirrors.sources[NAME]
        shelf.late = asyncio.Event()
        listing = asyncio.create_task(server.mirrors.listings.list(source))
        await shelf.until_read()
        late, shelf.late = shelf.late, None
        shelf.change("clerk", "Be brief.")
        await server.mirrors.listings.follow(source, ["clerk"])
        late.set()
        await listing
        assert await prompt(server, "clerk") == "Be brief."
        assert await prompt(server, "cook") == "Be kind."


async def test_an_agent_that_was_missing_is_found_as_soon_as_it_is_there(open_shelf: OpenShelf) -> None:
    shelf = Shelf()
    shelf.is_listed = False
    shelf.agents = {"gone": agent("gone")}
    kept = shelf.agents.pop("gone")
    async with open_shelf(shelf) as server:
        with pytest.raises(NotFoundError):
            await server.runs.create(LOCAL, RunRequest(assistant=id_of("gone")))
        shelf.agents["gone"] = kept
        await server.mirrors.listings.follow(server.mirrors.sources[NAME], ["gone"])
        assert (await server.runs.create(LOCAL, RunRequest(assistant=id_of("gone")))).assistant_id == id_of("gone")


@pytest.mark.parametrize("is_listed", [True, False])
async def test_mirrors_out_of_the_scope_are_compared_too(open_shelf: OpenShelf, is_listed: bool) -> None:
    shelf = Shelf(agent("clerk", group="b"), agent("cook", group="b"))
    shelf.is_listed, shelf.times = is_listed, SyncTimes(reconcile_seconds=0.05)
    async with open_shelf(shelf) as server:
        for key in ("clerk", "cook"):
            await server.mirrors.sync(LOCAL, NAME, key)
        shelf.change("clerk", "Be brief.")
        del shelf.agents["cook"]
        await until(server, "clerk", "Be brief.")
        with pytest.raises(NotFoundError):
            await server.assistants.get(LOCAL, id_of("cook"))


@pytest.mark.parametrize("is_listed", [True, False])
async def test_an_agent_that_moves_is_not_seen_any_more_where_it_was(open_shelf: OpenShelf, is_listed: bool) -> None:
    shelf = Shelf(agent("clerk"))
    shelf.is_listed, shelf.times = is_listed, SyncTimes(reconcile_seconds=0.05)
    async with open_shelf(shelf) as server:
        await server.mirrors.sync(MEMBER, NAME, "clerk")
        shelf.agents["clerk"] = agent("clerk", group="b")
        async with asyncio.timeout(20):
            while (await server.assistants.get(LOCAL, id_of("clerk"))).metadata["group"] != "b":
                await asyncio.sleep(0.01)
        with pytest.raises(NotFoundError):
            await server.assistants.get(MEMBER, id_of("clerk"))
        assert await prompt(server, "clerk", STRANGER) == "Be kind."


async def test_a_broken_agent_looks_like_none_to_others(open_shelf: OpenShelf) -> None:
    shelf = Shelf(replace(agent("clerk"), graph_id="none such"))
    shelf.is_listed = False
    async with open_shelf(shelf) as server:
        for act in (
            lambda who: server.mirrors.sync(who, NAME, "clerk"),
            lambda who: server.runs.create(who, RunRequest(assistant=id_of("clerk"))),
        ):
            with pytest.raises(BrokenAgentError, match="none such"):
                await act(MEMBER)
            with pytest.raises(NotFoundError):
                await act(STRANGER)


async def test_many_changes_at_once_make_few_questions(open_shelf: OpenShelf) -> None:
    keys = [f"agent {number}" for number in range(300)]
    shelf = Shelf(*(agent(key) for key in keys))
    async with open_shelf(shelf) as server:
        asked = shelf.somes
        for key in keys:
            shelf.change(key, "Be brief.")
            shelf.queue.put_nowait(key)
        await until(server, keys[-1], "Be brief.")
        assert [await prompt(server, key) for key in keys] == ["Be brief."] * 300
        assert (shelf.somes - asked, shelf.gets) == (1, [])
