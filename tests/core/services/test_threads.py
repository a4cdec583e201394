"""Threads as their owners and other users see and change them, with their state and history."""

import orjson
import pytest
from tests.core import sample_graphs as graphs
from tests.core.conftest import OpenServer

from longline.auth.principal import LOCAL, Principal
from longline.errors import (
    AlreadyExistsError,
    InvalidInputError,
    NotFoundError,
    ThreadBusyError,
    ThreadWithoutGraphError,
)
from longline.models.filters import EVERYTHING, Equals
from longline.models.threads import ThreadQuery, ThreadStatus
from longline.services.run_requests import RunRequest
from longline.services.server import Server
from longline.services.threads import HistoryQuery, StateUpdate

pytestmark = pytest.mark.anyio

ANN, BOB = Principal(identity="ann"), Principal(identity="bob")


async def run(server: Server, thread_id: str, *, principal: Principal = ANN, graph_id: str = "g", **fields: object):
    request = RunRequest(assistant=graph_id, thread_id=thread_id, **{"input": {"n": 0}, **fields})
    run, reader = await server.runs.watch(principal, request)
    with reader:
        end = await reader.wait_for_end(20)
    assert end is not None
    return run, end


def notes(state) -> list[str]:
    return state.values.get("notes", [])


async def test_a_new_thread_is_its_makers_and_nobody_elses(open_server: OpenServer) -> None:
    async with open_server({"g": graphs.steps("a")}) as server:
        made = await server.threads.create(ANN, metadata={"k": 1, "owner": "bob"})
        assert made.metadata == {"k": 1, "owner": "ann"}
        assert await server.threads.get(ANN, made.thread_id) == made
        for attempt in (
            server.threads.get(BOB, made.thread_id),
            server.threads.update(BOB, made.thread_id, metadata={"x": 1}),
            server.threads.delete(BOB, made.thread_id),
            server.threads.copy(BOB, made.thread_id),
            server.threads.state(BOB, made.thread_id),
            server.threads.history(BOB, made.thread_id, HistoryQuery()),
            server.threads.update_state(BOB, made.thread_id, values={"notes": ["x"]}),
            server.threads.footprint(BOB, made.thread_id),
        ):
            with pytest.raises(NotFoundError, match=made.thread_id):
                await attempt
        assert await server.threads.get(ANN, made.thread_id) == made
        page = await server.threads.search(BOB, ThreadQuery())
        assert (page.items, page.total) == ([], 0)
        assert (await server.threads.search(ANN, ThreadQuery())).items == [made]


async def test_a_taken_id_is_refused_and_shows_a_stranger_nothing(open_server: OpenServer) -> None:
    async with open_server() as server:
        made = await server.threads.create(ANN, thread_id="t", metadata={"k": 1})
        assert await server.threads.create(ANN, thread_id="t", if_exists="do_nothing") == made
        for principal, if_exists in ((ANN, "raise"), (BOB, "raise"), (BOB, "do_nothing")):
            with pytest.raises(AlreadyExistsError):
                await server.threads.create(principal, thread_id="t", if_exists=if_exists)


async def test_metadata_is_merged_and_nobody_gives_a_thread_away(open_server: OpenServer) -> None:
    async with open_server() as server:
        made = await server.threads.create(ANN, metadata={"k": 1})
        updated = await server.threads.update(ANN, made.thread_id, metadata={"l": 2, "owner": "bob"})
        assert updated.metadata == {"k": 1, "l": 2, "owner": "ann"}


async def test_a_thread_without_a_run_has_no_state_and_takes_none(open_server: OpenServer) -> None:
    async with open_server({"g": graphs.steps("a")}) as server:
        made = await server.threads.create(ANN)
        assert await server.threads.state(ANN, made.thread_id) is None
        assert await server.threads.history(ANN, made.thread_id, HistoryQuery(limit=5)) == []
        with pytest.raises(ThreadWithoutGraphError, match=r"metadata\.graph_id"):
            await server.threads.update_state(ANN, made.thread_id, values={})
        assert (await server.threads.footprint(ANN, made.thread_id)).checkpoint_count == 0


async def test_state_and_history_are_read_at_any_checkpoint(open_server: OpenServer) -> None:
    async with open_server({"g": graphs.steps("a", "b")}) as server:
        thread = await server.threads.create(ANN)
        await run(server, thread.thread_id)
        state = await server.threads.state(ANN, thread.thread_id)
        assert (notes(state), state.next) == (["a", "b"], ())
        history = await server.threads.history(ANN, thread.thread_id, HistoryQuery(limit=10))
        assert [notes(step) for step in history] == [["a", "b"], ["a"], [], []]
        assert len(await server.threads.history(ANN, thread.thread_id, HistoryQuery())) == 1
        middle = history[1].config["configurable"]
        place = {"checkpoint_id": middle["checkpoint_id"], "thread_id": "another"}
        at = await server.threads.state(ANN, thread.thread_id, checkpoint=place)
        assert (notes(at), at.next) == (["a"], ("b",))
        before = await server.threads.history(ANN, thread.thread_id, HistoryQuery(limit=9, before=middle))
        assert [notes(step) for step in before] == [[], []]
        from_input = HistoryQuery(limit=9, metadata={"source": "input"})
        assert len(await server.threads.history(ANN, thread.thread_id, from_input)) == 1


