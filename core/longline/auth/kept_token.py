"""A caller's token on paper: whoever executes their run, now or later, here or elsewhere, can use it while it lasts."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import orjson
from pydantic import SecretStr

from longline.auth.principal import Principal
from longline.auth.secrets import Vault
from longline.models.json import JsonObject

CALLER_TOKEN: Final = "__caller_token__"  # noqa: S105  # a name
"""The configurable key under which whatever a run executes finds its caller's token, as a `pydantic.SecretStr`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptToken:
    """A token that was kept. Without a `secret` it cannot be used, and `fault` says why."""

    name: str | None = None
    """The configurable key under which graphs expect it, beside the server's own."""
    secret: SecretStr | None = field(default=None, repr=False)
    fault: str = ""

    @property
    def configurable(self) -> dict[str, object]:
        """The token as configurable values: under CALLER_TOKEN and its own name, or nowhere."""
        if self.secret is None:
            return {}
        names = [CALLER_TOKEN] if self.name is None else [CALLER_TOKEN, self.name]
        return dict.fromkeys(names, self.secret)


def keep_token(principal: Principal, vault: Vault) -> str | None:
    """The principal's token as it may be stored; None if there is none. A principal who ought to have one, as graphs
    expect it, and has not any more, leaves a note of that."""
    if principal.token is None and principal.token_name is None:
        return None
    expires_at = principal.token_expires_at
    kept: JsonObject = {
        "token": None if principal.token is None else vault.seal_text(principal.token),
        "token_name": principal.token_name,
        "token_expires_at": None if expires_at is None else expires_at.isoformat(),
    }
    return orjson.dumps(kept).decode()


def open_token(kept: str, vault: Vault, now: datetime) -> KeptToken:
    """The token that was kept, as a handle, if it is worth anything at this time and was sealed with this key."""
    said = orjson.loads(kept)
    name, sealed, expires_at = said["token_name"], said["token"], said["token_expires_at"]
    if sealed is None:
        return KeptToken(name=name, fault="lost")
    if expires_at is not None and datetime.fromisoformat(expires_at) <= now:
        return KeptToken(name=name, fault="expired")
    token = vault.open_text(sealed)
    if token is None:
        return KeptToken(name=name, fault="sealed with another key")
    return KeptToken(name=name, secret=SecretStr(token))
