"""Verified claims → a principal."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final

from longline.auth.principal import Principal
from longline.models.json import JsonObject, JsonValue, as_object

TOKEN_NAME: Final = "x-supabase-access-token"  # noqa: S105  # a name
"""The configurable key under which graphs find the token."""
_LONGEST_NAME: Final = 200


def principal_of(
    claims: JsonObject, token: str, *, organizations: tuple[str, ...], shown: Collection[str]
) -> Principal:
    """The user. `shown` are the claims that graphs see. The name is for people to read: users choose it themselves."""
    return Principal(
        identity=str(claims["sub"]).lower(),
        display_name=_name(claims),
        permissions=(str(claims["role"]),),
        organizations=organizations,
        claims={name: claims[name] for name in shown if name in claims},
        token=token,
        token_name=TOKEN_NAME,
        token_expires_at=_time(claims["exp"]),
    )


def _name(claims: JsonObject) -> str:
    said = as_object(claims.get("user_metadata"))
    candidates = (claims.get("email"), said.get("full_name"), said.get("name"), claims.get("phone"))
    found = next((text for text in candidates if isinstance(text, str) and text.strip()), "")
    return "".join(character for character in found if character.isprintable()).strip()[:_LONGEST_NAME]


def _time(seconds: JsonValue) -> datetime | None:
    """None for a time beyond what there are names for."""
    try:
        return datetime.fromtimestamp(float(str(seconds)), UTC)
    except (ValueError, OverflowError, OSError):
        return None