async def test_an_updated_state_is_what_the_thread_shows_and_the_next_run_sees(open_server: OpenServer) -> None:
    async with open_server({"g": graphs.steps("a", "b")}) as server:
        thread = await server.threads.create(ANN)
        await run(server, thread.thread_id, interrupt_before=["b"])
        configurable = await server.threads.update_state(ANN, thread.thread_id, values={"notes": ["x"]}, as_node="a")
        assert configurable["thread_id"] == thread.thread_id
        found = await server.threads.get(ANN, thread.thread_id)
        assert (orjson.loads(found.values)["notes"], found.status) == (["a", "x"], ThreadStatus.INTERRUPTED)
        await run(server, thread.thread_id, input=None)
        assert notes(await server.threads.state(ANN, thread.thread_id)) == ["a", "x", "b"]


@pytest.mark.parametrize(
    ("values", "as_node", "message"),
    [({"notes": ["x"]}, "zz", "zz"), ("not an object", "a", "not an object|Expected dict"), ([1, 2], "a", "Expected")],
)
async def test_an_update_that_does_not_fit_is_refused_and_changes_nothing(
    open_server: OpenServer, values: object, as_node: str, message: str
) -> None:
    async with open_server({"g": graphs.steps("a", "b")}) as server:
        thread = await server.threads.create(ANN)
        await run(server, thread.thread_id)
        before = await server.threads.get(ANN, thread.thread_id)
        with pytest.raises(InvalidInputError, match=message):
            await server.threads.update_state(ANN, thread.thread_id, values=values, as_node=as_node)
        assert await server.threads.get(ANN, thread.thread_id) == before


async def test_while_a_run_is_unfinished_the_state_is_not_updated(open_server: OpenServer) -> None:
    async with open_server({"g": graphs.steps("a")}) as server:
        thread = await server.threads.create(ANN)
        await run(server, thread.thread_id)
        await server.runs.create(ANN, RunRequest(assistant="g", thread_id=thread.thread_id, after_seconds=600))
        with pytest.raises(ThreadBusyError):
            await server.threads.update_state(ANN, thread.thread_id, values={"notes": ["x"]})


async def test_supersteps_make_a_history_without_a_run(open_server: OpenServer) -> None:
    async with open_server({"g": graphs.steps("a", "b")}) as server:
        steps = [
            [StateUpdate(values={"notes": ["in"]}, as_node="__start__")],
            [StateUpdate(values=None, as_node="a", command={"update": {"notes": ["a!"]}})],
        ]
        made = await server.threads.create(ANN, metadata={"graph_id": "g"}, supersteps=steps)
        assert (orjson.loads(made.values)["notes"], made.status) == (["in", "a!"], ThreadStatus.INTERRUPTED)
        assert (await server.threads.state(ANN, made.thread_id)).next == ("b",)


async def test_supersteps_that_do_not_fit_are_refused(open_server: OpenServer) -> None:
    async with open_server({"g": graphs.steps("a")}) as server:
        wrong = [[StateUpdate(values={"notes": ["x"]}, as_node="zz")]]
        with pytest.raises(InvalidInputError, match="zz"):
            await server.threads.create(ANN, thread_id="t", metadata={"graph_id": "g"}, supersteps=wrong)
        with pytest.raises(ThreadWithoutGraphError):
            await server.threads.create(ANN, thread_id="u", supersteps=wrong)


async def test_a_copy_has_its_own_history_from_there_on(open_server: OpenServer) -> None:
    async with open_server({"g": graphs.steps("a")}) as server:
        thread = await server.threads.create(ANN, metadata={"k": 1})
        await run(server, thread.thread_id)
        copied = await server.threads.copy(ANN, thread.thread_id)
        assert copied.thread_id != thread.thread_id
        assert copied.metadata["k"] == 1
        await run(server, copied.thread_id)
        assert notes(await server.threads.state(ANN, copied.thread_id)) == ["a", "a"]
        assert notes(await server.threads.state(ANN, thread.thread_id)) == ["a"]


