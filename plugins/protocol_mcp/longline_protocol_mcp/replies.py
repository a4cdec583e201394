"""The form of an answer: one that comes at once is plain JSON, one that takes longer or says something on the way is a
stream of events. The SDK makes streams; most requests need none."""

import asyncio
from contextlib import suppress
from typing import Final

import orjson

from longline.asgi.types import Message, Send
from longline_protocol_mcp.bodies import Accepted

_AT_ONCE_SECONDS: Final = 0.1
"""How long an answer is held back that may be all there is."""
_TALKATIVE: Final = frozenset({"tools/call", "prompts/get", "resources/read", "completion/complete"})
"""Methods in which something may be said, or asked, before the answer."""
_KEPT_HEADERS: Final = frozenset({b"mcp-session-id"})


class Reply:
    """Stands between an app that sends events and its client. `send` is for the app; `close` once the app is done."""

    def __init__(self, send: Send, accepted: Accepted, method: object) -> None:
        self._send = send
        self._may_stream = accepted.events
        self._may_take_long = method in _TALKATIVE
        self._may_be_json = accepted.json
        self._held: list[Message] = []
        self._is_through = False
        self._is_over = False
        self._lock = asyncio.Lock()
        self._timer: asyncio.Task[None] | None = None

    async def send(self, message: Message) -> None:
        """Hand a message on, now or when the form of the answer is clear."""
        async with self._lock:
            if self._is_over:
                return
            if self._is_through or not self._may_be_json or not (self._held or _begins_events(message)):
                await self._send(message)
                self._is_through = True
                return
            if self._may_stream or not self._held:  # who reads no stream gets nothing of it but the answer
                self._held.append(message)
            if message["type"] == "http.response.start":
                if self._may_stream and self._may_take_long:
                    self._timer = asyncio.create_task(self._let_go(), name="mcp answer")
                return
            await self._look(message)

    async def close(self) -> None:
        """The app sends nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            with suppress(asyncio.CancelledError):
                await self._timer

    async def _look(self, message: Message) -> None:
        said = _said(message.get("body", b""))
        answer = next((text for text in said if _is_answer(text)), None)
        if answer is not None and (len(said) == 1 or not self._may_stream):
            await self._send_json(answer)
        elif self._may_stream and (said or not message.get("more_body", False)):
            await self._flush()
        elif not message.get("more_body", False):
            await self._fail()

    async def _let_go(self) -> None:
        await asyncio.sleep(_AT_ONCE_SECONDS)
        async with self._lock:
            if not self._is_over:
                await self._flush()

    async def _flush(self) -> None:
        held, self._held = self._held, []
        self._is_through = True
        for message in held:
            await self._send(message)

    async def _send_json(self, text: bytes) -> None:
        start = self._held[0]
        self._is_over = True
        headers = [(name, value) for name, value in start["headers"] if name.lower() in _KEPT_HEADERS]
        headers += [(b"content-type", b"application/json"), (b"content-length", str(len(text)).encode())]
        await self._send({"type": "http.response.start", "status": start["status"], "headers": headers})
        await self._send({"type": "http.response.body", "body": text})

    async def _fail(self) -> None:
        """The stream ended without an answer, and this client takes none but JSON."""
        self._is_over = True
        await self._send({"type": "http.response.start", "status": 500, "headers": []})
        await self._send({"type": "http.response.body", "body": b""})


def _begins_events(message: Message) -> bool:
    if message["type"] != "http.response.start":
        return False
    kinds = [value for name, value in message["headers"] if name.lower() == b"content-type"]
    return any(kind.startswith(b"text/event-stream") for kind in kinds)


def _said(body: bytes) -> list[bytes]:
    """What the events in a piece of a stream say; nothing for one that only carries an id."""
    found = (line[len(b"data:") :].strip() for line in body.splitlines() if line.startswith(b"data:"))
    return [data for data in found if data]


def _is_answer(data: bytes) -> bool:
    message = orjson.loads(data)
    return isinstance(message, dict) and "method" not in message
