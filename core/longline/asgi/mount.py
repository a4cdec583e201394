"""A protocol's place in the server."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from longline.asgi.respond import refuse_plainly
from longline.asgi.types import ASGIApp, Middleware
from longline.errors import LonglineError
from longline.models.served import ServedProtocol

PRINCIPAL = "longline.principal"
"""The key under which the scope of an authenticated request holds its Principal."""
CREDENTIALS = "longline.credentials"
"""The key under which the scope of an authenticated WebSocket holds the Credentials that it was opened with: it may
outlive them, so whoever does something new for it has them looked at again (`Server.authenticate`)."""
REQUEST_ID = "longline.request_id"
"""The key under which the scope holds the request's id: the caller's `X-Request-ID` if it is safe, else a new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolMount:
    """An ASGI app to serve below `path` ("" is the root; the longest matching path wins).

    The app sees the path below its mount, with `root_path` extended, and never a lifespan event: what must start and
    stop is `lifespan`, entered once before serving. Requests to `public_paths` (below the mount, whole, with `{name}`
    for one part that varies) need no credentials: ANONYMOUS is who shows none. `refuse` renders an error in the
    protocol's own form when the server turns a request away before the app sees it: UnauthenticatedError, a body that
    is too large, or whatever LonglineError an authenticator raises; it is called for WebSockets too (see
    `longline.asgi.websocket.refuse_websocket`). `title` and `pages` are for the server's front page; a mount without a
    title is not shown there.
    """

    path: str
    app: ASGIApp
    lifespan: Callable[[], AbstractAsyncContextManager[object]] | None = None
    public_paths: frozenset[str] = field(default_factory=frozenset)
    refuse: Callable[[LonglineError], ASGIApp] = refuse_plainly
    title: str = ""
    """What is spoken here, in a few words for people."""
    pages: Mapping[str, str] = field(default_factory=dict)
    """What a person may open, by name ("docs"): paths below the mount, or whole URLs."""

    @property
    def facts(self) -> ServedProtocol:
        """What the front page tells of it."""
        path = self.path.rstrip("/")
        pages = {name: place if "://" in place else path + place for name, place in self.pages.items()}
        return ServedProtocol(path=path or "/", title=self.title, pages=pages)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppWrapper:
    """Middleware round the whole server, with its place among others: the lowest order is outermost. What it must start
    and stop is `lifespan`, entered once before serving; it is sent no lifespan event. It may mount the server below a
    path (a longer `root_path`), and may authenticate a request itself: then it puts the Principal into the scope."""

    order: int
    wrap: Middleware
    lifespan: Callable[[], AbstractAsyncContextManager[object]] | None = None
