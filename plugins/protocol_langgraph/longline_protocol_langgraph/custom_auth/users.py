"""Users: what an authenticate handler returns → our Principal → what `on` handlers see."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

import orjson

from longline.auth.principal import Principal
from longline.encoding import encode
from longline.errors import UnauthenticatedError
from longline.graphs.binding import user_of
from longline.models.json import JsonObject, JsonValue
from longline_protocol_langgraph.custom_auth.errors import HandlerFailedError

if TYPE_CHECKING:
    from langgraph_sdk.auth.types import StudioUser

logger = logging.getLogger(__name__)

STUDIO: Final = Principal(
    identity="langgraph-studio-user",
    display_name="langgraph-studio-user",
    permissions=("authenticated",),
    claims={"kind": "StudioUser"},
)
"""Who shows the studio key."""

_OWN: Final = frozenset({"identity", "display_name", "is_authenticated", "permissions"})
_ORGANIZATIONS: Final = "organizations"


def principal_from(user: object, *, token: str | None) -> Principal | None:
    """The caller, from an id, a mapping or an object with an `identity`; None if the handler knows nobody. Everything
    else that it says of the user becomes claims. Raises UnauthenticatedError for `is_authenticated: False`,
    HandlerFailedError for what is no user."""
    if user is None:
        return None
    fields = {"identity": user} if isinstance(user, str) else _fields(user)
    if not fields.get("is_authenticated", True):
        raise UnauthenticatedError
    identity = fields.get("identity")
    if not identity or not isinstance(identity, str):
        raise HandlerFailedError("authenticate", "the user that it returned has no identity, which is a text")
    return Principal(
        identity=identity,
        display_name=str(fields.get("display_name") or identity),
        permissions=_permissions(fields.get("permissions")),
        organizations=_organizations(fields.pop(_ORGANIZATIONS, None)),
        claims=_claims({name: value for name, value in fields.items() if name not in _OWN}),
        token=token,
    )


class HandlerUser(Mapping[str, JsonValue]):
    """The user as handlers and custom routes see it: `langgraph_sdk.auth.types.BaseUser`. Whatever the authenticate
    handler said of the user is a key, and an attribute."""

    def __init__(self, principal: Principal) -> None:
        self._fields: JsonObject = user_of(principal) or {"identity": principal.identity, "is_authenticated": False}
        self.identity = principal.identity
        self.display_name = principal.display_name or principal.identity
        self.permissions = list(principal.permissions)
        self.is_authenticated = principal.is_authenticated

    def __getitem__(self, key: str) -> JsonValue:
        return self._fields[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __getattr__(self, name: str) -> JsonValue:
        if name.startswith("_") or name not in self._fields:
            raise AttributeError(f"the user has no {name!r}")  # noqa: TRY003  # Python's own error
        return self._fields[name]


def handler_user(principal: Principal) -> "HandlerUser | StudioUser":
    """The user for an `on` handler. Only who showed the studio key is a StudioUser."""
    if principal is not STUDIO:
        return HandlerUser(principal)
    from langgraph_sdk.auth.types import StudioUser  # noqa: PLC0415  # slow, and only where there is an Auth

    return StudioUser(principal.identity, is_authenticated=True)


def _fields(user: object) -> dict[str, object]:
    """What is known of a user: the entries of a mapping, the fields of an object."""
    if isinstance(user, Mapping):
        return {str(name): value for name, value in user.items()}
    found: dict[str, object] = {}
    dump = getattr(user, "model_dump", None)
    if callable(dump):
        found.update(dump())
    else:
        found.update({name: value for name, value in _attributes(user) if not name.startswith("_")})
    for name in _OWN:
        if hasattr(user, name):  # properties too
            found[name] = getattr(user, name)
    return found


def _attributes(user: object) -> Iterable[tuple[str, object]]:
    slots = [name for kind in type(user).__mro__ for name in _names(getattr(kind, "__slots__", ()))]
    yield from ((name, getattr(user, name)) for name in slots if hasattr(user, name))
    yield from getattr(user, "__dict__", {}).items()


def _names(slots: object) -> Iterable[str]:
    return [slots] if isinstance(slots, str) else [str(name) for name in slots] if isinstance(slots, Iterable) else []


def _permissions(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise HandlerFailedError("authenticate", "the permissions of the user that it returned are not a list")
    return tuple(str(permission) for permission in value)


def _organizations(value: object) -> tuple[str, ...]:
    """Their ids. Whatever else a handler calls so is not what access rules mean by it."""
    found = value if isinstance(value, list | tuple | set | frozenset) else ()
    return tuple(entry for entry in found if isinstance(entry, str))


def _claims(fields: Mapping[str, object]) -> dict[str, JsonValue]:
    """What can be written as JSON: claims are stored with the runs of a user."""
    claims: dict[str, JsonValue] = {}
    for name, value in fields.items():
        try:
            claims[name] = orjson.loads(encode(value))
        except TypeError:  # an object of the handler's own, such as a client
            logger.debug("field of the user left out", extra={"field": name, "type": type(value).__name__})
    return claims
