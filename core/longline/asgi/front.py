"""Calls to the server from within: they pass its limits and its authentication like calls from outside."""

import asyncio
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from longline.asgi.types import ASGIApp, Message, Scope


class FrontDoor:
    """The server's own app, from the moment the server stands."""

    def __init__(self) -> None:
        self._app: ASGIApp | None = None

    def open(self, app: ASGIApp) -> None:
        """From now on calls are answered by this app."""
        self._app = app

    async def post(self, path: str, headers: Mapping[str, str], body: bytes) -> int:
        """Send a body to a path (which may have a query) and return the status of the answer; what else the answer
        holds is dropped. Shows no credentials but those in `headers`. Raises what the app raises."""
        if self._app is None:
            raise RuntimeError("the server is not open yet")  # noqa: TRY003  # a plugin's mistake
        status = 500
        messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        answered = asyncio.Event()

        async def receive() -> Message:
            if messages:
                return messages.pop(0)
            await answered.wait()  # who leaves before, cancels what the answer is made of
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body" and not message.get("more_body", False):
                answered.set()

        await self._app(_scope(path, {**headers, "content-length": str(len(body))}), receive, send)
        return status


def _scope(path: str, headers: Mapping[str, str]) -> Scope:
    parts = urlsplit(path)
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": unquote(parts.path),
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "root_path": "",
        "headers": [(b"host", b"localhost"), *((k.lower().encode(), v.encode()) for k, v in headers.items())],
        "client": ("127.0.0.1", 0),
        "server": ("localhost", 80),
    }
