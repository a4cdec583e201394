"""As whom servers are called: the caller of a run, and the token that they came with."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import SecretStr

from longline.auth.kept_token import CALLER_TOKEN
from longline.graphs.binding import principal_of
from longline.models.json import JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls. Without a token they can be nobody's user but this server's."""

    identity: str
    token: SecretStr | None = field(default=None, repr=False)

    @property
    def token_digest(self) -> str:
        """What the token is told from others by."""
        token = self.token.get_secret_value() if self.token is not None else ""
        return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def caller_of(configurable: Mapping[str, JsonValue]) -> Caller:
    """The caller, from what the server put into a run's configuration."""
    token: object = configurable.get(CALLER_TOKEN)
    known = token if isinstance(token, SecretStr) and token.get_secret_value() else None
    return Caller(identity=principal_of(configurable).identity, token=known)
