"""Every way in which a token is not one of a user of this project."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from tests.plugins.auth_supabase.asking import refusal
from tests.plugins.auth_supabase.conftest import ANNA, Make
from tests.supabase.identity import ALGORITHMS, JWT_SECRET, KEY, Algorithm, Identity, SigningKey, new_key

pytestmark = pytest.mark.anyio

Forge = Callable[[Identity], str]


def _encoded(part: object) -> str:
    data = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unsigned(identity: Identity, header: dict[str, Any]) -> str:
    return f"{_encoded(header)}.{_encoded(identity.claims(ANNA))}."


def _with_key_id_of_another(identity: Identity) -> str:
    return identity.issue(ANNA, key=new_key(), headers={"kid": identity.keys[0].kid})


def _claims_swapped(identity: Identity) -> str:
    head, _, signature = identity.issue(ANNA).split(".")
    return f"{head}.{_encoded(identity.claims(ANNA, email='root@kanzlei.example'))}.{signature}"


def _public_key_as_secret(identity: Identity) -> str:
    """The old trick: HS256 with what everybody can read."""
    key = identity.keys[0].private.public_key()
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    header = {"alg": "HS256", "typ": "JWT", "kid": identity.keys[0].kid}
    signed = f"{_encoded(header)}.{_encoded(identity.claims(ANNA))}"
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(signed.encode(), pem)
    return f"{signed}.{_encoded(signature)}"


def _other_curve(identity: Identity) -> str:
    key = SigningKey(identity.keys[0].kid, "ES256", ec.generate_private_key(ec.SECP384R1()))
    return jwt.encode(identity.claims(ANNA), key.private, "ES384", {"kid": key.kid})


def _other_type(identity: Identity) -> str:
    return identity.issue(ANNA, key=SigningKey(identity.keys[0].kid, "RS256", new_key("RS256").private))


def _own_key(identity: Identity) -> str:
    mine = new_key()
    return identity.issue(ANNA, key=mine, headers={"jwk": mine.public_jwk()})


FORGED: dict[str, tuple[Forge, str]] = {
    "signed with another key of the same id": (_with_key_id_of_another, "signature"),
    "claims swapped": (_claims_swapped, "signature"),
    "signed with an unknown key": (lambda i: i.issue(ANNA, key=new_key()), "key"),
    "without a key id": (lambda i: jwt.encode(i.claims(ANNA), i.keys[0].private, "ES256"), "key"),
    "key id of another type": (_other_type, "algorithm"),
    "another curve": (_other_curve, "algorithm"),
    "alg none": (lambda i: _unsigned(i, {"alg": "none", "typ": "JWT"}), "algorithm"),
    "alg None": (lambda i: _unsigned(i, {"alg": "None", "kid": i.keys[0].kid}), "algorithm"),
    "alg empty": (lambda i: _unsigned(i, {"alg": "", "kid": i.keys[0].kid}), "algorithm"),
    "alg es256": (lambda i: _unsigned(i, {"alg": "es256", "kid": i.keys[0].kid}), "algorithm"),
    "unsigned": (lambda i: _unsigned(i, {"alg": "ES256", "kid": i.keys[0].kid}), "signature"),
    "HS512": (lambda i: jwt.encode(i.claims(ANNA), JWT_SECRET * 2, "HS512"), "algorithm"),
    "public key as secret": (_public_key_as_secret, "signature"),
    "another secret": (lambda i: i.issue_legacy(ANNA, secret=JWT_SECRET[::-1]), "signature"),
    "jku": (lambda i: i.issue(ANNA, headers={"jku": "http://127.0.0.1:1/keys.json"}), "header"),
    "x5u": (lambda i: i.issue(ANNA, headers={"x5u": "http://127.0.0.1:1/chain.pem"}), "header"),
    "x5c": (lambda i: i.issue(ANNA, headers={"x5c": ["MIIB"]}), "header"),
    "jwk": (_own_key, "header"),
    "crit": (lambda i: i.issue(ANNA, headers={"crit": ["exp"]}), "header"),
}  # fmt: skip
CLAIMED: dict[str, tuple[dict[str, Any], str]] = {
    "expired": ({"exp": int(time.time()) - 3600}, "expired"),
    "no exp": ({"exp": None}, "claim"),
    "exp a word": ({"exp": "tomorrow"}, "malformed"),
    "exp a list": ({"exp": [1]}, "malformed"),
    "exp infinite": ({"exp": float("inf")}, "malformed"),
    "not yet": ({"nbf": int(time.time()) + 3600}, "not_yet"),
    "issued in the future": ({"iat": int(time.time()) + 3600}, "not_yet"),
    "another audience": ({"aud": "somebody-else"}, "audience"),
    "no audience": ({"aud": None}, "claim"),
    "audience an object": ({"aud": {"authenticated": True}}, "audience"),
    "another issuer": ({"iss": "https://elsewhere.example/auth/v1"}, "nobody"),
    "no issuer": ({"iss": None}, "nobody"),
    "no subject": ({"sub": None}, "claim"),
    "subject empty": ({"sub": ""}, "claim"),
    "subject system": ({"sub": "system"}, "claim"),
    "subject in braces": ({"sub": "{7a1f0d2e-94d5-4c2e-9a43-3a4d9c1f5b10}"}, "claim"),
    "subject with a line after it": ({"sub": f"{ANNA.id}\n"}, "claim"),
    "no role": ({"role": None}, "role"),
    "role anon": ({"role": "anon"}, "role"),
    "role a list": ({"role": ["authenticated"]}, "role"),
    "role service_role": ({"role": "service_role"}, "service_role"),
    "anonymous": ({"is_anonymous": True}, "anonymous"),
    "anonymous by a word": ({"is_anonymous": "true"}, "anonymous"),
}
KINDS = {name: kind for name, (_, kind) in CLAIMED.items()}
ODD = {
    "garbage": ("garbage", "nobody"),
    "empty parts": ("..", "nobody"),
    "five parts": ("eyJhbGciOiJkaXIifQ.a.b.c.d", "nobody"),
    "header no object": (f"{_encoded(b'ey')}.e30.x", "nobody"),
    "header without alg": ("e30.e30.x", "nobody"),
    "claims no object": (f"{_encoded({'alg': 'ES256', 'kid': 'k'})}.{_encoded([1])}.x", "malformed"),
    "claims no base64": (f"{_encoded({'alg': 'ES256', 'kid': 'k'})}.§§§.x", "nobody"),
    "claims no JSON": (f"{_encoded({'alg': 'ES256', 'kid': 'k'})}.{_encoded(b'{')}.x", "malformed"),
    "deep claims": (f"{_encoded({'alg': 'ES256', 'kid': 'k'})}.{_encoded(b'[' * 5000)}.x", "malformed"),
    "a secret key": ("sb_secret_N7UND0UgjKTVK", "service_role"),
    "a publishable key": (KEY, "anon_key"),
    "a legacy service key": (jwt.encode({"iss": "supabase", "role": "service_role"}, JWT_SECRET), "service_role"),
    "a legacy anon key": (jwt.encode({"iss": "supabase", "role": "anon"}, JWT_SECRET), "anon_key"),
}


async def test_a_forged_token_is_refused(make: Make, identity: Identity) -> None:
    authenticator = make(jwt_secret=JWT_SECRET)
    found = {name: await refusal(authenticator, forge(identity)) for name, (forge, _) in FORGED.items()}
    assert found == {name: kind for name, (_, kind) in FORGED.items()}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_signed_token_that_says_something_else_is_refused(
    make: Make, identity: Identity, algorithm: Algorithm
) -> None:
    identity.rotate(algorithm)
    authenticator = make()
    assert await refusal(authenticator, identity.issue(ANNA)) == "accepted"
    found = {
        name: await refusal(authenticator, identity.issue(ANNA, **claims)) for name, (claims, _) in CLAIMED.items()
    }
    assert found == KINDS


@pytest.mark.parametrize("secret", [JWT_SECRET, ""])
async def test_so_is_one_of_a_project_with_a_secret(make: Make, identity: Identity, secret: str) -> None:
    """Without it the Auth server is asked, but not about what anybody can see."""
    authenticator = make(jwt_secret=secret)
    found = {
        name: await refusal(authenticator, identity.issue_legacy(ANNA, **claims))
        for name, (claims, _) in CLAIMED.items()
    }
    assert found == KINDS
    assert identity.counts["user"] == 0
    assert await refusal(authenticator, identity.issue_legacy(ANNA)) == "accepted"


async def test_what_is_no_token_of_a_user_is_refused_or_left_to_others(make: Make) -> None:
    authenticator = make(jwt_secret=JWT_SECRET)
    found = {name: await refusal(authenticator, text) for name, (text, _) in ODD.items()}
    assert found == {name: kind for name, (_, kind) in ODD.items()}


async def test_a_megabyte_of_claims_is_not_even_read(make: Make, identity: Identity) -> None:
    token = identity.issue(ANNA, app_metadata={"note": "x" * 1_000_000})
    assert len(token) > 1_000_000
    assert await refusal(make(), token) == "size"
    assert identity.counts["jwks"] == 0


async def test_the_longest_token_has_a_setting(make: Make, identity: Identity) -> None:
    token = identity.issue(ANNA, app_metadata={"note": "x" * 20_000})
    assert await refusal(make(), token) == "size"
    assert await refusal(make(max_token_bytes=100_000), token) == "accepted"


async def test_clocks_may_be_off_by_half_a_minute(make: Make, identity: Identity) -> None:
    now = int(time.time())
    authenticator = make()
    assert await refusal(authenticator, identity.issue(ANNA, exp=now - 20)) == "accepted"
    assert await refusal(authenticator, identity.issue(ANNA, nbf=now + 20, iat=now + 20)) == "accepted"
    assert await refusal(authenticator, identity.issue(ANNA, exp=now - 40)) == "expired"
    assert await refusal(authenticator, identity.issue(ANNA, nbf=now + 40)) == "not_yet"


async def test_a_weak_key_of_the_project_is_no_key(make: Make, identity: Identity) -> None:
    weak = SigningKey("weak", "RS256", rsa.generate_private_key(public_exponent=65537, key_size=1024))
    identity.keys.append(weak)
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        token = identity.issue(ANNA, key=weak)
    assert await refusal(make(), token) == "key"


async def test_anonymous_users_and_other_roles_may_be_let_in(make: Make, identity: Identity) -> None:
    authenticator = make(allow_anonymous=True, roles=["authenticated", "anon"])
    assert await refusal(authenticator, identity.issue(ANNA, is_anonymous=True)) == "accepted"
    assert await refusal(authenticator, identity.issue(ANNA, role="anon")) == "accepted"
    assert await refusal(authenticator, identity.issue(ANNA, role="service_role")) == "service_role"


async def test_refusals_are_counted_by_kind_and_logged_without_the_token(
    make: Make, identity: Identity, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    authenticator = make()
    shown = [
        identity.issue(ANNA, exp=1),
        identity.issue(ANNA, exp=1),
        identity.issue(ANNA, aud="x"),
        "sb_secret_abcdef",
    ]
    for token in shown:
        await refusal(authenticator, token)
    assert authenticator.refusals.counts == {"expired": 2, "audience": 1, "service_role": 1}
    told = [record for record in caplog.records if record.message == "token refused"]
    assert [record.__dict__["kind"] for record in told] == ["expired", "expired", "audience", "service_role"]
    for record in caplog.records:
        text = f"{record.getMessage()} {record.__dict__}"
        assert not any(part in text for token in shown for part in token.split(".") if len(part) > 8)
