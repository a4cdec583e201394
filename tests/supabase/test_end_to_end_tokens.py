"""Tokens at a server: good ones while keys rotate and the Auth server is away, and those that let nobody in."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from tests.processes import wait_for
from tests.supabase.bad_tokens import BAD_TOKENS
from tests.supabase.identity import ALGORITHMS, JWT_SECRET, Algorithm
from tests.supabase.stack import Server, Stack, serving

pytestmark = pytest.mark.anyio

REFUSED = {401, 431}


@pytest.fixture(scope="module")
def server(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that looks for new keys at once."""
    impatient = {"LONGLINE_AUTH_SUPABASE__JWKS_COOLDOWN_SECONDS": "0"}
    with serving(stack, tmp_path_factory.mktemp("server"), scope="none", **impatient) as server:
        yield server


def status(server: Server, token: str) -> int:
    """What a search with this token is answered with; 431 where its header is refused before it is read."""
    try:
        headers = {"authorization": f"Bearer {token}"}
        return httpx.post(f"{server.url}/assistants/search", json={}, headers=headers, timeout=30).status_code
    except httpx.TransportError:
        return 431  # the connection was closed while the header was still being sent


@pytest.mark.parametrize("kind", BAD_TOKENS)
def test_a_bad_token_lets_nobody_in(stack: Stack, server: Server, kind: str) -> None:
    token = BAD_TOKENS[kind](stack.identity, stack.seed.anna)
    assert status(server, token) in REFUSED
    assert token not in server.output
    assert status(server, stack.token(stack.seed.anna)) == 200, "good ones go on being good"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_keys_rotate_and_their_tokens_are_good(stack: Stack, server: Server, algorithm: Algorithm) -> None:
    before = stack.token(stack.seed.anna)
    stack.identity.rotate(algorithm)
    assert status(server, stack.token(stack.seed.anna)) == 200
    assert status(server, before) == 200


async def test_keys_that_rotate_under_load_refuse_nobody(stack: Stack, server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:

        async def ask(token: str) -> int:
            headers = {"authorization": f"Bearer {token}"}
            return (await client.post("/assistants/search", json={}, headers=headers)).status_code

        for _ in range(5):
            stack.identity.rotate(kept=1)
            before = stack.identity.counts["jwks"]
            tokens = [stack.identity.issue(stack.seed.anna) for _ in range(20)]
            assert set(await asyncio.gather(*map(ask, tokens))) == {200}
            assert stack.identity.counts["jwks"] - before <= 2, "one question answers all who wait"


def test_an_auth_server_that_hangs_or_fails_costs_nobody_who_is_known(stack: Stack, server: Server) -> None:
    token = stack.token(stack.seed.anna)
    assert status(server, token) == 200
    stack.identity.hang()
    try:
        assert status(server, stack.token(stack.seed.anna)) == 200
        assert httpx.get(f"{server.url}/ok").status_code == 200
    finally:
        stack.identity.resume()
    stack.identity.fails_with = 500
    try:
        assert status(server, stack.token(stack.seed.anna)) == 200
    finally:
        stack.identity.fails_with = None


def test_a_server_starts_while_the_auth_server_hangs_and_knows_its_users_once_it_is_back(
    own_stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> None:
    stack = own_stack
    impatient = {"LONGLINE_AUTH_SUPABASE__TIMEOUT_SECONDS": "0.5", "LONGLINE_AUTH_SUPABASE__JWKS_COOLDOWN_SECONDS": "0"}
    stack.identity.hang()
    with serving(stack, tmp_path_factory.mktemp("hanging"), scope="none", **impatient) as server:
        token = stack.token(stack.seed.anna)
        assert status(server, token) == 503, "nobody is let in, and nobody is told that the token is bad"
        stack.identity.resume()
        wait_for(lambda: status(server, token) == 200, "a user who is known again")


def test_a_project_that_signs_with_its_secret(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("legacy")
    with serving(stack, folder, scope="none", SUPABASE_JWT_SECRET=JWT_SECRET) as server:
        assert status(server, stack.identity.issue_legacy(stack.seed.anna)) == 200
        assert status(server, stack.identity.issue_legacy(stack.seed.anna, secret="x" * 40)) == 401
        assert status(server, stack.token(stack.seed.anna)) == 200


def test_a_session_that_ended_is_refused_where_the_auth_server_is_asked(
    stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> None:
    strict = {
        "LONGLINE_AUTH_SUPABASE__VERIFY": "remote",
        "LONGLINE_AUTH_SUPABASE__REMOTE_CACHE_SECONDS": "0",
    }
    with serving(stack, tmp_path_factory.mktemp("remote"), scope="none", **strict) as server:
        token = stack.token(stack.seed.anna)
        assert status(server, token) == 200
        stack.identity.revoke(token)
        assert status(server, token) == 401