async def test_a_deleted_thread_is_gone_with_its_runs(open_server: OpenServer) -> None:
    async with open_server({"g": graphs.steps("a")}) as server:
        thread = await server.threads.create(ANN)
        done, _ = await run(server, thread.thread_id)
        await server.threads.delete(ANN, thread.thread_id)
        for attempt in (
            server.threads.get(ANN, thread.thread_id),
            server.runs.get(ANN, thread.thread_id, done.run_id),
            server.threads.delete(ANN, thread.thread_id),
        ):
            with pytest.raises(NotFoundError):
                await attempt


async def test_the_state_of_a_graph_in_a_graph_is_read_too(open_server: OpenServer) -> None:
    async with open_server({"g": graphs.nested()}) as server:
        thread = await server.threads.create(LOCAL)
        await run(server, thread.thread_id, principal=LOCAL, interrupt_before=["child"])
        state = await server.threads.state(LOCAL, thread.thread_id, subgraphs=True)
        assert state.next == ("child",)


async def test_the_footprint_counts_checkpoints_and_every_version_of_a_channel_once(open_server: OpenServer) -> None:
    async with open_server({"g": graphs.steps("a", "b")}) as server:
        thread = await server.threads.create(ANN)
        await run(server, thread.thread_id)
        footprint = await server.threads.footprint(ANN, thread.thread_id)
        assert footprint.checkpoint_count == 4
        assert footprint.checkpoint_bytes > 0
        assert footprint.write_count > 0
        assert footprint.channels["notes"].versions == 2
        assert footprint.channels["notes"].size_bytes > 0


async def test_who_waits_for_a_waiting_run_is_told_when_its_thread_is_deleted(open_server: OpenServer) -> None:
    async with open_server({"g": graphs.steps("a")}) as server:
        thread = await server.threads.create(ANN)
        request = RunRequest(assistant="g", thread_id=thread.thread_id, input={"n": 0}, after_seconds=600)
        _, reader = await server.runs.watch(ANN, request)
        with reader:
            await server.threads.delete(ANN, thread.thread_id)
            end = await reader.wait_for_end(5)
        assert end is not None
        assert end.status is None


class ByVerb:
    """Stamps what is created with the verb's stamp; shows for updates less than for reads."""

    name = "by_verb"

    async def decide(self, principal, action, value):
        if action.verb == "create":
            value["metadata"]["stamped_for"] = principal.identity
        return Equals("editor", principal.identity) if action.verb == "update" else EVERYTHING


async def test_the_rules_for_updates_decide_whose_state_may_be_updated(
    open_server: OpenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_server({"g": graphs.steps("a")}) as server:
        monkeypatch.setattr(server.threads._access, "_rules", (ByVerb(),))
        thread = await server.threads.create(ANN, metadata={"editor": "bob", "graph_id": "g"})
        assert await server.threads.get(ANN, thread.thread_id) == thread
        with pytest.raises(NotFoundError):
            await server.threads.update_state(ANN, thread.thread_id, values={"notes": ["x"]}, as_node="a")
        await server.threads.update_state(BOB, thread.thread_id, values={"notes": ["x"]}, as_node="a")


async def test_a_copy_is_stamped_as_a_new_thread_of_who_copies(
    open_server: OpenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_server() as server:
        monkeypatch.setattr(server.threads._access, "_rules", (ByVerb(),))
        thread = await server.threads.create(ANN, metadata={"k": 1})
        copied = await server.threads.copy(BOB, thread.thread_id)
        assert copied.metadata == {"k": 1, "stamped_for": "bob"}
        assert await server.threads.get(BOB, copied.thread_id) == copied
        assert (await server.threads.get(ANN, thread.thread_id)).metadata["stamped_for"] == "ann"


async def test_factories_learn_who_reads_and_updates_a_state_where_callers_are_known(open_server: OpenServer) -> None:
    seen: list[dict] = []

    def factory(config: dict) -> object:
        seen.append(config["configurable"])
        return graphs.steps("a")

    async with open_server({"g": factory}) as server:
        for principal in (ANN, LOCAL):
            thread = await server.threads.create(principal, metadata={"graph_id": "g"})
            seen.clear()
            place = await server.threads.update_state(principal, thread.thread_id, values={"notes": ["x"]}, as_node="a")
            await server.threads.state(principal, thread.thread_id)
            assert set(place) <= {"thread_id", "checkpoint_ns", "checkpoint_id", "checkpoint_map"}
            assert len(seen) == 2
            for values in seen:
                if principal is LOCAL:
                    assert not {"user_id", "langgraph_auth_user", "langgraph_auth_user_id"} & set(values)
                else:
                    assert values["langgraph_auth_user"]["identity"] == values["user_id"] == "ann"
                    assert (values["langgraph_auth_user_id"], values["langgraph_auth_permissions"]) == ("ann", [])
