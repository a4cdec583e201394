"""Runs are found over threads, and nobody finds those of another; chains go on, and are given up."""

from dataclasses import replace

import pytest
from tests.core import sample_graphs as graphs
from tests.core.conftest import OpenServer
from tests.core.services.test_runs import ANN, BOB, run

from longline.auth.access import Action
from longline.auth.principal import SYSTEM, Principal
from longline.errors import ChainMovedOnError, ForbiddenError, NotFoundError
from longline.ids import new_id
from longline.models.chains import ChainHead
from longline.models.filters import EVERYTHING, Filter
from longline.models.json import JsonObject
from longline.models.runs import Run, RunQuery, RunStatus
from longline.services.server import Server

pytestmark = pytest.mark.anyio


async def _chained(server: Server, principal: Principal = ANN) -> Run:
    run_id = new_id()
    made, _ = await run(server, principal, run_id=run_id, chain_id=run_id, keep_thread=True)
    return await server.runs.get(principal, made.thread_id, run_id)


async def test_runs_are_found_over_threads_by_who_may_see_them(open_server: OpenServer) -> None:
    async with open_server({"g": graphs.steps("a")}) as server:
        anns, bobs = await _chained(server), await _chained(server, BOB)
        for principal, own, other in ((ANN, anns, bobs), (BOB, bobs, anns)):
            assert await server.runs.search(principal, RunQuery()) == [own]
            assert await server.runs.count(principal, RunQuery(only_heads=True)) == 1
            assert await server.runs.search(principal, RunQuery(chain_id=other.chain_id)) == []
            assert await server.runs.search(principal, RunQuery(thread_ids=[other.thread_id])) == []
            named = RunQuery(run_ids=[own.run_id, other.run_id])
            assert await server.runs.search(principal, named) == [own]
            assert await server.runs.count(principal, named) == 1
            with pytest.raises(NotFoundError):
                await server.runs.count(principal, RunQuery(thread_id=other.thread_id))
        assert await server.runs.count(SYSTEM, RunQuery()) == 2


async def test_runs_of_others_take_no_place_among_those_that_are_named(open_server: OpenServer) -> None:
    async with open_server({"g": graphs.steps("a")}) as server:
        owns = [await _chained(server), await _chained(server)]
        others = [await _chained(server, BOB) for _ in range(3)]
        named = RunQuery(run_ids=[run.run_id for run in (*owns, *others)], sort_by="position", limit=1)
        assert await server.runs.search(ANN, named) == [owns[1]]
        assert await server.runs.search(ANN, replace(named, offset=1)) == [owns[0]]
        assert await server.runs.count(ANN, named) == 2
        assert await server.runs.search(ANN, RunQuery(run_ids=[])) == []


class Searching:
    """Refuses searches, or names the threads that may be searched."""

    name = "searching"

    def __init__(self, thread_ids: list[str] | None = None) -> None:
        self.thread_ids = thread_ids

    async def decide(self, principal: Principal, action: Action, value: JsonObject) -> Filter:
        if action == Action("threads", "search"):
            if self.thread_ids is None:
                raise ForbiddenError
            value["ids"] = list(self.thread_ids)
        return EVERYTHING


async def test_rules_about_searches_of_threads_hold_for_their_runs(open_server: OpenServer) -> None:
    async with open_server({"g": graphs.steps("a")}) as server:
        first, second = await _chained(server), await _chained(server)
        rules = server.runs._finder._access
        rules._rules = rules._others = (*rules._rules, Searching([first.thread_id]))
        assert await server.runs.search(ANN, RunQuery()) == [first]
        rules._rules = rules._others = (*rules._rules, Searching())
        with pytest.raises(ForbiddenError):
            await server.runs.search(ANN, RunQuery())
        assert await server.runs.search(ANN, RunQuery(run_ids=[second.run_id])) == [second]


async def test_a_caller_may_choose_the_id_of_a_run(open_server: OpenServer) -> None:
    async with open_server({"g": graphs.steps("a")}) as server:
        first = await _chained(server)
        assert first.run_id == first.chain_id
        head = ChainHead(run_id=first.run_id, verdict=None)
        more, _ = await run(server, thread_id=first.thread_id, chain_id=first.chain_id, follows=head)
        assert (more.chain_id, more.run_id == first.run_id) == (first.run_id, False)
        with pytest.raises(ChainMovedOnError):
            await run(server, thread_id=first.thread_id, chain_id=first.chain_id, follows=head)


async def test_what_waits_is_given_up_by_who_may_change_it(open_server: OpenServer) -> None:
    async with open_server({"g": graphs.steps("a")}) as server:
        made = await _chained(server)
        head = ChainHead(run_id=made.run_id, verdict=None)
        with pytest.raises(NotFoundError):
            await server.runs.give_up(BOB, made.thread_id, head)
        assert await server.runs.give_up(ANN, made.thread_id, head)
        assert not await server.runs.give_up(ANN, made.thread_id, head)
        assert (await server.runs.get(ANN, made.thread_id, made.run_id)).status is RunStatus.INTERRUPTED
