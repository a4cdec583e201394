"""The project's own ASGI app in front of everything else: its routes first, its middleware round all."""

from collections.abc import Callable
from typing import Final

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Match, Router

from longline.asgi.paths import path_below
from longline.asgi.routes import name_route
from longline.asgi.types import ASGIApp, Message, Receive, Scope, Send
from longline.errors import BodyTooLargeError
from longline_protocol_langgraph.replies import refusal

OWN_APP: Final = "longline.own_app"
"""The key under which the scope of every request holds the project's app, if there is one."""
_NOT_FOUND: Final = 404
_DOCUMENTS: Final = frozenset({"/docs", "/openapi.json"})
Knows = Callable[[Scope], bool]


def is_own(app: Starlette, scope: Scope, knows: Knows) -> bool:
    """Whether a request is for a route of the app. Where only the method does not fit, or a slash is too much, a path
    that the server `knows` by itself comes first; so do its own documents, which have the app's in them."""
    matches = [route.matches(scope)[0] for route in app.router.routes]
    if Match.FULL in matches:
        first = app.router.routes[matches.index(Match.FULL)]
        return not (path_below(scope) in _DOCUMENTS and _is_made_by_fastapi(first) and knows(scope))
    if knows(scope):
        return False
    return Match.PARTIAL in matches or _fits_with_other_slash(app.router, scope)


def _is_made_by_fastapi(route: BaseRoute) -> bool:
    """Whether FastAPI added a route by itself, for a document of the app; one that the project wrote is elsewhere."""
    return getattr(getattr(route, "endpoint", None), "__module__", "") == "fastapi.applications"


def in_front(app: Starlette, join: Callable[[ASGIApp], ASGIApp]) -> ASGIApp:
    """The app with its routes replaced by what `join` makes of them, inside of its middleware."""
    routes: ASGIApp = app.router.middleware_stack
    if isinstance(routes, _Junction):  # the app was in front of another server of this process before
        routes = routes.routes
    app.router.middleware_stack = _Junction(routes, join(routes))
    return app


def named(app: Starlette, routes: ASGIApp) -> ASGIApp:
    """The app's routes, each request under the name of its route: a path with names for what varies."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        template = _template(app, scope)
        if template is not None:
            name_route(scope, template)
        await routes(scope, receive, send)

    return call


def _template(app: Starlette, scope: Scope) -> str | None:
    found = [(route.matches(scope)[0], getattr(route, "path", None)) for route in app.router.routes]
    for wanted in (Match.FULL, Match.PARTIAL):
        for match, path in found:
            if match is wanted:
                return path if isinstance(path, str) else None
    return None


def either(own: ASGIApp, rest: ASGIApp, is_own: Knows) -> ASGIApp:
    """The one or the other, by request."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        await (own if is_own(scope) else rest)(scope, receive, send)

    return call


class _Junction:
    """Takes the place of a router's own dispatch."""

    def __init__(self, routes: ASGIApp, joined: ASGIApp) -> None:
        self.routes = routes
        self._joined = joined

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self.routes if scope["type"] == "lifespan" else self._joined)(scope, receive, send)


def asked_first(app: ASGIApp, rest: ASGIApp, limit: int) -> ASGIApp:
    """Any ASGI app before `rest`: what it answers with 404 was not for it. What it read of such a request is read
    again, so bodies are kept, up to `limit` bytes, until it answers."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        kept = _Kept(receive, limit)
        answer = _Answer(send, kept)
        try:
            await app(dict(scope), kept.receive, answer.send)
        except BodyTooLargeError as error:
            if answer.has_begun:
                raise
            await refusal(error)(scope, receive, send)
            return
        if answer.is_not_found:
            await rest(scope, kept.replay, send)

    return call


class _Kept:
    """What an app receives, for the one that may have to answer after it."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._size = 0
        self._messages: list[Message] = []
        self.is_needed = True

    async def receive(self) -> Message:
        message = await self._receive()
        if self.is_needed:
            self._size += len(message.get("body", b""))
            if self._size > self._limit:
                raise BodyTooLargeError(self._limit)
            self._messages.append(message)
        return message

    async def replay(self) -> Message:
        return self._messages.pop(0) if self._messages else await self._receive()


class _Answer:
    """Passes an answer on, unless it begins by saying that there is nothing here."""

    def __init__(self, send: Send, kept: _Kept) -> None:
        self._send = send
        self._kept = kept
        self.has_begun = False
        self.is_not_found = False

    async def send(self, message: Message) -> None:
        if not self.has_begun and not self.is_not_found:
            self.is_not_found = message["type"] == "websocket.close" or message.get("status") == _NOT_FOUND
            self.has_begun = not self.is_not_found
            self._kept.is_needed = self.is_not_found
        if self.has_begun:
            await self._send(message)


def _fits_with_other_slash(router: Router, scope: Scope) -> bool:
    """Whether the router would redirect to the path with, or without, a slash at its end."""
    path = str(scope["path"])
    if not router.redirect_slashes or scope["type"] != "http" or path == "/":
        return False
    other = {**scope, "path": path.rstrip("/") if path.endswith("/") else f"{path}/"}
    return any(route.matches(other)[0] is not Match.NONE for route in router.routes)
