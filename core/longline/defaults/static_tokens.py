"""Bearer tokens from the settings: authentication for a small team or a test, without an identity provider."""

import hmac
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints

from longline.auth.authenticator import Credentials
from longline.auth.principal import Principal
from longline.settings import SettingsModel

_Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
_Token = Annotated[SecretStr, Field(min_length=1)]


class StaticTokensSettings(SettingsModel):
    """Who may come in, by token."""

    tokens: dict[_Name, _Token] = Field(
        default_factory=dict, description="User name → bearer token. With at least one, callers must show a token."
    )


class StaticTokens:
    """Recognises `Authorization: Bearer` with one of the configured tokens; see Authenticator."""

    name = "static_tokens"

    def __init__(self, tokens: Mapping[str, SecretStr]) -> None:
        self._tokens = {identity: token.get_secret_value().encode() for identity, token in tokens.items()}

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """See Authenticator. All tokens are compared, so that the time tells nothing."""
        shown = (credentials.bearer or "").encode()
        if not shown:
            return None
        matching = [who for who, token in self._tokens.items() if hmac.compare_digest(token, shown)]
        return Principal(identity=matching[0], display_name=matching[0], token=credentials.bearer) if matching else None
