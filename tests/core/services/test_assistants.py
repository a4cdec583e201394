"""Assistants as their owners, other users and the server see and change them."""

import uuid

import pytest
from tests.core import sample_graphs as graphs
from tests.core.conftest import OpenServer

from longline.auth.principal import LOCAL, SYSTEM, Principal
from longline.errors import (
    AlreadyExistsError,
    ContextAndConfigurableError,
    ForbiddenError,
    GraphLoadError,
    NotFoundError,
    ProtectedError,
    UnknownAssistantNameError,
    UnknownGraphError,
    VersionNotFoundError,
)
from longline.graphs.definition import GraphDefinition
from longline.ids import graph_assistant_id
from longline.models.assistants import AssistantChange, AssistantQuery
from longline.models.filters import Equals
from longline.services.assistants import NewAssistant

pytestmark = pytest.mark.anyio

ANN, BOB = Principal(identity="ann"), Principal(identity="bob")
GRAPHS = {"g": GraphDefinition(graph_id="g", origin="test", load=lambda: graphs.steps("a"), description="Steps.")}


async def test_every_graph_has_an_assistant_that_nobody_can_delete(open_server: OpenServer) -> None:
    async with open_server(GRAPHS) as server:
        found = await server.assistants.get(ANN, graph_assistant_id("g"))
        assert (found.name, found.graph_id, found.description, found.version) == ("g", "g", "Steps.", 1)
        assert found.metadata == {"created_by": "system"}
        for principal in (LOCAL, ANN, SYSTEM):
            with pytest.raises(ProtectedError):
                await server.assistants.delete(principal, found.assistant_id)
        with pytest.raises(NotFoundError):
            await server.assistants.update(ANN, found.assistant_id, AssistantChange(name="mine"))


async def test_a_new_assistant_is_its_makers_and_nobody_elses(open_server: OpenServer) -> None:
    async with open_server(GRAPHS) as server:
        made = await server.assistants.create(ANN, NewAssistant(graph_id="g"))
        assert (made.name, made.metadata, made.version) == ("Untitled", {"owner": "ann"}, 1)
        assert await server.assistants.get(ANN, made.assistant_id) == made
        assert await server.assistants.resolve(ANN, made.assistant_id.upper()) == made
        for attempt in (
            server.assistants.get(BOB, made.assistant_id),
            server.assistants.resolve(BOB, made.assistant_id),
            server.assistants.update(BOB, made.assistant_id, AssistantChange(name="b")),
            server.assistants.update(BOB, made.assistant_id, AssistantChange(config={})),
            server.assistants.delete(BOB, made.assistant_id),
            server.assistants.set_latest(BOB, made.assistant_id, 1),
            server.assistants.open_graph(BOB, made.assistant_id),
        ):
            with pytest.raises(NotFoundError, match=made.assistant_id):
                await attempt
        assert await server.assistants.versions(BOB, made.assistant_id) == []
        await server.assistants.delete(ANN, made.assistant_id)
        with pytest.raises(NotFoundError):
            await server.assistants.get(ANN, made.assistant_id)


async def test_a_taken_id_is_refused_and_shows_a_stranger_nothing(open_server: OpenServer) -> None:
    async with open_server(GRAPHS) as server:
        made = await server.assistants.create(ANN, NewAssistant(graph_id="g", assistant_id="x", name="Ann's"))
        again = NewAssistant(graph_id="g", assistant_id="x", if_exists="do_nothing", name="new")
        assert await server.assistants.create(ANN, again) == made
        with pytest.raises(AlreadyExistsError):
            await server.assistants.create(ANN, NewAssistant(graph_id="g", assistant_id="x"))
        with pytest.raises(AlreadyExistsError):
            await server.assistants.create(BOB, again)
        assert await server.assistants.get(ANN, "x") == made


async def test_who_took_the_id_of_a_graph_to_come_runs_nothing_of_others(open_server: OpenServer) -> None:
    async with open_server(GRAPHS) as server:
        taken = NewAssistant(graph_id="g", assistant_id=graph_assistant_id("later"), metadata={"created_by": "system"})
        await server.assistants.create(ANN, taken)
    later = GraphDefinition(graph_id="later", origin="test", load=lambda: graphs.steps("a"))
    async with open_server({**GRAPHS, "later": later}) as server:
        assert (await server.assistants.resolve(ANN, "later")).metadata == {"owner": "ann"}
        with pytest.raises(NotFoundError):
            await server.assistants.resolve(BOB, "later")
        assert (await server.assistants.resolve(BOB, "g")).metadata == {"created_by": "system"}


