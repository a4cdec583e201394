"""A principal on paper: whoever asked for work that is done later, when they are not there."""

from collections.abc import Mapping
from datetime import datetime
from typing import cast

from longline.auth.principal import Principal
from longline.auth.secrets import Vault
from longline.models.json import JsonObject, JsonValue, as_object


def keep_principal(principal: Principal, vault: Vault) -> JsonObject:
    """The principal as it may be stored: the token, and what else is secret by its name, is sealed."""
    kept: JsonObject = {
        "identity": principal.identity,
        "display_name": principal.display_name,
        "permissions": list(principal.permissions),
        "organizations": list(principal.organizations),
        "claims": dict(principal.claims),
        "is_authenticated": principal.is_authenticated,
        "token_name": principal.token_name,
        "token_expires_at": None if principal.token_expires_at is None else principal.token_expires_at.isoformat(),
    }
    return vault.seal(kept if principal.token is None else {**kept, "token": principal.token})


def recall_principal(kept: JsonObject, vault: Vault) -> Principal:
    """The principal that was kept, by this version or one before. A token that cannot be opened any more (another key)
    is left out."""
    opened = cast("JsonObject", vault.open_in_clear(kept))  # what was sealed was JSON
    expires_at = _text(opened, "token_expires_at")
    return Principal(
        identity=str(opened["identity"]),
        display_name=str(opened["display_name"]),
        permissions=_texts(opened, "permissions"),
        organizations=_texts(opened, "organizations"),
        claims=as_object(opened["claims"]),
        token=_text(opened, "token"),
        token_name=_text(opened, "token_name"),
        token_expires_at=None if expires_at is None else datetime.fromisoformat(expires_at),
        is_authenticated=opened["is_authenticated"] is True,
    )


def _text(kept: Mapping[str, JsonValue], name: str) -> str | None:
    found = kept.get(name)
    return found if isinstance(found, str) else None


def _texts(kept: Mapping[str, JsonValue], name: str) -> tuple[str, ...]:
    found = kept[name]
    return tuple(str(text) for text in found) if isinstance(found, list) else ()
