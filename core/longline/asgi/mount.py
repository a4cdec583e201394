"""A protocol's place in the server."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from longline.asgi.respond import refuse_plainly
from longline.asgi.types import ASGIApp, Middleware
from longline.errors import LonglineError

PRINCIPAL = "longline.principal"
"""The key under which the scope of an authenticated request holds its Principal."""
REQUEST_ID = "longline.request_id"
"""The key under which the scope holds the request's id: the caller's `X-Request-ID` if it is safe, else a new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolMount:
    """An ASGI app to serve below `path` ("" is the root; the longest matching path wins).

    The app sees the path below its mount, with `root_path` extended, and never a lifespan event: what must start and
    stop is `lifespan`, entered once before serving. Requests to `public_paths` (exact, below the mount) need no
    credentials: ANONYMOUS is who shows none. `refuse` renders an error in the protocol's own form when the server turns
    a request away before the app sees it: UnauthenticatedError, a body that is too large, or whatever LonglineError an
    authenticator raises.
    """

    path: str
    app: ASGIApp
    lifespan: Callable[[], AbstractAsyncContextManager[object]] | None = None
    public_paths: frozenset[str] = field(default_factory=frozenset)
    refuse: Callable[[LonglineError], ASGIApp] = refuse_plainly


@dataclass(frozen=True, slots=True, kw_only=True)
class AppWrapper:
    """Middleware round the whole server, with its place among others: the lowest order is outermost."""

    order: int
    wrap: Middleware