async def test_assistants_are_named_by_uuid_or_graph(open_server: OpenServer) -> None:
    async with open_server(GRAPHS) as server:
        assert (await server.assistants.resolve(ANN, "g")).assistant_id == graph_assistant_id("g")
        with pytest.raises(UnknownAssistantNameError, match=r"invalid assistant 'nope'.*graphs g"):
            await server.assistants.resolve(ANN, "nope")
        with pytest.raises(NotFoundError):
            await server.assistants.resolve(ANN, str(uuid.uuid4()))


async def test_context_and_configurable_stand_for_each_other(open_server: OpenServer) -> None:
    async with open_server(GRAPHS) as server:

        async def make(config: dict | None, context: dict | None):
            made = await server.assistants.create(LOCAL, NewAssistant(graph_id="g", config=config, context=context))
            return made.config, made.context

        assert await make(None, None) == ({}, {})
        assert await make(None, {"a": 1}) == ({"configurable": {"a": 1}}, {"a": 1})
        assert await make({"configurable": {"a": 1}, "tags": ["t"]}, None) == (
            {"configurable": {"a": 1}, "tags": ["t"]},
            {"a": 1},
        )
        assert await make({"configurable": {"a": 1}}, {"a": 1}) == ({"configurable": {"a": 1}}, {"a": 1})
        assert await make({"configurable": "odd"}, None) == ({"configurable": "odd"}, {})
        with pytest.raises(ContextAndConfigurableError):
            await make({"configurable": {"a": 1}}, {"a": 2})


async def test_an_update_writes_a_version_and_an_old_one_can_be_made_current(open_server: OpenServer) -> None:
    async with open_server(GRAPHS) as server:
        made = await server.assistants.create(
            ANN, NewAssistant(graph_id="g", name="one", context={"a": 1}, metadata={"k": 1})
        )
        change = AssistantChange(name="two", context={"b": 2}, metadata={"owner": "bob", "l": 2})
        second = await server.assistants.update(ANN, made.assistant_id, change)
        assert (second.version, second.name, second.context) == (2, "two", {"b": 2})
        assert second.config == {"configurable": {"b": 2}}
        assert second.metadata == {"k": 1, "l": 2, "owner": "ann"}, "nobody gives a thing away by metadata"
        third = await server.assistants.update(ANN, made.assistant_id, AssistantChange(description="d"))
        assert (third.version, third.name, third.description, third.metadata["owner"]) == (3, "two", "d", "ann")
        versions = await server.assistants.versions(ANN, made.assistant_id)
        assert [version.version for version in versions] == [3, 2, 1]
        back = await server.assistants.set_latest(ANN, made.assistant_id, 1)
        assert (back.version, back.name, back.context) == (1, "one", {"a": 1})
        with pytest.raises(VersionNotFoundError):
            await server.assistants.set_latest(ANN, made.assistant_id, 9)


async def test_secrets_are_shown_as_stars_and_kept_when_the_stars_come_back(open_server: OpenServer) -> None:
    async with open_server(GRAPHS) as server:
        config = {"configurable": {"api_key": "sk-1", "model_name": "m"}}
        made = await server.assistants.create(ANN, NewAssistant(graph_id="g", config=config))
        shown = {"api_key": "***", "model_name": "m"}
        assert (made.config, made.context) == ({"configurable": shown}, shown)
        changed = {"configurable": {**shown, "model_name": "n"}}
        updated = await server.assistants.update(ANN, made.assistant_id, AssistantChange(config=changed))
        assert updated.config["configurable"] == {"api_key": "***", "model_name": "n"}
        sealed = await server.assistants.resolve(ANN, made.assistant_id)
        assert "sk-1" not in repr(sealed)
        assert sealed.config["configurable"]["api_key"].startswith("longline-sealed:")
        found = (await server.assistants.versions(ANN, made.assistant_id))[1]
        assert found.config["configurable"] == shown
        page = await server.assistants.search(ANN, AssistantQuery(name="untitled"))
        assert page.items[0].config["configurable"]["api_key"] == "***"


