"""Who a good token stands for."""

import asyncio
from datetime import UTC, datetime

import jwt
import pytest
from tests.plugins.auth_supabase.asking import ask, credentials, refusal
from tests.plugins.auth_supabase.conftest import ANNA, Make
from tests.supabase.identity import ALGORITHMS, JWT_SECRET, KEY, Algorithm, Identity

from longline.auth.authenticator import Credentials
from longline.auth.principal import Principal
from longline.testing.authenticator import AuthenticatorContract, AuthenticatorExample

pytestmark = pytest.mark.anyio

KANZLEI = "0b7e4a52-7f0c-4c5e-8d6a-2f1f5b1c9a01"
STADTWERKE = "0b7e4a52-7f0c-4c5e-8d6a-2f1f5b1c9a02"


async def _user(make: Make, token: str, **settings: object) -> Principal:
    principal = await ask(make(**settings), token)
    assert principal is not None
    return principal


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_token_signed_with_a_public_key_names_its_user(
    make: Make, identity: Identity, algorithm: Algorithm
) -> None:
    identity.rotate(algorithm, kept=0)
    token = identity.issue(ANNA, organizations=[KANZLEI, STADTWERKE])
    principal = await _user(make, token)
    assert principal.identity == ANNA.id
    assert principal.display_name == ANNA.email
    assert principal.organizations == (KANZLEI, STADTWERKE)
    assert principal.permissions == ("authenticated",)
    assert principal.is_authenticated
    assert principal.token == token
    assert principal.token_name == "x-supabase-access-token"
    claims = jwt.decode(token, options={"verify_signature": False})
    assert principal.token_expires_at == datetime.fromtimestamp(claims["exp"], UTC)


async def test_a_token_signed_with_the_secret_does_too(make: Make, identity: Identity) -> None:
    principal = await _user(make, identity.issue_legacy(ANNA, organizations=[KANZLEI]), jwt_secret=JWT_SECRET)
    assert (principal.identity, principal.organizations) == (ANNA.id, (KANZLEI,))
    assert identity.counts == {}


async def test_graphs_see_chosen_claims_and_none_that_users_write(make: Make, identity: Identity) -> None:
    token = identity.issue(ANNA)
    assert set((await _user(make, token)).claims) == {"email", "phone", "role", "aal", "app_metadata"}
    assert (await _user(make, token, claims=["session_id", "nothing"])).claims.keys() == {"session_id"}


async def test_a_subject_is_one_user_in_any_spelling(make: Make, identity: Identity) -> None:
    assert (await _user(make, identity.issue(ANNA, sub=ANNA.id.upper()))).identity == ANNA.id


async def test_names_are_short_and_printable(make: Make, identity: Identity) -> None:
    named = {"user_metadata": {"full_name": "Jürgen\x1b[31m\nGroß" + "x" * 500}, "email": None}
    name = (await _user(make, identity.issue(ANNA, **named))).display_name
    assert name.startswith("Jürgen[31mGroß")
    assert len(name) == 200
    assert (await _user(make, identity.issue(ANNA, email=None, phone=None, user_metadata=[]))).display_name == ""


async def test_a_time_beyond_all_calendars_is_no_time(make: Make, identity: Identity) -> None:
    assert (await _user(make, identity.issue(ANNA, exp=10**15))).token_expires_at is None


async def test_an_audience_may_be_one_of_several(make: Make, identity: Identity) -> None:
    assert (await _user(make, identity.issue(ANNA, aud=["x", "authenticated"]))).identity == ANNA.id


async def test_a_project_may_have_another_issuer_and_audience(make: Make, identity: Identity) -> None:
    """Behind a gateway the Auth server calls itself by another name than the one at which it is asked."""
    authenticator = make(issuer="https://auth.kanzlei.example/auth/v1", audience="kanzlei")
    token = identity.issue(ANNA, iss="https://auth.kanzlei.example/auth/v1", aud="kanzlei")
    assert await refusal(authenticator, token) == "accepted"
    assert await refusal(authenticator, identity.issue(ANNA)) == "nobody"


async def test_one_authenticator_serves_many_loops(identity: Identity, make: Make) -> None:
    """A server that is closed and opened again."""
    authenticator = make()
    async with authenticator.opened():
        assert await refusal(authenticator, identity.issue(ANNA)) == "accepted"
    async with authenticator.opened():
        assert await refusal(authenticator, identity.issue(ANNA, key=identity.rotate())) == "accepted"


async def test_who_leaves_does_not_take_the_answer_from_others(make: Make, identity: Identity) -> None:
    """A fetch that all wait for goes on when the one who began it hangs up."""
    authenticator = make()
    identity.hang()
    first = asyncio.create_task(refusal(authenticator, identity.issue(ANNA)))
    while not identity.counts["jwks"]:
        await asyncio.sleep(0.005)
    second = asyncio.create_task(refusal(authenticator, identity.issue(ANNA)))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait({first})
    identity.resume()
    assert await second == "accepted"
    assert identity.counts["jwks"] == 1


class TestAuthenticator(AuthenticatorContract):
    @pytest.fixture
    def example(self, make: Make, identity: Identity) -> AuthenticatorExample:
        good, bad = identity.issue(ANNA), identity.issue(ANNA, exp=1)
        return AuthenticatorExample(
            authenticator=make(),
            good=credentials(good),
            foreign=Credentials(method="GET", path="/", headers={"authorization": "Bearer opaque", "apikey": KEY}),
            bad=credentials(bad),
            secret=good.partition(".")[0],
            refuses=True,
        )
