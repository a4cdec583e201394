"""A server of documents as LangConnect is one: collections by id, a search in each, a bearer token."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

TOKEN = "callers-token-äöü".encode().hex()
HANDBOOK = "11111111-1111-4111-8111-111111111111"
LAWS = "22222222-2222-4222-8222-222222222222"


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Any


@dataclass
class RagServer:
    """`collections` are what GET tells; `answer` is what a search finds, or the bytes and status to answer with."""

    url: str = ""
    token: str | None = None
    collections: dict[str, dict[str, Any]] = field(default_factory=dict)
    found: list[dict[str, Any]] = field(default_factory=list)
    raw: tuple[int, dict[str, str], bytes] | None = None
    asked: list[Asked] = field(default_factory=list)
    silence: threading.Event | None = None

    def searches(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.method == "POST"]

    def answer(self, asked: Asked) -> tuple[int, dict[str, str], bytes]:
        if self.silence is not None:
            self.silence.wait(30)
        if self.raw is not None and (asked.method == "POST" or self.raw[0] >= 300):
            return self.raw
        if self.token is not None and asked.headers.get("authorization") != f"Bearer {self.token}":
            return 401, {}, b'{"detail": "who are you?"}'
        collection = asked.path.split("/collections/")[1].split("/")[0]
        if collection not in self.collections:
            return 404, {}, b'{"detail": "Collection not found"}'
        value = self.found if asked.method == "POST" else {"uuid": collection, **self.collections[collection]}
        return 200, {}, json.dumps(value, ensure_ascii=False).encode()


@contextmanager
def serving_documents(**values: Any) -> Iterator[RagServer]:
    """The server, in a thread of its own."""
    server = RagServer(**values)

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, parts.path, parts.query, headers, json.loads(body) if body else None)
            server.asked.append(asked)
            status, extra, content = server.answer(asked)
            self.send_response(status)
            for name, value in {"content-length": str(len(content)), **extra}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = handle_any  # noqa: N815  # names of the standard library

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the standard library's name
            pass

        def handle(self) -> None:
            with suppress(ConnectionError):  # who asked has gone
                super().handle()

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{httpd.server_address[1]}"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        if server.silence is not None:
            server.silence.set()
        httpd.shutdown()
        thread.join()
        httpd.server_close()