async def test_a_search_finds_what_the_caller_may_see(open_server: OpenServer) -> None:
    async with open_server({**GRAPHS, "h": graphs.steps("a")}) as server:
        for principal, name in ((ANN, "Ann one"), (ANN, "Ann two"), (BOB, "Bob one")):
            await server.assistants.create(principal, NewAssistant(graph_id="g", name=name))

        async def names(principal: Principal, **query: object) -> list[str]:
            page = await server.assistants.search(principal, AssistantQuery(sort_by="name", sort_order="asc", **query))
            assert page.total == len(page.items)
            return [found.name for found in page.items]

        assert await names(ANN) == ["Ann one", "Ann two", "g", "h"]
        assert await names(BOB) == ["Bob one", "g", "h"]
        assert await names(LOCAL) == ["Ann one", "Ann two", "Bob one", "g", "h"]
        assert await names(ANN, name="ONE") == ["Ann one"]
        assert await names(ANN, graph_id="h") == ["h"]
        assert await names(ANN, visible=Equals("owner", "bob")) == []
        assert await names(ANN, metadata=Equals("owner", "bob")) == []


async def test_graphs_that_are_unknown_or_do_not_load_are_refused(open_server: OpenServer) -> None:
    def broken() -> object:
        raise ValueError("no such model")

    definition = GraphDefinition(graph_id="broken", origin="test", load=broken)
    async with open_server({**GRAPHS, "broken": definition}) as server:
        with pytest.raises(UnknownGraphError, match="no graph 'nope'; this server has: broken, g"):
            await server.assistants.create(ANN, NewAssistant(graph_id="nope"))
        made = await server.assistants.create(ANN, NewAssistant(graph_id="g"))
        with pytest.raises(UnknownGraphError):
            await server.assistants.update(ANN, made.assistant_id, AssistantChange(graph_id="nope"))
        with pytest.raises(GraphLoadError, match="ValueError: no such model"):
            async with await server.assistants.open_graph(ANN, "broken"):
                pass
        with pytest.raises(GraphLoadError):
            await server.assistants.create(ANN, NewAssistant(graph_id="broken"))


async def test_an_assistants_graph_can_be_looked_at(open_server: OpenServer) -> None:
    async with open_server(GRAPHS) as server:
        made = await server.assistants.create(ANN, NewAssistant(graph_id="g", context={"lang": "fr"}))
        async with await server.assistants.open_graph(ANN, made.assistant_id) as (graph, config, _):
            assert set(graph.get_graph().nodes) == {"__start__", "a", "__end__"}
            assert config["configurable"]["lang"] == "fr"
            assert config["configurable"]["assistant_id"] == made.assistant_id


async def test_an_access_rule_that_refuses_is_heard_everywhere(
    open_server: OpenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_server(GRAPHS) as server:
        monkeypatch.setattr(server.assistants._access, "_rules", (Refuses(),))
        for attempt in (
            server.assistants.create(ANN, NewAssistant(graph_id="g")),
            server.assistants.get(ANN, "x"),
            server.assistants.search(ANN, AssistantQuery()),
            server.assistants.update(ANN, "x", AssistantChange()),
            server.assistants.delete(ANN, "x"),
            server.assistants.versions(ANN, "x"),
            server.assistants.set_latest(ANN, "x", 1),
            server.assistants.resolve(ANN, OTHER_ID),
            server.assistants.open_graph(ANN, "g"),
        ):
            with pytest.raises(ForbiddenError, match="closed"):
                await attempt
        # whoever may create runs may run a graph: rules are asked about the run
        assert (await server.assistants.resolve(ANN, "g")).graph_id == "g"
        assert (await server.assistants.get(SYSTEM, graph_assistant_id("g"))).name == "g"


OTHER_ID = "6d9d9b0e-1f5c-4b53-9b3e-0a4f1d1f0a11"


class Refuses:
    name = "refuses"

    async def decide(self, principal, action, value):
        raise ForbiddenError("closed")


async def test_an_assistants_values_name_no_other_caller_to_a_factory(open_server: OpenServer) -> None:
    seen: list[dict] = []

    def factory(config: dict) -> object:
        seen.append(config)
        return graphs.steps("a")

    spoofed = {"langgraph_auth_user": {"identity": "root"}, "user_id": "root", "__x": 1, "lang": "fr"}
    async with open_server({"g": factory}) as server:
        for principal, user in ((ANN, "ann"), (LOCAL, None)):
            new = NewAssistant(graph_id="g", config={"configurable": spoofed, "callbacks": ["x"], "tags": ["t"]})
            made = await server.assistants.create(principal, new)
            seen.clear()
            async with await server.assistants.open_graph(principal, made.assistant_id):
                (config,) = seen
            values = config["configurable"]
            assert (values["lang"], values.get("user_id"), "__x" in values) == ("fr", user, False)
            assert (values.get("langgraph_auth_user") or {}).get("identity") == user
            assert (config["tags"], "callbacks" in config) == (["t"], False)
