"""Requests are counted by route, whatever answers them, and open streams for as long as they are open."""

import asyncio
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from prometheus_client import Counter, Histogram

from longline.asgi.routes import ServedRoute, watch_route
from longline.asgi.types import ASGIApp, Message, Receive, Scope, Send
from longline.asgi.websocket import CLOSE_BASE
from longline_metrics_prometheus.instruments import Instruments

UNKNOWN: Final = "unknown"
"""The path of requests that no route serves."""
OTHER: Final = "other"
"""What stands for a method or a path that is one too many."""
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"})
_MOST_ROUTES: Final = 1000  # an app of somebody's own may name routes as it likes
_ABANDONED: Final = "499"  # nginx's word for it: the client left before there was an answer
_FAULT: Final = "500"
_SWITCHED: Final = "101"
_REFUSED: Final = "403"  # what servers answer where a websocket is closed before it was accepted


@dataclass(slots=True)
class _Series:
    """The series of one route and status, looked up once."""

    count: Counter
    seconds: Histogram


class RequestMetrics:
    """Middleware that counts. What it keeps is bounded by the number of routes."""

    def __init__(self, instruments: Instruments) -> None:
        self._instruments = instruments
        self._series: dict[tuple[str, str, str], _Series] = {}
        self._routes: set[tuple[str, str]] = set()

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """The app, watched."""

        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] not in ("http", "websocket"):
                await app(scope, receive, send)
                return
            started = perf_counter()
            watched = watch_route(scope)
            answer = _Answer(send, self._instruments)
            try:
                await app(scope, receive, answer.send)
            except asyncio.CancelledError:
                raise
            except BaseException:
                answer.status = answer.status or _FAULT
                raise
            finally:
                answer.close()
                self._count(scope, watched, answer.status or _ABANDONED, perf_counter() - started)

        return call

    def _count(self, scope: Scope, watched: ServedRoute, status: str, seconds: float) -> None:
        key = (_method(scope), _path(scope, watched), status)
        series = self._series.get(key)
        if series is None:
            series = self._new_series(key)
        series.count.inc()
        series.seconds.observe(seconds)

    def _new_series(self, key: tuple[str, str, str]) -> _Series:
        method, path, status = key
        if (method, path) not in self._routes:
            if len(self._routes) >= _MOST_ROUTES:
                path = OTHER
            self._routes.add((method, path))
        series = _Series(
            self._instruments.requests.labels(method, path, status),
            self._instruments.request_seconds.labels(method, path),
        )
        self._series[method, path, status] = series
        return series


class _Answer:
    """Looks at an answer as it goes out."""

    __slots__ = ("_has_spoken", "_instruments", "_send", "_stream", "status")

    def __init__(self, send: Send, instruments: Instruments) -> None:
        self._send = send
        self._instruments = instruments
        self._stream: str | None = None
        self._has_spoken = False
        self.status: str | None = None

    async def send(self, message: Message) -> None:
        if self.status is None:
            self._begin(message)
        elif not self._has_spoken:
            self._has_spoken = True
            self.status = _refusal(message) or self.status
        await self._send(message)

    def close(self) -> None:
        """The answer is over, in whatever way."""
        if self._stream is not None:
            self._instruments.streams.labels(self._stream).dec()
            self._stream = None

    def _begin(self, message: Message) -> None:
        kind = message["type"]
        if kind in ("http.response.start", "websocket.http.response.start"):
            self.status = _status(message["status"])
            if _is_event_stream(message):
                self._open("sse")
        elif kind == "websocket.accept":
            self.status = _SWITCHED
            self._open("websocket")
        elif kind == "websocket.close":
            self.status = _REFUSED

    def _open(self, transport: str) -> None:
        self._stream = transport
        self._instruments.streams.labels(transport).inc()


def _method(scope: Scope) -> str:
    if scope["type"] == "websocket":
        return "WEBSOCKET"
    method: str = scope["method"]
    return method if method in _METHODS else OTHER


def _path(scope: Scope, watched: ServedRoute) -> str:
    """The route as its protocol named it; else as Starlette's router (an app of the operator's own) knows it."""
    if watched.template is not None:
        return watched.template
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) and not scope.get("root_path") else UNKNOWN


def _refusal(message: Message) -> str | None:
    """The status that a websocket is told which is closed as soon as it was accepted: see refuse_websocket."""
    status = message.get("code", 0) - CLOSE_BASE if message["type"] == "websocket.close" else 0
    return str(status) if 400 <= status <= 599 else None  # noqa: PLR2004  # HTTP


def _status(status: int) -> str:
    return str(status) if 100 <= status <= 599 else OTHER  # noqa: PLR2004  # HTTP


def _is_event_stream(message: Message) -> bool:
    for name, value in message.get("headers", ()):
        if name.lower() == b"content-type":
            return bytes(value).startswith(b"text/event-stream")
    return False
