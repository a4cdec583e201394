"""Credentials → Principal. Authenticators are tried in the configured order until one knows the caller."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from longline.auth.principal import LOCAL, Principal
from longline.errors import UnauthenticatedError


async def _no_body() -> bytes:
    return b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a request shows. Header names are lower case; `query` is raw, without the question mark; `path` is the one
    below whatever the whole server is mounted at."""

    method: str
    path: str
    headers: Mapping[str, str]
    query: str = ""
    scope: Mapping[str, object] = field(default_factory=dict, repr=False)
    """The ASGI scope, for who needs more than this: to look at, not to change."""
    read_body: Callable[[], Awaitable[bytes]] = field(default=_no_body, repr=False)
    """The whole body; empty for a websocket. The app still gets it as it came. Raises BodyTooLargeError. An
    authenticator that does not call it costs the request nothing."""

    @property
    def bearer(self) -> str | None:
        """The token of an `Authorization: Bearer` header, if there is one (RFC 6750 §2.1, the scheme in any case)."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() or None if scheme.lower() == "bearer" else None


class Authenticator(Protocol):
    """Recognises one kind of credentials."""

    @property
    def name(self) -> str:
        """Its name in `[auth] order`."""
        ...

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """The caller, or None if these credentials are not of this kind. Raises UnauthenticatedError if they are, and
        are bad: then no other authenticator is tried."""
        ...


@runtime_checkable
class OrganizationAuthenticator(Authenticator, Protocol):
    """One that can tell which organisations a caller belongs to."""

    @property
    def knows_organizations(self) -> bool:
        """Whether it does, as it is configured. One that looks whether that works does so before the server is open,
        and tells what it found from then on."""
        ...


@runtime_checkable
class IssuedAuthenticator(Authenticator, Protocol):
    """One that takes the tokens of an issuer, where callers can get them."""

    @property
    def issuer(self) -> str:
        """The URL by which the issuer calls itself (RFC 8414 §2); empty if it has none that callers could use."""
        ...


@runtime_checkable
class RenewingAuthenticator(Authenticator, Protocol):
    """One that can look again at a caller who is not there."""

    async def renew(self, principal: Principal) -> Principal | None:
        """The caller as they are now, e.g. with the organisations that they belong to today; None if they are not of
        this kind, or only what they show tells. Raises IdentityAwayError."""
        ...


async def renew(authenticators: Sequence[Authenticator], principal: Principal) -> Principal:
    """Whoever left work behind, as they are now. Raises IdentityAwayError."""
    for authenticator in authenticators:
        if principal.is_authenticated and isinstance(authenticator, RenewingAuthenticator):
            found = await authenticator.renew(principal)
            if found is not None:
                return found
    return principal


async def authenticate(authenticators: Sequence[Authenticator], credentials: Credentials) -> Principal:
    """The first principal that an authenticator finds; LOCAL where there are none. Raises UnauthenticatedError."""
    if not authenticators:
        return LOCAL
    for authenticator in authenticators:
        principal = await authenticator.authenticate(credentials)
        if principal is not None:
            return principal
    raise UnauthenticatedError
