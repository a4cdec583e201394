"""Who gets which card, and how strangers are told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from a2a.compat.v0_3 import types as old_types
from tests.core import conftest as core
from tests.core.agent_source import PLUGIN, Shelf, agent, id_of, runtime_of
from tests.plugins.protocol_a2a.edge import CARD, CHAT_ID, GUARDED, OLD_CARD, bearing, call, serve_agents
from tests.plugins.protocol_langgraph.graphs import chat

from longline.asgi.mount import PRINCIPAL, ProtocolMount
from longline.auth.principal import ANONYMOUS, LOCAL, Principal
from longline.graphs.definition import GraphDefinition
from longline.graphs.registry import GraphRegistry
from longline.runtime import Runtime
from longline.testing.protocol import ProtocolContract
from longline_protocol_a2a.app import build_mounts
from longline_protocol_a2a.cards import CardMaker, with_old_fields
from longline_protocol_a2a.security import schemes_of
from longline_protocol_a2a.settings import A2aSettings

pytestmark = pytest.mark.anyio
InstallPlugin = core.InstallPlugin
install_plugin = core.install_plugin


async def test_strangers_are_asked_for_credentials_in_the_form_of_the_binding(tmp_path: Path) -> None:
    async with serve_agents(tmp_path, others=GUARDED) as (_, http):
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic YTpi"}):
            rpc = await http.post("/a2a/chat", json=call("message/send"), headers=headers)
            assert (rpc.status_code, rpc.json()["jsonrpc"], rpc.json()["error"]["code"]) == (401, "2.0", -32000)
            others = [
                await http.post("/a2a/chat/message:send", json={}, headers=headers),
                await http.get(f"/a2a/chat{CARD}", headers=headers),
                await http.get(f"/a2a/nope{CARD}", headers=headers),
                await http.get(f"{CARD}?assistant_id=chat", headers=headers),
                await http.get(OLD_CARD, headers=headers),
            ]
            assert [(one.status_code, one.json()["error"]["status"]) for one in others] == [
                (401, "UNAUTHENTICATED")
            ] * 5
            assert {one.headers["www-authenticate"] for one in (rpc, *others)} == {"Bearer"}


async def test_the_card_says_how_callers_show_who_they_are(tmp_path: Path) -> None:
    async with serve_agents(tmp_path, others=GUARDED) as (_, http):
        answer = await http.get(f"/a2a/chat{CARD}", headers=bearing("anna"))
        card = answer.json()
    scheme = card["securitySchemes"]["bearer"]
    assert scheme["httpAuthSecurityScheme"] == {"scheme": "Bearer", "bearerFormat": "JWT"}
    assert (scheme["type"], scheme["scheme"], card["security"]) == ("http", "Bearer", [{"bearer": []}])
    assert card["securityRequirements"] == [{"schemes": {"bearer": {"list": []}}}]
    assert card["capabilities"]["extendedAgentCard"] is True
    assert len(card["skills"]) == 1
    assert answer.headers["cache-control"] == "private, max-age=60"


async def test_the_card_names_the_issuers_whose_tokens_are_taken(tmp_path: Path) -> None:
    issuers = ["https://one.example/", "http://plain.example", "https://two.example/auth"]
    async with serve_agents(tmp_path, others=GUARDED) as (served, _):
        schemes = schemes_of(replace(served.server, token_issuers=issuers))
        assert list(schemes) == ["bearer", "oidc", "oidc2"]
        place = "https://two.example/auth/.well-known/openid-configuration"
        assert schemes["oidc2"] == {"openIdConnectSecurityScheme": {"openIdConnectUrl": place}}
        settings = A2aSettings.model_validate({})
        (assistant,) = [await served.server.assistants.resolve(LOCAL, "chat")]
        card = with_old_fields(CardMaker(settings=settings, schemes=schemes).card(assistant, "https://agents.example"))
        old = old_types.AgentCard.model_validate(card)
        assert old.security == [{"bearer": []}, {"oidc": []}, {"oidc2": []}]
        assert schemes_of(replace(served.server, token_issuers=issuers, is_authenticated=False)) == {}


async def test_somebody_elses_assistant_looks_like_a_missing_one(tmp_path: Path) -> None:
    async with serve_agents(tmp_path, others=GUARDED) as (_, http):
        made = await http.post("/assistants", json={"graph_id": "chat"}, headers=bearing("anna"))
        theirs, nobodys = made.json()["assistant_id"], "00000000-0000-0000-0000-000000000000"
        assert (await http.get(f"/a2a/{theirs}{CARD}", headers=bearing("anna"))).status_code == 200
        for place in ("/a2a/{}" + CARD, CARD + "?assistant_id={}", "/a2a/{}/tasks"):
            answers = [await http.get(place.format(one), headers=bearing("bert")) for one in (theirs, nobodys)]
            assert [answer.status_code for answer in answers] == [404, 404]
            texts = [answer.text.replace(one, "") for answer, one in zip(answers, (theirs, nobodys), strict=True)]
            assert texts[0] == texts[1]


async def test_public_cards_are_those_of_graphs_and_no_others(tmp_path: Path) -> None:
    settings = {"public_cards": True, "assistant": "chat"}
    async with serve_agents(tmp_path, settings, others=GUARDED) as (_, http):
        made = await http.post("/assistants", json={"graph_id": "chat"}, headers=bearing("anna"))
        theirs = made.json()["assistant_id"]
        for place in (f"/a2a/chat{CARD}", f"/a2a/{CHAT_ID}{OLD_CARD}", CARD, f"{CARD}?assistant_id=count"):
            answer = await http.get(place)
            assert (answer.status_code, answer.headers["cache-control"]) == (200, "public, max-age=60")
        assert (await http.get(f"/a2a/nope{CARD}")).status_code == 404
        for name in (theirs, "00000000-0000-0000-0000-000000000000"):
            for place in (f"/a2a/{name}{CARD}", f"{CARD}?assistant_id={name}"):
                answer = await http.get(place)
                assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        private = await http.get(f"/a2a/{theirs}{CARD}", headers=bearing("anna"))
        assert (private.status_code, private.headers["cache-control"]) == (200, "private, max-age=60")
        assert (await http.get("/a2a/chat")).status_code == 401
        assert (await http.post("/a2a/chat", json=call("message/send"))).status_code == 401
        assert (await http.get("/a2a/chat/tasks")).status_code == 401
        assert (await http.get("/a2a/chat/extendedAgentCard")).status_code == 401


@asynccontextmanager
async def two_organizations(install_plugin: InstallPlugin, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A server with a mirror of organisation `a`. The header `x-member` says of which organisation the caller is."""
    module = __import__(install_plugin("shelf", PLUGIN))
    runtime = runtime_of(module, Shelf(agent("kim")), folder)
    async with runtime.open() as opened:
        agents, card, _ = build_mounts(opened.server, A2aSettings.model_validate({}))

        async def call_as(scope, receive, send):
            member = next((value.decode() for name, value in scope["headers"] if name == b"x-member"), "")
            scope[PRINCIPAL] = Principal(identity=member, organizations=(member,)) if member else ANONYMOUS
            mount = card if scope["path"] == CARD else agents
            await mount.app({**scope, "root_path": mount.path}, receive, send)

        transport = httpx.ASGITransport(call_as)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            yield http


