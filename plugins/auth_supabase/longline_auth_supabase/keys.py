"""The public keys of a project, as its Auth server lists them (RFC 7517)."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final

import jwt
import orjson

from longline.models.json import JsonObject

logger = logging.getLogger(__name__)

MOST_KEYS: Final = 100
_LEAST_RSA_BITS: Final = 2048  # RFC 7518 §3.3
_KINDS: Final[Mapping[tuple[object, object], tuple[str, tuple[str, ...]]]] = {
    ("EC", "P-256"): ("ES256", ("kty", "crv", "x", "y")),
    ("OKP", "Ed25519"): ("EdDSA", ("kty", "crv", "x")),
    ("RSA", None): ("RS256", ("kty", "n", "e")),
}
"""Type and curve → the one algorithm that a key of it is for, and its public parts."""
ALGORITHMS: Final = frozenset(algorithm for algorithm, _ in _KINDS.values())
"""How tokens may be signed with keys of which everybody may know the public half."""


def parse_keys(document: bytes) -> dict[str, jwt.PyJWK]:
    """The keys that tokens may be signed with, by id. Those that are for something else are left out, also secret ones.
    Raises ValueError for what is no list of keys."""
    found = orjson.loads(document)
    keys = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(keys, list):
        raise ValueError("no list of keys")  # noqa: TRY003, TRY004  # for who fetched it
    return dict(_usable(key for key in keys[:MOST_KEYS] if isinstance(key, dict)))


def _usable(keys: Iterable[JsonObject]) -> Iterable[tuple[str, jwt.PyJWK]]:
    for key in keys:
        key_id = key.get("kid")
        try:
            if isinstance(key_id, str) and key_id:
                yield key_id, _parse(key)
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            logger.warning("signing key left out", extra={"key_id": key_id, "reason": str(error)})


def _parse(key: JsonObject) -> jwt.PyJWK:
    """Raises ValueError, TypeError and PyJWT's errors for a key that cannot be used."""
    kind = (key.get("kty"), key.get("crv"))
    if kind not in _KINDS:
        raise ValueError(f"of type {kind[0]!r}")  # noqa: TRY003  # for the log
    algorithm, parts = _KINDS[kind]
    operations = key.get("key_ops", ["verify"])
    is_for_tokens = key.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations
    if not is_for_tokens or key.get("alg", algorithm) != algorithm:
        raise ValueError(f"not for verifying {algorithm}")  # noqa: TRY003  # for the log
    public: dict[str, Any] = {name: key[name] for name in parts if name in key}  # PyJWT's type
    parsed = jwt.PyJWK.from_dict(public, algorithm=algorithm)
    if algorithm == "RS256" and parsed.key.key_size < _LEAST_RSA_BITS:
        raise ValueError(f"fewer than {_LEAST_RSA_BITS} bits")  # noqa: TRY003  # for the log
    return parsed
