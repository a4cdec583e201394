"""The Auth server is asked whose token it is: where nobody here can check it, or where sessions end at once."""

import asyncio
import time

import pytest
from tests.plugins.auth_supabase.asking import ask, refusal
from tests.plugins.auth_supabase.conftest import ANNA, Make
from tests.supabase.identity import JWT_SECRET, KEY, Identity
from tests.supabase.project import User

pytestmark = pytest.mark.anyio

BERND = User("11111111-2222-4333-8444-555555555555", "bernd@kanzlei.example")


async def test_without_the_secret_the_auth_server_is_asked(make: Make, identity: Identity) -> None:
    authenticator = make()
    token = identity.issue_legacy(ANNA, organizations=["kanzlei"])
    principal = await ask(authenticator, token)
    assert principal is not None
    assert (principal.identity, principal.organizations) == (ANNA.id, ("kanzlei",))
    assert identity.counts == {"user": 1}


async def test_its_answer_is_kept(make: Make, identity: Identity) -> None:
    authenticator = make()
    good, forged = identity.issue_legacy(ANNA), identity.issue_legacy(ANNA, secret=JWT_SECRET[::-1])
    assert [await refusal(authenticator, good) for _ in range(5)] == ["accepted"] * 5
    assert [await refusal(authenticator, forged) for _ in range(5)] == ["revoked"] * 5
    assert identity.counts == {"user": 2}


async def test_many_who_show_one_token_make_one_request(make: Make, identity: Identity) -> None:
    authenticator = make()
    token = identity.issue_legacy(ANNA)
    identity.hang()
    asking = [asyncio.create_task(refusal(authenticator, token)) for _ in range(30)]
    while not identity.counts["user"]:
        await asyncio.sleep(0.005)
    identity.resume()
    assert set(await asyncio.gather(*asking)) == {"accepted"}
    assert identity.counts == {"user": 1}


async def test_who_hangs_up_does_not_take_the_answer_from_others(make: Make, identity: Identity) -> None:
    authenticator = make()
    token = identity.issue_legacy(ANNA)
    identity.hang()
    first = asyncio.create_task(refusal(authenticator, token))
    while not identity.counts["user"]:
        await asyncio.sleep(0.005)
    second = asyncio.create_task(refusal(authenticator, token))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait({first})
    identity.resume()
    assert await second == "accepted"
    assert identity.counts == {"user": 1}


async def test_a_kept_answer_does_not_outlive_the_token(make: Make, identity: Identity) -> None:
    authenticator = make(leeway_seconds=0)
    token = identity.issue_legacy(ANNA, exp=int(time.time()) + 2)
    assert await refusal(authenticator, token) == "accepted"
    async with asyncio.timeout(20):
        while (found := await refusal(authenticator, token)) == "accepted":
            await asyncio.sleep(0.05)
    assert found == "expired"
    assert identity.counts == {"user": 1}


async def test_with_remote_verification_an_ended_session_is_over(make: Make, identity: Identity) -> None:
    local, strict = make(), make(verify="remote", remote_cache_seconds=0)
    token = identity.issue(ANNA)
    assert [await refusal(one, token) for one in (local, strict)] == ["accepted", "accepted"]
    identity.revoke(token)
    assert [await refusal(one, token) for one in (local, strict)] == ["accepted", "revoked"]


async def test_it_is_asked_about_sound_tokens_only(make: Make, identity: Identity) -> None:
    strict = make(verify="remote")
    for token in (identity.issue(ANNA, exp=1), f"{identity.issue(ANNA)[:-8]}AAAAAAAA", "a.b.c"):
        assert await refusal(strict, token) != "accepted"
    assert identity.counts["user"] == 0


async def test_what_it_says_of_the_user_is_newer_than_the_token(make: Make, identity: Identity) -> None:
    """Somebody who left an organisation after the token was issued."""
    strict = make(verify="remote")
    identity.verify = lambda token: {**Identity.verify(identity, token), "app_metadata": {"organization_ids": ["new"]}}  # type: ignore[method-assign]
    principal = await ask(strict, identity.issue(ANNA, organizations=["old", "new"]))
    assert principal is not None
    assert principal.organizations == ("new",)


async def test_an_answer_about_somebody_else_is_none(make: Make, identity: Identity) -> None:
    identity.verify = lambda token: {**Identity.verify(identity, token), "sub": BERND.id}  # type: ignore[method-assign]
    assert await refusal(make(verify="remote"), identity.issue(ANNA)) == "revoked"


@pytest.mark.parametrize("status", [302, 408, 429, 500, 502, 503])
async def test_an_auth_server_that_cannot_answer_refuses_nobody(make: Make, identity: Identity, status: int) -> None:
    authenticator = make()
    token = identity.issue_legacy(ANNA)
    identity.fails_with = status
    assert await refusal(authenticator, token) == "identity_unavailable"
    identity.fails_with = None
    assert await refusal(authenticator, token) == "accepted"


async def test_one_that_hangs_costs_the_timeout(make: Make, identity: Identity) -> None:
    authenticator = make(timeout_seconds=0.3)
    identity.hang()
    assert await refusal(authenticator, identity.issue_legacy(ANNA)) == "identity_unavailable"
    identity.resume()


async def test_a_wrong_api_key_refuses_nobody_and_is_told(
    make: Make, identity: Identity, caplog: pytest.LogCaptureFixture
) -> None:
    authenticator = make(key=f"{KEY}-of-another-project")
    assert await refusal(authenticator, identity.issue_legacy(ANNA)) == "identity_unavailable"
    (told,) = [record for record in caplog.records if record.message == "API key refused"]
    assert "SUPABASE_KEY" in told.__dict__["mend"]


async def test_without_secret_and_key_such_tokens_are_refused(make: Make, identity: Identity) -> None:
    authenticator = make(key="")
    assert await refusal(authenticator, identity.issue_legacy(ANNA)) == "algorithm"
    assert await refusal(authenticator, identity.issue(ANNA)) == "accepted"
