"""Bodies have a bound: a larger one is refused before it is read, or as soon as it has grown past it. So do the
messages of a WebSocket: a larger one closes it."""

from longline.asgi.body import declared_length
from longline.asgi.mount import ProtocolMount
from longline.asgi.types import ASGIApp, Message, Receive, Scope, Send
from longline.asgi.websocket import TOO_LARGE
from longline.errors import BodyTooLargeError


def limited(app: ASGIApp, mount: ProtocolMount, limit: int) -> ASGIApp:
    """The app with request bodies of at most `limit` bytes."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, _MessageGuard(receive, send, limit).receive, send)
            return
        if declared_length(scope) > limit:
            await mount.refuse(BodyTooLargeError(limit))(scope, receive, send)
            return
        guard = _Guard(receive, send, limit)
        try:
            await app(scope, guard.receive, guard.send)
        except BodyTooLargeError as error:
            if guard.has_started:
                raise
            await mount.refuse(error)(scope, receive, send)

    return call


class _MessageGuard:
    """Closes a WebSocket whose client sends too much at once. For the app the client has left then."""

    def __init__(self, receive: Receive, send: Send, limit: int) -> None:
        self._receive = receive
        self._send = send
        self._limit = limit

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "websocket.receive":
            size = len(message.get("bytes") or b"") + len((message.get("text") or "").encode())
            if size > self._limit:
                await self._send({"type": "websocket.close", "code": TOO_LARGE, "reason": "message too large"})
                return {"type": "websocket.disconnect", "code": TOO_LARGE}
        return message


class _Guard:
    def __init__(self, receive: Receive, send: Send, limit: int) -> None:
        self._receive = receive
        self._send = send
        self._limit = limit
        self._size = 0
        self.has_started = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._size += len(message.get("body", b""))
        if self._size > self._limit:
            raise BodyTooLargeError(self._limit)
        return message

    async def send(self, message: Message) -> None:
        self.has_started = True
        await self._send(message)
