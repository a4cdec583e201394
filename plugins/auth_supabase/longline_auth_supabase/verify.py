"""A token that is shown → the claims that its project vouches for."""

import re
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import jwt
from jwt.exceptions import InvalidSubjectError

from longline.models.json import JsonObject
from longline_auth_supabase.errors import TokenRefusedError
from longline_auth_supabase.keys import ALGORITHMS
from longline_auth_supabase.known_tokens import KnownTokens
from longline_auth_supabase.tokens import ShownToken

if TYPE_CHECKING:
    from jwt.types import Options

_REQUIRED: Final = ("exp", "sub", "iss", "aud")
_LEGACY: Final = "HS256"
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_KINDS: Final[tuple[tuple[type[jwt.PyJWTError], str], ...]] = (
    (jwt.ExpiredSignatureError, "expired"),
    (jwt.ImmatureSignatureError, "not_yet"),
    (jwt.InvalidAudienceError, "audience"),
    (jwt.InvalidIssuerError, "issuer"),
    (jwt.MissingRequiredClaimError, "claim"),
    (InvalidSubjectError, "claim"),
    (jwt.InvalidIssuedAtError, "claim"),
    (jwt.InvalidSignatureError, "signature"),
    (jwt.InvalidAlgorithmError, "algorithm"),
)
"""What PyJWT says, by kind of refusal; of two that fit, the first counts. Everything else is malformed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectations:
    """What a token must say to be one of a user who is let in."""

    issuer: str
    audience: str
    roles: Collection[str]
    allows_anonymous: bool
    leeway_seconds: float

    def check(self, claims: JsonObject) -> None:
        """Raises TokenRefusedError for claims that are sound, and not (or no longer) those of such a user."""
        if float(str(claims["exp"])) <= time.time() - self.leeway_seconds:
            raise TokenRefusedError("expired")
        if not isinstance(subject := claims["sub"], str) or not _UUID.fullmatch(subject):
            raise TokenRefusedError("claim")
        role = claims.get("role")
        if role == "service_role":
            raise TokenRefusedError("service_role")
        if not isinstance(role, str) or role not in self.roles:
            raise TokenRefusedError("role")
        self.check_anonymous(claims)

    def check_anonymous(self, user: JsonObject) -> None:
        """Raises TokenRefusedError for somebody who signed in without a name, where those are not let in."""
        if not self.allows_anonymous and user.get("is_anonymous") not in (None, False):
            raise TokenRefusedError("anonymous")


class Keys(Protocol):
    """The public keys of the project."""

    @property
    def version(self) -> int:
        """Another one with each change of the keys."""
        ...

    async def find(self, key_id: str) -> jwt.PyJWK:
        """A key. Raises TokenRefusedError, IdentityAwayError."""
        ...


class Users(Protocol):
    """Those who know whether the session of a token goes on."""

    async def find(self, token: str, claims: JsonObject) -> JsonObject:
        """The user of the token, as they are now. Raises TokenRefusedError, IdentityAwayError."""
        ...


class Verifier:
    """Verifies tokens that claim to come from one project. `users` is asked about tokens that cannot be checked here,
    and with `asks_always` about the others too."""

    def __init__(
        self,
        expected: Expectations,
        *,
        keys: Keys,
        known: KnownTokens,
        secret: str,
        users: Users | None,
        asks_always: bool,
    ) -> None:
        self._expected = expected
        self._keys = keys
        self._known = known
        self._secret = secret
        self._users = users
        self._asks_always = asks_always

    async def verify(self, token: ShownToken) -> JsonObject:
        """Its claims. Raises TokenRefusedError, IdentityAwayError."""
        known = self._known.find(token.text, self._keys.version)
        claims, is_signed = (known, True) if known is not None else await self._check(token)
        self._expected.check(claims)
        if known is None and is_signed:
            self._known.keep(token.text, claims)
        if self._users is None or (is_signed and not self._asks_always):
            return claims
        user = await self._users.find(token.text, claims)
        self._expected.check_anonymous(user)
        return {**claims, **{name: user[name] for name in ("app_metadata", "email", "phone") if name in user}}

    async def _check(self, token: ShownToken) -> tuple[JsonObject, bool]:
        """The claims, and whether their signature was checked. The kind of the key decides about the algorithm, never
        the token: a public key is no secret of HS256."""
        token.check_header()
        if token.algorithm in ALGORITHMS:
            if not token.key_id:
                raise TokenRefusedError("key")
            key = await self._keys.find(token.key_id)
            return self._decode(token, key, key.algorithm_name), True
        if token.algorithm == _LEGACY and self._secret:
            return self._decode(token, self._secret, _LEGACY), True
        if token.algorithm == _LEGACY and self._users is not None:
            return self._decode(token, None, _LEGACY), False
        raise TokenRefusedError("algorithm")

    def _decode(self, token: ShownToken, key: jwt.PyJWK | str | None, algorithm: str) -> JsonObject:
        expected = self._expected
        options: Options = {
            "require": list(_REQUIRED), "verify_signature": key is not None, "verify_exp": True, "verify_nbf": True,
            "verify_iat": True, "verify_aud": True, "verify_iss": True, "verify_sub": True,
        }  # fmt: skip
        try:
            return jwt.decode(
                token.text,
                key if key is not None else "",
                algorithms=[algorithm],
                options=options,
                audience=expected.audience,
                issuer=expected.issuer,
                leeway=expected.leeway_seconds,
            )
        except jwt.PyJWTError as error:
            raise TokenRefusedError(_kind_of(error, _KINDS)) from error
        except (ValueError, TypeError, ArithmeticError, RecursionError) as error:  # of values that nobody foresaw
            raise TokenRefusedError("malformed") from error


def _kind_of(error: jwt.PyJWTError, kinds: Iterable[tuple[type[jwt.PyJWTError], str]]) -> str:
    return next((kind for known, kind in kinds if isinstance(error, known)), "malformed")
