"""Puts the caller's Principal into the scope of each request, or turns the request away."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from longline.asgi.body import RequestBody, declared_length
from longline.asgi.mount import CREDENTIALS, PRINCIPAL, ProtocolMount
from longline.asgi.paths import path_below, path_matcher
from longline.asgi.types import ASGIApp, Receive, Scope, Send
from longline.auth.authenticator import Authenticator, Credentials, authenticate
from longline.auth.principal import ANONYMOUS, LOCAL
from longline.errors import LonglineError

_SMALL_BYTES: Final = 65_536
_PATIENCE_SECONDS: Final = 1.0


def authenticated(mount: ProtocolMount, authenticators: Sequence[Authenticator]) -> ASGIApp:
    """The mount's app behind the authenticators. A request whose scope holds a Principal already was authenticated by
    middleware of this server."""
    app = mount.app
    prefix = mount.path.rstrip("/")
    is_public = path_matcher(mount.public_paths)

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if PRINCIPAL in scope:
            await app(scope, receive, send)
            return
        if not authenticators:
            scope[PRINCIPAL] = LOCAL
            await app(scope, receive, send)
            return
        path, body = path_below(scope), RequestBody(scope, receive)
        try:
            shown = credentials_of(scope, body, prefix + path)
            scope[PRINCIPAL] = await authenticate(authenticators, shown)
            if scope["type"] == "websocket":
                scope[CREDENTIALS] = shown
        except LonglineError as error:  # refused, or an authenticator that cannot tell (its storage is away)
            if not is_public(path) and scope.get("method") != "OPTIONS":
                await _take_small(scope, body)
                await mount.refuse(error)(scope, body.receive, send)
                return
            scope[PRINCIPAL] = ANONYMOUS
        await app(scope, body.receive, send)

    return call


async def _take_small(scope: Scope, body: RequestBody) -> None:
    """Read a small body before a refusal: servers close a connection whose request they answered before it was over,
    and the client's next request, perhaps with a fresh token, would fail on it."""
    if 0 < declared_length(scope) <= _SMALL_BYTES:
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await body.read()


def credentials_of(scope: Scope, body: RequestBody, path: str) -> Credentials:
    """What a request shows to authenticators. `path` is the one below whatever the whole server is mounted at."""
    headers: dict[str, str] = {}
    for line, value in scope["headers"]:
        name, text = line.decode("latin-1").lower(), value.decode("latin-1")
        joint = "; " if name == "cookie" else ", "  # one header in several lines means the same (RFC 9110 §5.3)
        headers[name] = f"{headers[name]}{joint}{text}" if name in headers else text
    return Credentials(
        method=scope.get("method", "GET"),
        path=path,
        headers=headers,
        query=scope.get("query_string", b"").decode("latin-1"),
        scope=scope,
        read_body=body.read,
    )