async def test_another_organisations_agent_is_not_there(install_plugin: InstallPlugin, tmp_path: Path) -> None:
    async with two_organizations(install_plugin, tmp_path) as http:
        for place in (f"/a2a/{id_of('kim')}{CARD}", f"{CARD}?assistant_id={id_of('kim')}", f"/a2a/{id_of('kim')}"):
            mine = await http.get(place, headers={"x-member": "a"})
            assert (mine.status_code, mine.json()["name"]) == (200, "Kim")
            theirs = await http.get(place, headers={"x-member": "b"})
            missing = await http.get(place.replace(id_of("kim"), id_of("nobody")), headers={"x-member": "b"})
            assert (theirs.status_code, missing.status_code) == (404, 404)
            assert theirs.text.replace(id_of("kim"), "") == missing.text.replace(id_of("nobody"), "")
            assert (await http.get(place)).status_code == 401
        told = await http.post(f"/a2a/{id_of('kim')}", json=call("message/send"), headers={"x-member": "b"})
        assert told.json()["error"]["code"] == -32602


@pytest.fixture(params=[0, 1, 2])
async def mount(
    anyio_backend: str, request: pytest.FixtureRequest, tmp_path: Path, is_public: bool
) -> AsyncIterator[ProtocolMount]:
    values = {"server": {"database": f"sqlite:///{tmp_path}/contract.db"}}
    runtime = Runtime(["storage_sqlite", "protocol_a2a"], values)
    runtime.graphs = GraphRegistry({"chat": GraphDefinition(graph_id="chat", origin="a test", load=chat)})
    async with runtime.open() as opened:
        yield build_mounts(opened.server, A2aSettings.model_validate({"public_cards": is_public}))[request.param]


class TestMounts(ProtocolContract):
    @pytest.fixture
    def is_public(self) -> bool:
        return False


class TestPublicMounts(ProtocolContract):
    @pytest.fixture
    def is_public(self) -> bool:
        return True
