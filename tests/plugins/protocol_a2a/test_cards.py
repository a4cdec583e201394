"""Agent cards: what they say, in which version, and where they lead."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from a2a.client import A2ACardResolver
from a2a.client.card_resolver import parse_agent_card
from a2a.compat.v0_3 import types as old_types
from a2a.server.request_handlers.response_helpers import agent_card_to_dict
from a2a.types import AgentCard
from google.protobuf.json_format import ParseDict
from langgraph.pregel.remote import RemoteGraph
from tests.plugins.protocol_a2a.edge import CARD, CHAT_ID, GUARDED, NEW, OLD_CARD, bearing, serve_agents, tooled
from tests.plugins.protocol_langgraph.graphs import chat

from longline_protocol_a2a import skills

pytestmark = pytest.mark.anyio
OLD_FIELDS = {
    "url", "preferredTransport", "protocolVersion", "additionalInterfaces", "security",
    "supportsAuthenticatedExtendedCard",
}  # fmt: skip


async def test_every_place_of_a_card_gives_the_same_card(tmp_path: Path) -> None:
    async with serve_agents(tmp_path, {"assistant": "chat"}) as (_, http):
        places = [f"/a2a/chat{CARD}", f"/a2a/{CHAT_ID}{CARD}", f"/a2a/{CHAT_ID.upper()}{CARD}", f"/a2a/chat{OLD_CARD}",
                  "/a2a/chat", "/a2a/chat/", CARD, OLD_CARD, f"{CARD}?assistant_id=chat",
                  f"{CARD}?assistant_id={CHAT_ID}"]  # fmt: skip
        found = [(await http.get(place)).raise_for_status().json() for place in places]
        assert [card["name"] for card in found] == ["chat"] * len(places)
        assert all(card == found[0] for card in found)
        assert found[0]["url"] == f"{http.base_url}/a2a/{CHAT_ID}".replace("//a2a", "/a2a")


async def test_a_card_has_what_the_protocol_asks_for(tmp_path: Path) -> None:
    async with serve_agents(tmp_path) as (served, http):
        card = (await http.get(f"/a2a/chat{CARD}")).json()
    url = f"{served.url}/a2a/{CHAT_ID}"
    assert card["supportedInterfaces"] == [
        {"url": url, "protocolBinding": binding, "protocolVersion": version}
        for version in ("1.0", "0.3")
        for binding in ("JSONRPC", "HTTP+JSON")
    ]
    assert card["capabilities"] == {"streaming": True, "pushNotifications": True, "extendedAgentCard": False}
    assert card["description"] == "chat assistant"
    (skill,) = card["skills"]
    assert skill == {
        "id": f"{CHAT_ID}-main", "name": "chat", "description": "chat assistant", "tags": ["assistant", "chat"],
    }  # fmt: skip
    assert card["version"] == "1"
    assert {"securitySchemes", "securityRequirements", "security"} & set(card) == set()


@pytest.mark.parametrize("is_guarded", [False, True])
async def test_the_fields_of_0_3_are_those_that_the_sdk_derives(tmp_path: Path, is_guarded: bool) -> None:
    settings = {"provider": {"organization": "Shipyard", "url": "https://ships.example"},
                "documentation_url": "https://ships.example/docs"}  # fmt: skip
    headers = bearing("anna") if is_guarded else {}
    async with serve_agents(tmp_path, settings, others=GUARDED if is_guarded else {}) as (_, http):
        both = (await http.get(f"/a2a/chat{CARD}", headers=headers)).json()
        new = (await http.get(f"/a2a/chat{CARD}", headers={**headers, **NEW})).json()
    assert set(both) - set(new) == (OLD_FIELDS if is_guarded else OLD_FIELDS - {"security", OLD_ONLY})
    derived = agent_card_to_dict(ParseDict(new, AgentCard()))
    assert {key: both[key] for key in OLD_FIELDS & set(both)} == {
        key: derived[key] for key in OLD_FIELDS & set(derived)
    }
    assert both.get("securitySchemes") == derived.get("securitySchemes")
    old = old_types.AgentCard.model_validate(both)
    assert old.url == new["supportedInterfaces"][0]["url"]
    assert (old.provider.organization, old.documentation_url) == ("Shipyard", "https://ships.example/docs")
    assert parse_agent_card(both) == ParseDict(new, AgentCard())


OLD_ONLY = "supportsAuthenticatedExtendedCard"


async def test_a_server_of_one_version_tells_of_one(tmp_path: Path) -> None:
    async with serve_agents(tmp_path, {"versions": ["1.0"]}) as (_, http):
        card = (await http.get(f"/a2a/chat{CARD}")).json()
        assert {face["protocolVersion"] for face in card["supportedInterfaces"]} == {"1.0"}
        assert OLD_FIELDS & set(card) == set()
    async with serve_agents(tmp_path, {"versions": ["0.3"]}) as (_, http):
        card = (await http.get(f"/a2a/chat{CARD}")).json()
        assert {face["protocolVersion"] for face in card["supportedInterfaces"]} == {"0.3"}
        assert card["protocolVersion"] == "0.3"


async def test_the_sdk_finds_the_card_of_an_agent_and_of_a_server(tmp_path: Path) -> None:
    async with serve_agents(tmp_path, graphs={"chat": chat()}) as (served, http):
        of_agent = await A2ACardResolver(http, f"{served.url}/a2a/chat").get_agent_card()
        of_server = await A2ACardResolver(http, served.url).get_agent_card()
    assert of_agent == of_server
    assert of_agent.supported_interfaces[0].url == f"{served.url}/a2a/{CHAT_ID}"


async def test_the_servers_own_card_is_that_of_the_first_graph_or_of_the_one_that_is_asked_for(tmp_path: Path) -> None:
    async with serve_agents(tmp_path, graphs={"one": chat(), "two": chat()}) as (_, http):
        assert (await http.get(CARD)).json()["name"] == "one"
        assert (await http.get(f"{CARD}?assistant_id=two")).json()["name"] == "two"
        assert (await http.get(f"{CARD}?assistant_id=two&assistant_id=one")).json()["name"] == "two"
    (tmp_path / "graphs.py").write_text("a = b = None")
    (tmp_path / "langgraph.json").write_text(
        '{"dependencies": ["."], "graphs": {"zebra": "./graphs.py:a", "two": "./graphs.py:b"}}'
    )
    others = {"langgraph": {"file": str(tmp_path / "langgraph.json")}}
    async with serve_agents(tmp_path, graphs={"one": chat(), "two": chat()}, others=others) as (_, http):
        assert (await http.get(CARD)).json()["name"] == "two"
    async with serve_agents(tmp_path, graphs={}) as (_, http):
        assert (await http.get(CARD)).status_code == 404


async def test_a_card_of_nobody_is_not_found(tmp_path: Path) -> None:
    async with serve_agents(tmp_path) as (_, http):
        for name in ("nope", "0" * 36, "../chat", "%00", "'--"):
            assert (await http.get(CARD, params={"assistant_id": name})).status_code == 404
        assert (await http.get(f"{CARD}/more")).status_code == 404
        assert (await http.post(CARD)).status_code == 405


async def test_a_card_may_be_kept_and_is_asked_for_again_by_its_tag(tmp_path: Path) -> None:
    async with serve_agents(tmp_path, {"card_max_age_seconds": 7}) as (_, http):
        first = await http.get(f"/a2a/chat{CARD}")
        assert first.headers["cache-control"] == "public, max-age=7"
        assert "A2A-Version" in first.headers["vary"]
        assert first.headers["last-modified"].endswith("GMT")
        tag = first.headers["etag"]
        for shown in (tag, tag.removeprefix("W/"), f'"x", {tag}', "*"):
            again = await http.get(f"/a2a/chat{CARD}", headers={"if-none-match": shown})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert (await http.get(f"/a2a/chat{CARD}", headers=NEW)).headers["etag"] != tag
        head = await http.head(f"/a2a/chat{CARD}")
        assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", tag)
        assistant = (await http.post("/assistants", json={"graph_id": "chat", "name": "one"})).json()["assistant_id"]
        before = await http.get(f"/a2a/{assistant}{CARD}")
        await http.patch(f"/assistants/{assistant}", json={"name": "two"})
        after = await http.get(f"/a2a/{assistant}{CARD}", headers={"if-none-match": before.headers["etag"]})
        assert (after.status_code, after.json()["name"], after.json()["version"]) == (200, "two", "2")


async def test_an_assistant_says_what_it_can_do(tmp_path: Path) -> None:
    said = {
        "skills": [{"id": "sail", "name": "Sail", "description": "Sails.", "tags": ["sea"], "examples": ["Go!"]}],
        "inputModes": ["text/plain", "image/*"], "outputModes": ["audio/wav"], "unknown": 1,
    }  # fmt: skip
    async with serve_agents(tmp_path) as (_, http):
        card = await card_of(http, {"a2a": said}, description="A ship.")
        assert card["skills"] == said["skills"]
        assert (card["defaultInputModes"], card["defaultOutputModes"]) == (said["inputModes"], said["outputModes"])
        assert card["description"] == "A ship."
        for wrong in ({"skills": "all"}, {"inputModes": []}, "text", {"skills": [{"id": 1}]}, {"outputModes": ["x"]}):
            card = await card_of(http, {"a2a": wrong})
            assert [skill["tags"] for skill in card["skills"]] == [["assistant", "chat"]]
            assert card["defaultInputModes"] == ["text/plain", "application/json", "*/*"]
            assert card["defaultOutputModes"] == ["application/json", "text/plain"]


async def card_of(http: httpx.AsyncClient, metadata: dict[str, Any], **more: Any) -> dict[str, Any]:
    made = await http.post("/assistants", json={"graph_id": "chat", "name": "Ship", "metadata": metadata, **more})
    card: dict[str, Any] = (await http.get(f"/a2a/{made.json()['assistant_id']}{CARD}")).json()
    return card


async def test_without_authentication_the_card_has_the_tools_of_the_graph(tmp_path: Path) -> None:
    async with serve_agents(tmp_path, graphs={"tooled": tooled(), "broken": "no graph"}) as (_, http):
        card = (await http.get(f"/a2a/tooled{CARD}")).json()
        assert card["skills"][1:] == [
            {"id": "look_up", "name": "look_up", "description": "What a word means.", "tags": ["tool"]}
        ]
        assert [skill["name"] for skill in (await http.get(f"/a2a/broken{CARD}")).json()["skills"]] == ["broken"]


async def test_a_graph_that_is_slow_or_elsewhere_costs_its_tools_and_not_the_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hangs() -> object:
        await asyncio.Event().wait()
        return tooled()

    monkeypatch.setattr(skills, "_LOOK_SECONDS", 0.5)
    graphs = {"slow": hangs, "far": RemoteGraph("agent", url="http://127.0.0.1:9")}
    async with serve_agents(tmp_path, graphs=graphs) as (_, http):
        for name in graphs:
            card = (await http.get(f"/a2a/{name}{CARD}")).raise_for_status().json()
            assert [skill["name"] for skill in card["skills"]] == [name]


async def test_the_front_page_and_info_tell_where_agents_are(tmp_path: Path) -> None:
    async with serve_agents(tmp_path, {"path": "/agents"}) as (served, http):
        told = (await http.get("/info")).json()["a2a"]
        assert told == {"path": "/agents", "versions": ["1.0", "0.3"], "bindings": ["JSONRPC", "HTTP+JSON"]}
        (shown,) = [one for one in served.server.protocols() if one.path == "/agents"]
        assert shown.title == "Agent2Agent (A2A)"
        ((_, page),) = shown.pages.items()
        assert (await http.get(page)).json()["url"] == f"{served.url}/agents/{CHAT_ID}"
        assert (await http.get(f"/a2a/chat{CARD}")).status_code == 404
