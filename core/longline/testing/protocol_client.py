"""The smallest ASGI client: one request to an app in this process, without a socket."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import orjson

from longline.asgi.types import ASGIApp, Message, Scope
from longline.models.json import JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole response. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> JsonValue:
        """The body as JSON."""
        parsed: JsonValue = orjson.loads(self.body)
        return parsed


async def ask(
    app: ASGIApp,
    method: str,
    target: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | Iterable[bytes] = b"",
) -> Answer:
    """Send a request and wait for the whole response. A body in parts is sent chunk by chunk, without a length."""
    chunks = [body] if isinstance(body, bytes) else list(body)
    length = {"content-length": str(len(body))} if isinstance(body, bytes) and body else {}
    given = {**length, **{name.lower(): value for name, value in (headers or {}).items()}}
    messages: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": number < len(chunks)}
        for number, chunk in enumerate(chunks, 1)
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(_scope("http", target, given, method=method), receive, send)
    start = next(message for message in sent if message["type"] == "http.response.start")
    return Answer(
        status=start["status"],
        headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in start["headers"]},
        body=b"".join(message.get("body", b"") for message in sent if message["type"] == "http.response.body"),
    )


async def open_socket(app: ASGIApp, target: str, *, headers: Mapping[str, str] | None = None) -> list[Message]:
    """Ask for a websocket and hang up as soon as the app reads on; what the app sent."""
    messages: list[Message] = [{"type": "websocket.connect"}]
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0) if messages else {"type": "websocket.disconnect", "code": 1000}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(_scope("websocket", target, headers or {}), receive, send)
    return sent


def _scope(kind: str, target: str, headers: Mapping[str, str], *, method: str | None = None) -> Scope:
    path, _, query = target.partition("?")
    return {
        "type": kind,
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http" if kind == "http" else "ws",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 2024),
        "state": {},
        **({"method": method} if method is not None else {"subprotocols": []}),
    }
