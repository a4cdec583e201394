"""A token as it is shown, before anybody has checked it: good for telling whose business it is, and nothing else."""

import base64
from dataclasses import dataclass, field
from typing import Final

import orjson

from longline.models.json import JsonObject
from longline_auth_supabase.errors import TokenRefusedError

_PARTS: Final = 3
_BEGINNING: Final = "ey"  # of a JSON object in base64
_REFUSED_HEADERS: Final = frozenset({"b64", "crit", "enc", "jku", "jwk", "x5c", "x5u", "zip"})
"""What would bring a key of the token's own, or change how the rest is read. The project's Auth server writes none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownToken:
    """A signed JSON web token (RFC 7519), unverified."""

    text: str = field(repr=False)
    header: JsonObject
    claims: JsonObject = field(repr=False)

    @property
    def algorithm(self) -> str:
        """How it says that it is signed."""
        return str(self.header.get("alg", ""))

    @property
    def key_id(self) -> str:
        """The key that it says it is signed with; empty for none."""
        found = self.header.get("kid")
        return found if isinstance(found, str) else ""

    @property
    def issuer(self) -> object:
        """Who it says has issued it."""
        return self.claims.get("iss")

    def check_header(self) -> None:
        """Raises TokenRefusedError for headers that no honest token has."""
        if not _REFUSED_HEADERS.isdisjoint(self.header):
            raise TokenRefusedError("header")


def read_token(text: str, most_bytes: int) -> ShownToken | None:
    """The token; None for a text that is none. One that is too long is not read. Raises TokenRefusedError."""
    if not text.startswith(_BEGINNING) or text.count(".") != _PARTS - 1 or not text.isascii():
        return None
    if len(text) > most_bytes:
        raise TokenRefusedError("size")
    head, body, _ = text.split(".")
    header = _object_in(head)
    if header is None or not isinstance(header.get("alg"), str):
        return None
    claims = _object_in(body)
    if claims is None:
        raise TokenRefusedError("malformed")
    return ShownToken(text=text, header=header, claims=claims)


def _object_in(part: str) -> JsonObject | None:
    try:
        found = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
