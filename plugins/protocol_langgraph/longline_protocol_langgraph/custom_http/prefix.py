"""The whole server below one path."""

from longline.asgi.paths import path_below
from longline.asgi.types import ASGIApp, Receive, Scope, Send
from longline_protocol_langgraph.replies import nothing_here


def below(prefix: str, app: ASGIApp) -> ASGIApp:
    """The app at `prefix`, and nothing elsewhere."""
    if not prefix:
        return app

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        path = path_below(scope)
        if path != prefix and not path.startswith(f"{prefix}/"):
            await nothing_here(scope, receive, send)
            return
        if path == prefix:
            scope = {**scope, "path": f"{scope['path']}/"}  # the root of what is below
        await app({**scope, "root_path": str(scope.get("root_path", "")).rstrip("/") + prefix}, receive, send)

    return call
