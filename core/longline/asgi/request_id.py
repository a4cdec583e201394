"""An id for every request: the caller's own if it is safe to repeat, else a new one."""

import re
import uuid

from longline.asgi.mount import REQUEST_ID
from longline.asgi.types import ASGIApp, Receive, Scope, Send

_SAFE = re.compile(rb"[A-Za-z0-9._:-]{1,128}")


def with_request_id(app: ASGIApp) -> ASGIApp:
    """Middleware that keeps the request's id in the scope under REQUEST_ID."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            given = next((value for name, value in scope["headers"] if name.lower() == b"x-request-id"), b"")
            scope[REQUEST_ID] = given.decode() if _SAFE.fullmatch(given) else str(uuid.uuid4())
        await app(scope, receive, send)

    return call
