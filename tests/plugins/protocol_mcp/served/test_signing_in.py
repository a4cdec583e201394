"""Where clients learn how to sign in: the challenge of a refusal, and the document that it names."""

import re

import httpx
import pytest
from tests.plugins.protocol_mcp.raw import INITIALIZE, Raw, request, result
from tests.plugins.protocol_mcp.served.conftest import TOKENS, Serve

from longline.auth.authenticator import Credentials, IssuedAuthenticator
from longline.auth.principal import Principal

pytestmark = pytest.mark.anyio

ISSUER = "https://project.supabase.example/auth/v1"
DOCUMENT = "/.well-known/oauth-protected-resource/mcp"


async def challenge(client: Raw, **headers: str) -> str:
    answer = await client.post(INITIALIZE, **headers)
    assert answer.status_code == 401
    assert answer.json()["error"]
    found = re.fullmatch(r'Bearer(?:,| .*,)? resource_metadata="([^"]+)"', answer.headers["www-authenticate"])
    assert found is not None, answer.headers["www-authenticate"]
    return found[1]


async def test_who_shows_no_token_is_told_where_to_get_one(serve: Serve) -> None:
    async with serve(mcp={"authorization_servers": [ISSUER], "scopes": ["chat"]}, **TOKENS) as client:
        for headers in ({}, {"authorization": "Bearer nobodys"}):
            assert await challenge(client, **headers) == client.served.url + DOCUMENT
        answer = await client.http.get(DOCUMENT)
        assert (answer.status_code, answer.json()) == (
            200,
            {
                "resource": client.url,
                "bearer_methods_supported": ["header"],
                "authorization_servers": [ISSUER],
                "scopes_supported": ["chat"],
            },
        )
        assert (await client.http.get(DOCUMENT + "/")).status_code == 200
        assert (await client.http.post(DOCUMENT)).status_code == 405
        assert (await client.http.get(DOCUMENT + "/more")).status_code == 401
        assert result(await client.as_user("ann").post(request("ping"))) == {}


async def test_without_authentication_there_is_nothing_to_learn(serve: Serve) -> None:
    async with serve(mcp={"authorization_servers": [ISSUER]}) as client:
        assert (await client.http.get(DOCUMENT)).status_code == 404


async def test_where_nobody_is_known_who_gives_tokens_none_is_named(serve: Serve) -> None:
    async with serve(**TOKENS) as client:
        assert "authorization_servers" not in (await client.http.get(DOCUMENT)).json()


async def test_authenticators_name_the_issuers_of_the_tokens_that_they_take(serve: Serve) -> None:
    supabase = {"url": ISSUER.removesuffix("/auth/v1"), "jwt_secret": "x" * 40}
    async with serve(auth_supabase=supabase, plugins=["auth_supabase"]) as client:
        assert client.served.server.token_issuers == (ISSUER,)
        assert (await client.http.get(DOCUMENT)).json()["authorization_servers"] == [ISSUER]


async def test_urls_have_the_prefix_at_which_the_server_is_mounted(serve: Serve) -> None:
    http = {"http": {"mount_prefix": "/api/v1"}}
    async with serve(protocol_langgraph=http, **TOKENS) as client:
        answer = await client.http.post("/api/v1/mcp", json=INITIALIZE, headers=client.headers())
        where = client.served.url + "/api/v1" + DOCUMENT
        assert answer.headers["www-authenticate"] == f'Bearer resource_metadata="{where}"'
        assert (await client.http.get(where)).json()["resource"] == client.served.url + "/api/v1/mcp"


async def test_what_proxies_say_is_not_believed_and_the_operator_is(serve: Serve) -> None:
    said = {"x-forwarded-host": "evil.example", "x-forwarded-proto": "https", "forwarded": "host=evil.example"}
    async with serve(**TOKENS) as client:
        answer = await client.http.post("/mcp", json=INITIALIZE, headers={**client.headers(), **said})
        assert "evil.example" not in answer.headers["www-authenticate"]
        assert "evil.example" not in (await client.http.get(DOCUMENT, headers=said)).text
    async with serve(mcp={"public_url": "https://agents.example/api/"}, **TOKENS) as client:
        assert await challenge(client) == f"https://agents.example/api{DOCUMENT}"
        assert (await client.http.get(DOCUMENT)).json()["resource"] == "https://agents.example/api/mcp"


async def test_the_path_may_be_another(serve: Serve) -> None:
    async with serve(mcp={"path": "/tools/mcp"}, **TOKENS) as client:
        answer = await client.http.post("/tools/mcp", json=INITIALIZE, headers=client.headers())
        where = f"{client.served.url}/.well-known/oauth-protected-resource/tools/mcp"
        assert answer.headers["www-authenticate"] == f'Bearer resource_metadata="{where}"'
        assert (await client.http.get(where)).json()["resource"] == f"{client.served.url}/tools/mcp"


async def test_a_host_header_cannot_break_out_of_the_challenge(serve: Serve) -> None:
    async with serve(**TOKENS) as client, httpx.AsyncClient() as http:
        headers = {**client.headers(), "host": 'a.example", evil="x'}
        answer = await http.post(client.url, json=INITIALIZE, headers=headers)
        assert "evil" not in answer.headers.get("www-authenticate", "")


def test_an_authenticator_with_an_issuer_is_recognised_by_its_shape() -> None:
    class Badges:
        name = "badges"
        issuer = ISSUER

        async def authenticate(self, credentials: Credentials) -> Principal | None:
            return None

    assert isinstance(Badges(), IssuedAuthenticator)
