"""Keys of the project that stand for no user: those who show one are refused, or may do what the settings name."""

import hmac
from collections.abc import Collection
from typing import Final

from longline.auth.access import Action
from longline.auth.principal import Principal
from longline.errors import ForbiddenError
from longline.models.filters import EVERYTHING, Filter
from longline.models.json import JsonObject
from longline_auth_supabase.errors import TokenRefusedError
from longline_auth_supabase.tokens import ShownToken

IDENTITY: Final = "supabase:service_role"
"""Who shows a service key. Users have UUIDs."""
_ROLE: Final = "service_role"
_SECRET: Final = "sb_secret_"  # noqa: S105  # how they begin
_PUBLISHABLE: Final = "sb_publishable_"
_ISSUERS: Final = ("supabase", "supabase-demo")
"""Of API keys that are tokens. They have no subject."""


class ServiceKeys:
    """Tells API keys from tokens of users. One that is `key` may come in if `is_allowed`."""

    def __init__(self, key: str, *, is_allowed: bool) -> None:
        self._key = key.encode()
        self._is_allowed = is_allowed

    def recognise(self, shown: str, token: ShownToken | None) -> Principal | None:
        """Who shows the key; None if it is no API key. Raises TokenRefusedError."""
        kind = _kind(shown, token)
        if kind is None:
            return None
        is_ours = bool(self._key) and hmac.compare_digest(self._key, shown.encode())
        if kind != _ROLE or not self._is_allowed or not is_ours:
            raise TokenRefusedError(kind)
        return Principal(identity=IDENTITY, display_name="service role", permissions=(_ROLE,), claims={"role": _ROLE})


class ServiceRule:
    """What a service key may do; see AccessRule. Nobody else is asked about."""

    name = "supabase_service_role"

    def __init__(self, allowed: Collection[str]) -> None:
        self._allowed = frozenset(allowed)

    async def decide(self, principal: Principal, action: Action, value: JsonObject) -> Filter:  # noqa: ARG002  # an AccessRule
        """See AccessRule."""
        if principal.identity != IDENTITY:
            return EVERYTHING
        if self._allowed.isdisjoint({"*", action.resource, f"{action.resource}.{action.verb}"}):
            raise ForbiddenError
        return EVERYTHING


def _kind(shown: str, token: ShownToken | None) -> str | None:
    """`service_role`, `anon_key`, or None for what is no API key."""
    if shown.startswith(_SECRET):
        return _ROLE
    if shown.startswith(_PUBLISHABLE):
        return "anon_key"
    if token is None or token.issuer not in _ISSUERS or "sub" in token.claims:
        return None
    return _ROLE if token.claims.get("role") == _ROLE else "anon_key"
