"""The whole server as one ASGI app: mounts by longest path, each behind its limits and authentication."""

from collections.abc import Sequence

from longline.asgi.authenticate import authenticated
from longline.asgi.limits import limited
from longline.asgi.mount import AppWrapper, ProtocolMount
from longline.asgi.paths import path_below
from longline.asgi.respond import json_response
from longline.asgi.routes import name_route
from longline.asgi.types import ASGIApp, Receive, Scope, Send
from longline.auth.authenticator import Authenticator

_NOT_FOUND = json_response(404, {"error": {"code": "not_found", "message": "nothing is served at this path"}})


def assemble(
    mounts: Sequence[ProtocolMount],
    wrappers: Sequence[AppWrapper],
    authenticators: Sequence[Authenticator],
    *,
    max_body_bytes: int,
) -> ASGIApp:
    """`mounts` longest path first, `wrappers` outermost first."""
    served = [
        (mount.path.rstrip("/"), limited(authenticated(mount, authenticators), mount, max_body_bytes))
        for mount in mounts
    ]

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            raise RuntimeError(f"unexpected ASGI scope {scope['type']!r}")  # noqa: TRY003  # a host's mistake
        asked = path_below(scope)
        for path, app in served:
            if not path or asked == path or asked.startswith(path + "/"):
                if path:
                    scope = {**scope, "root_path": scope.get("root_path", "") + path}  # ASGI: a copy
                    name_route(scope, "")  # until the app says it better
                await app(scope, receive, send)
                return
        await _NOT_FOUND(scope, receive, send)

    app: ASGIApp = route
    for wrapper in reversed(wrappers):
        app = wrapper.wrap(app)
    return app
