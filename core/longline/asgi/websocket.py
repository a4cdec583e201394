"""How a WebSocket is turned away: accepted, then closed. A page cannot read the status of a refused upgrade."""

from typing import Final

from longline.asgi.types import ASGIApp, Receive, Scope, Send

CLOSE_BASE: Final = 4000
"""Plus a status of HTTP: the close code that says the same."""
TOO_LARGE: Final = 1009
"""The close code for a message beyond the limit (RFC 6455 §7.4.1)."""
TRY_AGAIN: Final = 1013
"""The close code of a server that cannot go on now: the client may connect again."""
_LONGEST_REASON: Final = 120  # bytes: a control frame has room for 125


def refuse_websocket(status: int, reason: str) -> ASGIApp:
    """An ASGI app that closes a WebSocket with 4000 plus the status of HTTP that fits, and a reason for people."""

    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "websocket.connect":
            pass
        # Browsers drop a connection that they asked subprotocols for and that names none: then no code arrives.
        chosen = {"subprotocol": offered} if (offered := next(iter(scope.get("subprotocols") or ()), None)) else {}
        await send({"type": "websocket.accept", **chosen})
        await send({"type": "websocket.close", "code": CLOSE_BASE + status, "reason": short_reason(reason)})

    return refuse


def short_reason(text: str) -> str:
    """A reason that fits into the frame that closes a WebSocket."""
    return text.encode()[:_LONGEST_REASON].decode(errors="ignore")
