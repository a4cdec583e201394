"""A token that was changed in any way, or was made up, is never accepted."""

import asyncio
import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.plugins.auth_supabase.asking import authenticator_for, refusal
from tests.plugins.auth_supabase.conftest import ANNA
from tests.supabase.identity import ALGORITHMS, JWT_SECRET, Identity, serve_identity

from longline_auth_supabase.authenticator import SupabaseAuthenticator

MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.="


class Bench:
    """An authenticator that trusts a key of each kind and a secret, and a good token of each."""

    def __init__(self, identity: Identity) -> None:
        for algorithm in ALGORITHMS:
            identity.rotate(algorithm, kept=10)
        self.runner = asyncio.Runner()
        self.authenticator: SupabaseAuthenticator = authenticator_for(identity, jwt_secret=JWT_SECRET)
        self.good = [identity.issue(ANNA, key=key) for key in identity.keys[:3]] + [identity.issue_legacy(ANNA)]
        self.issuer = identity.issuer

    def kind(self, token: str) -> str:
        return self.runner.run(refusal(self.authenticator, token))


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with serve_identity() as identity:
        made = Bench(identity)
        with made.runner:
            assert [made.kind(token) for token in made.good] == ["accepted"] * 4
            yield made
            made.runner.run(made.authenticator.close())
        assert identity.counts["user"] == 0


@MANY
@given(data=st.data())
def test_a_changed_token_is_not_accepted(bench: Bench, data: st.DataObject) -> None:
    token = data.draw(st.sampled_from(bench.good))
    place = data.draw(st.integers(0, len(token) - 1))
    change = data.draw(st.sampled_from(["replace", "insert", "remove", "cut", "double"]))
    letter = data.draw(st.sampled_from(LETTERS))
    changed = {
        "replace": token[:place] + letter + token[place + 1 :],
        "insert": token[:place] + letter + token[place:],
        "remove": token[:place] + token[place + 1 :],
        "cut": token[:place],
        "double": token[:place] + token[place] + token[place:],
    }[change]
    is_padding = changed.rstrip("=") == token
    assert bench.kind(changed) != "accepted" or changed == token or is_padding


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
HEADERS = st.fixed_dictionaries(
    {"alg": st.sampled_from(["ES256", "RS256", "EdDSA", "HS256", "none", "HS384", "PS256", "ES384", ""]) | JSON},
    optional=dict.fromkeys(("typ", "crit", "b64", "jku", "x5u", "jwk", "cty"), JSON),
)
CLAIM_NAMES = ("exp", "nbf", "iat", "sub", "aud", "role", "is_anonymous", "app_metadata", "user_metadata", "jti")


def _encoded(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


@MANY
@given(data=st.data(), header=HEADERS, said=st.dictionaries(st.sampled_from(CLAIM_NAMES), JSON))
def test_a_made_up_token_is_not_accepted(
    bench: Bench, data: st.DataObject, header: dict[str, Any], said: dict[str, Any]
) -> None:
    head, body, signature = data.draw(st.sampled_from(bench.good)).split(".")
    known = json.loads(base64.urlsafe_b64decode(head + "=="))
    true = json.loads(base64.urlsafe_b64decode(body + "=="))
    made_up = data.draw(
        st.binary(max_size=80).map(lambda raw: base64.urlsafe_b64encode(raw).decode()) | st.just(signature)
    )
    token = f"{_encoded({**known, **header})}.{_encoded({**true, **said, 'note': 'made up'})}.{made_up}"
    assert bench.kind(token) != "accepted"


@MANY
@given(st.text(max_size=300) | st.lists(st.text(LETTERS, max_size=60), max_size=6).map(".".join))
def test_any_text_is_refused_or_left_to_others(bench: Bench, text: str) -> None:
    assert bench.kind(text) in ("nobody", "malformed", "size")


@MANY
@given(said=st.dictionaries(st.sampled_from(CLAIM_NAMES), JSON))
def test_a_signed_token_with_any_claims_is_one_of_a_user_or_refused(bench: Bench, said: dict[str, Any]) -> None:
    """Nothing that a project could sign breaks the server."""
    import jwt

    true = json.loads(base64.urlsafe_b64decode(bench.good[3].split(".")[1] + "=="))
    payload = json.dumps({**true, **said}).encode()
    token = jwt.PyJWS().encode(payload, JWT_SECRET, "HS256")
    kinds = {"accepted", "claim", "malformed", "expired", "not_yet", "audience", "role", "anonymous"}
    assert bench.kind(token) in kinds
