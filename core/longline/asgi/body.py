"""A request's body, read before its app gets it, and handed on as it came."""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final

from longline.asgi.types import Message, Receive, Scope
from longline.errors import BodyTooLargeError

_LONGEST_LENGTH: Final = 20  # digits: Python refuses to read thousands of them


class RequestBody:
    """Reads the body at most once, and only if somebody asks. `receive` is for the app: it gets every message. `limit`
    is for where no other one stands before it: at most so many bytes are read."""

    def __init__(self, scope: Scope, receive: Receive, *, limit: int | None = None) -> None:
        self._receive = receive
        self._limit = limit
        self._waiting: deque[Message] = deque()
        self._body: bytes | None = b"" if scope["type"] != "http" else None

    async def read(self) -> bytes:
        """The whole body, or what came of it before the client left. Raises BodyTooLargeError."""
        if self._body is None:
            parts, size = [], 0
            while True:
                message = await self._receive()
                self._waiting.append(message)
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if self._limit is not None and size > self._limit:
                    raise BodyTooLargeError(self._limit)
                if message["type"] != "http.request" or not message.get("more_body", False):
                    break
            self._body = b"".join(parts)
        return self._body

    async def receive(self) -> Message:
        """The next message, as the server sent it."""
        return self._waiting.popleft() if self._waiting else await self._receive()


def declared_length(scope: Scope) -> int:
    """How many bytes a request says that its body has; 0 if it does not say."""
    for name, value in scope["headers"]:
        if name.lower() == b"content-length":
            return int(value[:_LONGEST_LENGTH]) if value.isdigit() else 0
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimits:
    """How large a body may be, and how long it may take."""

    max_bytes: int
    seconds: float


async def read_within(scope: Scope, receive: Receive, limits: BodyLimits) -> bytes:
    """The whole body, or what came of it before the client left. One that is too large goes by to its end first: who is
    answered while still sending may lose the answer with the connection. Raises BodyTooLargeError, TimeoutError."""
    is_large = declared_length(scope) > limits.max_bytes
    parts: list[bytes] = []
    size, has_more = 0, True
    async with asyncio.timeout(limits.seconds):
        while has_more:
            message = await receive()
            has_more = message["type"] == "http.request" and message.get("more_body", False)
            size += len(message.get("body", b""))
            is_large = is_large or size > limits.max_bytes
            if is_large:
                parts.clear()
            else:
                parts.append(message.get("body", b""))
    if is_large:
        raise BodyTooLargeError(limits.max_bytes)
    return b"".join(parts)


def replayed(data: bytes, receive: Receive) -> Receive:
    """What an app receives whose request has been read: the body in one piece, then whatever else comes."""
    waiting: list[Message] = [{"type": "http.request", "body": data, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay
