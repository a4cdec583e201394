"""The caller, as everything behind the protocol edge sees it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from longline.models.json import JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """An authenticated caller. `claims` reach graphs as part of the user; `token` never leaves the process in clear."""

    identity: str
    display_name: str = ""
    permissions: tuple[str, ...] = ()
    organizations: tuple[str, ...] = ()
    claims: Mapping[str, JsonValue] = field(default_factory=dict)
    token: str | None = field(default=None, repr=False)
    token_name: str | None = None
    """The configurable key under which graphs find the token, as a handle. None: only the server's own parts do."""
    token_expires_at: datetime | None = None
    """When the token is worth nothing any more, if that is known."""
    is_authenticated: bool = True


LOCAL = Principal(identity="", is_authenticated=False)
"""Everyone, where authentication is off: one local user who owns everything."""

ANONYMOUS = Principal(identity="", display_name="anonymous")
"""Somebody without credentials on a public path of a server that asks for them: owns nothing, sees nobody's."""

SYSTEM = Principal(identity="system", display_name="Longline")
"""The server itself, for its own housekeeping. Access rules are never asked about it."""
