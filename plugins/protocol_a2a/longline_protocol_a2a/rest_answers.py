"""Answers over HTTP as the specification has them, where the SDK does otherwise: the statuses of errors (§5.4), and
`application/json` as the type of all JSON (§11.1)."""

from typing import Final

import orjson

from longline.asgi.types import ASGIApp, Message, Receive, Scope, Send
from longline.models.json import JsonValue, as_object
from longline_protocol_a2a.errors import STATUSES

_FIRST_ERROR: Final = 400
_JSON: Final = b"application/json"
_OWN_JSON: Final = b"application/a2a+json"


def as_specified(app: ASGIApp) -> ASGIApp:
    """The app, its answers as the specification has them."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        held: list[Message] = []
        parts: list[bytes] = []

        async def look(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] >= _FIRST_ERROR:
                held.append(message)
                return
            if not held:
                await send(_as_json(message) if message["type"] == "http.response.start" else message)
                return
            parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                await _send_error(held[0], b"".join(parts), send)

        await app(scope, receive, look)

    return call


def _as_json(start: Message) -> Message:
    headers = [(name, _JSON if value == _OWN_JSON else value) for name, value in start["headers"]]
    return {**start, "headers": headers}


async def _send_error(start: Message, data: bytes, send: Send) -> None:
    status, data = _told(start["status"], data)
    kept = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
    await send({**start, "status": status, "headers": [*kept, (b"content-length", str(len(data)).encode())]})
    await send({"type": "http.response.body", "body": data})


def _told(status: int, data: bytes) -> tuple[int, bytes]:
    try:
        body: JsonValue = orjson.loads(data)
    except orjson.JSONDecodeError:
        return status, data
    error = as_object(as_object(body).get("error"))
    details = error.get("details")
    first = as_object(details[0]) if isinstance(details, list) and details else {}
    meant = STATUSES.get(str(first.get("reason")))
    if meant is None:
        return status, data
    return meant[0], orjson.dumps({"error": {**error, "code": meant[0], "status": meant[1]}})
