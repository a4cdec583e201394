"""Where cards lead: behind a prefix, a mount and a proxy."""

from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.helpers import new_text_message
from a2a.types import Role, SendMessageRequest, TaskState
from tests.clients.cutting_proxy import cutting_proxy
from tests.plugins.protocol_a2a.edge import CARD, CHAT_ID, serve_agents

from longline.asgi.types import Scope
from longline_protocol_a2a.card_urls import server_url


def scope_of(host: bytes = b"agents.example", root: str = "/a2a", scheme: str = "https", **more: object) -> Scope:
    return {"scheme": scheme, "root_path": root, "headers": [(b"host", host)], "server": ("10.0.0.7", 2024), **more}


@pytest.mark.parametrize(
    ("scope", "public", "expected"),
    [
        (scope_of(), "", "https://agents.example"),
        (scope_of(root="/api/a2a"), "", "https://agents.example/api"),
        (scope_of(b"agents.example:8443", scheme="http"), "", "http://agents.example:8443"),
        (scope_of(b"[::1]:2024"), "", "https://[::1]:2024"),
        (scope_of(b""), "", "https://10.0.0.7:2024"),
        (scope_of(b"", server=("::1", 2024)), "", "https://[::1]:2024"),
        (scope_of(b"", server=None), "", "https://localhost"),
        (scope_of(b"evil.example/path"), "", "https://10.0.0.7:2024"),
        (scope_of(b'evil"example'), "", "https://10.0.0.7:2024"),
        (scope_of(b"user@evil.example"), "", "https://10.0.0.7:2024"),
        (scope_of(), "https://public.example/agents/", "https://public.example/agents"),
    ],
)
def test_the_url_of_the_server_is_the_callers(scope: Scope, public: str, expected: str) -> None:
    assert server_url(scope, "/a2a", public) == expected


@pytest.mark.anyio
async def test_cards_of_a_server_below_a_prefix_lead_below_it(tmp_path: Path) -> None:
    others = {"protocol_langgraph": {"http": {"mount_prefix": "/api/v2"}}}
    async with serve_agents(tmp_path, others=others) as (served, http):
        for place in (f"/api/v2/a2a/chat{CARD}", f"/api/v2{CARD}?assistant_id=chat", "/api/v2/a2a/chat"):
            card = (await http.get(place)).raise_for_status().json()
            assert card["url"] == f"{served.url}/api/v2/a2a/{CHAT_ID}"
        assert (await http.get(f"/a2a/chat{CARD}")).status_code == 404
        assert (await http.get(card["url"])).json() == card


@pytest.mark.anyio
async def test_cards_of_an_app_in_another_lead_below_it(tmp_path: Path) -> None:
    async with serve_agents(tmp_path) as (served, _):

        async def outer(scope, receive, send):
            await served.app({**scope, "root_path": "/outer"}, receive, send)

        transport = httpx.ASGITransport(outer)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:9") as http:
            for place in (f"/outer/a2a/chat{CARD}", f"/outer{CARD}?assistant_id=chat"):
                card = (await http.get(place)).raise_for_status().json()
                assert card["url"] == f"http://localhost:9/outer/a2a/{CHAT_ID}"


@pytest.mark.anyio
async def test_what_a_proxy_says_is_not_believed_and_the_setting_is(tmp_path: Path) -> None:
    forwarded = {"x-forwarded-host": "evil.example", "x-forwarded-proto": "https", "forwarded": "host=evil.example"}
    async with serve_agents(tmp_path) as (served, http):
        card = (await http.get(f"/a2a/chat{CARD}", headers=forwarded)).json()
        assert card["url"] == f"{served.url}/a2a/{CHAT_ID}"
    settings = {"public_url": "https://agents.example/line", "allowed_hosts": ["127.0.0.1", "agents.example"]}
    async with serve_agents(tmp_path, settings) as (_, http):
        for place in (f"/a2a/chat{CARD}", f"{CARD}?assistant_id=chat"):
            card = (await http.get(place, headers={"host": "agents.example"})).json()
            assert card["url"] == f"https://agents.example/line/a2a/{CHAT_ID}"


@pytest.mark.anyio
async def test_cards_that_came_through_a_proxy_lead_through_it(tmp_path: Path) -> None:
    async with serve_agents(tmp_path) as (served, _):
        with cutting_proxy(urlsplit(served.url).port or 0) as proxy:
            async with httpx.AsyncClient(timeout=30) as http:
                card = await A2ACardResolver(http, f"{proxy.url}/a2a/chat").get_agent_card()
                assert {face.url for face in card.supported_interfaces} == {f"{proxy.url}/a2a/{CHAT_ID}"}
                client = ClientFactory(ClientConfig(httpx_client=http)).create(card)
                request = SendMessageRequest(message=new_text_message("hi", role=Role.ROLE_USER))
                events = [event async for event in client.send_message(request)]
        assert events[-1].status_update.status.state == TaskState.TASK_STATE_COMPLETED
        assert len(proxy.requests) >= 1
