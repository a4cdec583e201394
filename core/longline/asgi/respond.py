"""Small whole responses, for what the server says before a protocol has a say."""

from collections.abc import Iterable

import orjson

from longline.asgi.types import ASGIApp, Receive, Scope, Send
from longline.asgi.websocket import refuse_websocket
from longline.errors import (
    BodyTooLargeError,
    ForbiddenError,
    IdentityAwayError,
    LonglineError,
    NotFoundError,
    UnauthenticatedError,
)

_STATUSES: tuple[tuple[type[LonglineError], int], ...] = (
    (UnauthenticatedError, 401),
    (ForbiddenError, 403),
    (BodyTooLargeError, 413),
    (NotFoundError, 404),
    (IdentityAwayError, 503),
)


def json_response(status: int, body: object, headers: Iterable[tuple[bytes, bytes]] = ()) -> ASGIApp:
    """An ASGI app that answers everything with this body."""
    data = orjson.dumps(body)
    lines = [(b"content-type", b"application/json"), (b"content-length", str(len(data)).encode()), *headers]

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await refuse_websocket(status, data.decode())(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": status, "headers": lines})
        await send({"type": "http.response.body", "body": data})

    return respond


def refuse_plainly(error: LonglineError) -> ASGIApp:
    """`{"error": {"code", "message"}}` with a fitting status: the form of a protocol that has none of its own."""
    status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)
    headers: list[tuple[bytes, bytes]] = []
    if isinstance(error, UnauthenticatedError):
        headers.append((b"www-authenticate", error.challenge.encode("latin-1")))
    if isinstance(error, IdentityAwayError):
        headers.append((b"retry-after", b"1"))
    return json_response(status, {"error": {"code": error.code, "message": str(error)}}, headers)
