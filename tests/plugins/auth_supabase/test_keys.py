"""Keys are fetched once, kept, fetched again when they rotate, and used on while the Auth server is away."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest
from tests.plugins.auth_supabase.asking import Clock, refusal
from tests.plugins.auth_supabase.conftest import ANNA, Make
from tests.supabase.identity import ALGORITHMS, Identity, new_key

from longline.errors import IdentityAwayError
from longline_auth_supabase.assembly import fetch_keys
from longline_auth_supabase.auth_server import AuthServer
from longline_auth_supabase.errors import TokenRefusedError
from longline_auth_supabase.key_set import KeySet, KeyTimes

pytestmark = pytest.mark.anyio

TIMES = KeyTimes(kept=600, grace=3600, cooldown=10)


@pytest.fixture
async def keys(anyio_backend: str, identity: Identity, clock: Clock) -> AsyncIterator[KeySet]:
    """The keys of the Auth server; a request takes half a second at most."""
    server = AuthServer(identity.issuer, "", timeout_seconds=0.5)
    keys = KeySet(lambda: fetch_keys(server), TIMES, clock=clock)
    yield keys
    await keys.close()
    await server.close()


async def _found(keys: KeySet, key_id: str) -> str:
    try:
        async with asyncio.timeout(20):
            return (await keys.find(key_id)).algorithm_name
    except TokenRefusedError:
        return "unknown"
    except IdentityAwayError:
        return "away"


# -- fetching and keeping -------------------------------------------------------------------------------------------


async def test_fifty_requests_make_one_fetch(make: Make, identity: Identity) -> None:
    authenticator = make()
    tokens = [identity.issue(ANNA) for _ in range(50)]
    assert set(await asyncio.gather(*(refusal(authenticator, token) for token in tokens))) == {"accepted"}
    assert identity.counts["jwks"] == 1


async def test_keys_are_kept_for_ten_minutes(keys: KeySet, identity: Identity, clock: Clock) -> None:
    key_id = identity.keys[0].kid
    assert await _found(keys, key_id) == "ES256"
    clock.now += 599
    assert await _found(keys, key_id) == "ES256"
    assert identity.counts["jwks"] == 1
    clock.now += 2
    assert await _found(keys, key_id) == "ES256"
    assert identity.counts["jwks"] == 2


async def test_a_key_that_was_withdrawn_is_unknown_when_they_are_fetched_again(
    keys: KeySet, identity: Identity, clock: Clock
) -> None:
    old = identity.keys[0].kid
    assert await _found(keys, old) == "ES256"
    identity.rotate("EdDSA", kept=0)
    clock.now += 601
    assert await _found(keys, old) == "unknown"
    assert await _found(keys, identity.keys[0].kid) == "EdDSA"


# -- rotation -------------------------------------------------------------------------------------------------------


async def test_an_unknown_key_is_looked_for_once_in_a_while(keys: KeySet, identity: Identity, clock: Clock) -> None:
    assert await _found(keys, identity.keys[0].kid) == "ES256"
    for _ in range(5):
        assert await _found(keys, new_key().kid) == "unknown"
    assert identity.counts["jwks"] == 2
    rotated = identity.rotate("RS256").kid
    assert await _found(keys, rotated) == "unknown"
    clock.now += 11
    assert await _found(keys, rotated) == "RS256"
    assert identity.counts["jwks"] == 3


async def test_a_new_key_is_found_at_once(keys: KeySet, identity: Identity) -> None:
    assert await _found(keys, identity.keys[0].kid) == "ES256"
    assert await _found(keys, identity.rotate("RS256").kid) == "RS256"
    assert identity.counts["jwks"] == 2


async def test_all_who_come_with_it_at_once_are_let_in(make: Make, identity: Identity) -> None:
    authenticator = make()
    assert await refusal(authenticator, identity.issue(ANNA)) == "accepted"
    identity.rotate("ES256", kept=0)
    tokens = [identity.issue(ANNA) for _ in range(50)]
    assert set(await asyncio.gather(*(refusal(authenticator, token) for token in tokens))) == {"accepted"}
    assert identity.counts["jwks"] == 2


async def test_keys_that_rotate_under_load_refuse_nobody(make: Make, identity: Identity) -> None:
    """Fifty callers ask all the time; in the midst of it the project signs with a new key, three times."""
    authenticator = make(jwks_cooldown_seconds=0)
    found: list[str] = []
    rotated = 0

    async def caller() -> None:
        while rotated < 3 or len(found) < 500:
            token = identity.issue(ANNA)
            found.append(await refusal(authenticator, token))
            await asyncio.sleep(0)

    async def rotate() -> None:
        nonlocal rotated
        for algorithm in ALGORITHMS:
            until = len(found) + 100
            while len(found) < until:
                await asyncio.sleep(0)
            identity.rotate(algorithm)
            rotated += 1

    async with asyncio.TaskGroup() as group:
        group.create_task(rotate())
        for _ in range(50):
            group.create_task(caller())
    assert set(found) == {"accepted"}
    assert identity.counts["jwks"] <= 1 + 3 * 2  # a fetch under way may have left before the rotation


async def test_a_token_that_was_seen_is_not_let_in_with_a_key_that_was_withdrawn(
    make: Make, identity: Identity
) -> None:
    authenticator = make()
    old = identity.issue(ANNA)
    assert await refusal(authenticator, old) == "accepted"
    identity.rotate("ES256", kept=0)
    assert await refusal(authenticator, identity.issue(ANNA)) == "accepted"
    assert await refusal(authenticator, old) == "key"


async def test_nor_when_it_has_expired(make: Make, identity: Identity) -> None:
    authenticator = make(leeway_seconds=0)
    token = identity.issue(ANNA, exp=int(time.time()) + 2)
    assert await refusal(authenticator, token) == "accepted"
    async with asyncio.timeout(20):
        while (found := await refusal(authenticator, token)) == "accepted":
            await asyncio.sleep(0.05)
    assert found == "expired"


# -- an Auth server that is away ------------------------------------------------------------------------------------


def _fail(identity: Identity) -> None:
    identity.fails_with = 500


@pytest.mark.parametrize("trouble", [Identity.hang, Identity.stop, _fail])
async def test_without_any_keys_nobody_can_tell(
    keys: KeySet, identity: Identity, clock: Clock, trouble: Callable[[Identity], None]
) -> None:
    key_id = identity.keys[0].kid
    trouble(identity)
    assert await _found(keys, key_id) == "away"
    asked = identity.counts["jwks"]
    assert await _found(keys, key_id) == "away"
    assert identity.counts["jwks"] == asked, "everybody would wait for a server that has just failed"


@pytest.mark.parametrize("trouble", [Identity.hang, Identity.stop, _fail])
async def test_the_last_keys_are_used_for_an_hour(
    keys: KeySet, identity: Identity, clock: Clock, trouble: Callable[[Identity], None]
) -> None:
    key_id = identity.keys[0].kid
    assert await _found(keys, key_id) == "ES256"
    trouble(identity)
    clock.now += 601
    assert await _found(keys, key_id) == "ES256"
    assert await _found(keys, new_key().kid) == "away"
    clock.now += 3590
    assert await _found(keys, key_id) == "ES256"
    clock.now += 20
    assert await _found(keys, key_id) == "away"


async def test_nobody_waits_for_a_server_that_was_seen_to_hang(keys: KeySet, identity: Identity, clock: Clock) -> None:
    key_id = identity.keys[0].kid
    assert await _found(keys, key_id) == "ES256"
    identity.hang()
    clock.now += 601
    assert await _found(keys, key_id) == "ES256"  # waits, for half a second
    clock.now += 11
    async with asyncio.timeout(20):  # each would wait for half a second
        for _ in range(100):
            assert await _found(keys, key_id) == "ES256"
    identity.resume()


async def test_it_is_asked_again_when_it_is_back(keys: KeySet, identity: Identity, clock: Clock) -> None:
    key_id = identity.keys[0].kid
    identity.fails_with = 503
    assert await _found(keys, key_id) == "away"
    identity.fails_with = None
    clock.now += 2
    assert await _found(keys, key_id) == "ES256"


@pytest.mark.parametrize(
    "document",
    [b"", b"<html>", b"[]", b"{}", b'{"keys": 5}', b'{"keys": ', b"\xff\xfe", b"[" * 100_000, b" " * 2_000_000],
)
async def test_a_document_that_lists_no_keys_changes_nothing(identity: Identity, clock: Clock, document: bytes) -> None:
    server = AuthServer(identity.issuer, "", timeout_seconds=5)
    answers = [await fetch_keys(server), document, document]
    await server.close()

    async def fetch() -> bytes:
        return answers.pop(0)

    keys = KeySet(fetch, TIMES, clock=clock)
    key_id = identity.keys[0].kid
    assert await _found(keys, key_id) == "ES256"
    clock.now += 601
    assert await _found(keys, key_id) == "ES256"
    assert await _found(keys, new_key().kid) == "away"
    assert not answers
