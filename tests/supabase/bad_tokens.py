"""Tokens that let nobody in, by what is wrong with them."""

import base64
import json
import time
from collections.abc import Callable, Mapping
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.supabase.identity import Identity, new_key
from tests.supabase.project import User

Make = Callable[[Identity, User], str]


def _tampered(identity: Identity, user: User) -> str:
    """The claims of one token with the signature of another."""
    one, other = identity.issue(user), identity.issue(user, role="service_role")
    return ".".join([*other.split(".")[:2], one.split(".")[2]])


def _confused(identity: Identity, user: User) -> str:
    """Signed with HS256, the secret being the public key that everybody may read."""
    import hashlib
    import hmac

    key = identity.keys[0]
    secret = key.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header = _part({"alg": "HS256", "typ": "JWT", "kid": key.kid})
    body = f"{header}.{_part(identity.claims(user))}"
    signature = hmac.new(secret, body.encode(), hashlib.sha256).digest()
    return f"{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def _renamed(identity: Identity, user: User) -> str:
    """Signed well, with the name of an algorithm that the key is not for."""
    header = {"alg": "RS256", "typ": "JWT", "kid": identity.keys[0].kid}
    return ".".join([_part(header), *identity.issue(user).split(".")[1:]])


def _part(value: Mapping[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _own_key(name: str) -> Make:
    """Signed with a key of the caller's own, which the header brings or says where to find."""

    def make(identity: Identity, user: User) -> str:
        mine = new_key()
        brought = {"jwk": mine.public_jwk(), "jku": "http://127.0.0.1:9/jwks.json", "x5u": "http://127.0.0.1:9/x5u"}
        return identity.issue(user, key=mine, headers={name: brought[name], "kid": identity.keys[0].kid})

    return make


BAD_TOKENS: Final[Mapping[str, Make]] = {
    "expired": lambda identity, user: identity.issue(user, exp=int(time.time()) - 60),
    "without an end": lambda identity, user: identity.issue(user, exp=None),
    "not yet good": lambda identity, user: identity.issue(user, nbf=int(time.time()) + 600),
    "wrong audience": lambda identity, user: identity.issue(user, aud="anon"),
    "without an audience": lambda identity, user: identity.issue(user, aud=None),
    "wrong issuer": lambda identity, user: identity.issue(user, iss="https://evil.example/auth/v1"),
    "without an issuer": lambda identity, user: identity.issue(user, iss=None),
    "without a subject": lambda identity, user: identity.issue(user, sub=None),
    "forged": lambda identity, user: identity.issue(user, key=new_key()),
    "forged with a known kid": lambda identity, user: identity.issue(
        user, key=new_key(), headers={"kid": identity.keys[0].kid}
    ),
    "tampered": _tampered,
    "alg none": lambda identity, user: identity.issue_unsigned(user),
    "key confusion": _confused,
    "wrong algorithm": _renamed,
    "wrong legacy secret": lambda identity, user: identity.issue_legacy(user, secret="x" * 40),
    "jwk of its own": _own_key("jwk"),
    "jku of its own": _own_key("jku"),
    "x5u of its own": _own_key("x5u"),
    "anonymous": lambda identity, user: identity.issue(user, is_anonymous=True),
    "service_role": lambda identity, user: identity.issue(user, role="service_role"),
    "anon role": lambda identity, user: identity.issue(user, role="anon"),
    "secret key": lambda identity, user: "sb_secret_0123456789abcdef-Qz",
    "no token at all": lambda identity, user: "Geheimnis",
    "1 MB of claims": lambda identity, user: identity.issue(user, app_metadata={"organization_ids": ["o" * 1_000_000]}),
    "15 000 organisations": lambda identity, user: identity.issue(user, organizations=["o"] * 15_000),
}
