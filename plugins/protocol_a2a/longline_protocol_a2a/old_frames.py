"""Answers of JSON-RPC 0.3 as clients of LangGraph's own server read them: events have a name, times an offset. Both are
what their specifications ask for; the SDK leaves the one out and writes `Z` for the other.
What is deleted is answered with a result that is null."""

from typing import Final

import orjson

from longline.asgi.types import ASGIApp, Message, Receive, Scope, Send
from longline.models.json import JsonValue

_JSON: Final = b"application/json"
_STREAM: Final = b"text/event-stream"
_DATA: Final = b"data: "


def with_old_frames(app: ASGIApp) -> ASGIApp:
    """The app, its answers written so."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, _Frames(send).send)

    return call


class _Frames:
    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._is_stream = False
        self._parts: list[bytes] = []

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._begin(message)
        elif self._is_stream:
            await self._send({**message, "body": _frame(message.get("body", b""))})
        elif self._start is None:
            await self._send(message)
        else:
            await self._collect(self._start, message)

    async def _begin(self, message: Message) -> None:
        headers = {name.lower(): value for name, value in message["headers"]}
        kind = headers.get(b"content-type", b"")
        self._is_stream = kind.startswith(_STREAM)
        if self._is_stream:
            await self._send({**message, "headers": [*{**headers, b"content-type": _STREAM}.items()]})
        elif kind.startswith(_JSON):
            self._start = message
        else:
            await self._send(message)

    async def _collect(self, start: Message, message: Message) -> None:
        """An answer in one piece is written anew when all of it is there."""
        self._parts.append(message.get("body", b""))
        if message.get("more_body", False):
            return
        body = _rewritten(b"".join(self._parts))
        headers = {name.lower(): value for name, value in start["headers"]}
        headers[b"content-length"] = str(len(body)).encode()
        await self._send({**start, "headers": [*headers.items()]})
        await self._send({"type": "http.response.body", "body": body})


def _frame(chunk: bytes) -> bytes:
    """A frame of the SDK's, which is one line of data; comments stay as they are."""
    if not chunk.startswith(_DATA):
        return chunk
    return b"event: message\r\ndata: %b\r\n\r\n" % _rewritten(chunk.removeprefix(_DATA).rstrip(b"\r\n"))


def _rewritten(data: bytes) -> bytes:
    try:
        answer: JsonValue = orjson.loads(data)
    except orjson.JSONDecodeError:
        return data
    if isinstance(answer, dict) and "error" not in answer:
        answer.setdefault("result", None)  # which the SDK leaves out where it is null
    result = answer.get("result") if isinstance(answer, dict) else None
    if isinstance(result, dict):
        _with_offset(result.get("status"))
    return orjson.dumps(answer)


def _with_offset(status: JsonValue) -> None:
    time = status.get("timestamp") if isinstance(status, dict) else None
    if isinstance(status, dict) and isinstance(time, str) and time.endswith("Z"):
        status["timestamp"] = f"{time[:-1]}+00:00"
