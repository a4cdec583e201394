"""Puts the caller's Principal into the scope of each request, or turns the request away."""

from collections.abc import Sequence

from longline.asgi.mount import PRINCIPAL, ProtocolMount
from longline.asgi.types import ASGIApp, Receive, Scope, Send
from longline.auth.authenticator import Authenticator, Credentials, authenticate
from longline.auth.principal import ANONYMOUS, LOCAL
from longline.errors import LonglineError


def authenticated(mount: ProtocolMount, authenticators: Sequence[Authenticator]) -> ASGIApp:
    """The mount's app behind the authenticators. The scope's path is still the whole one."""
    app = mount.app
    public = {mount.path.rstrip("/") + path for path in mount.public_paths}

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if not authenticators:
            scope[PRINCIPAL] = LOCAL
        else:
            try:
                scope[PRINCIPAL] = await authenticate(authenticators, _credentials(scope))
            except LonglineError as error:  # refused, or an authenticator that cannot tell (its storage is away)
                if scope["path"] not in public and scope.get("method") != "OPTIONS":
                    await mount.refuse(error)(scope, receive, send)
                    return
                scope[PRINCIPAL] = ANONYMOUS
        await app(scope, receive, send)

    return call


def _credentials(scope: Scope) -> Credentials:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    query = scope.get("query_string", b"").decode("latin-1")
    return Credentials(method=scope.get("method", "GET"), path=scope["path"], headers=headers, query=query)
