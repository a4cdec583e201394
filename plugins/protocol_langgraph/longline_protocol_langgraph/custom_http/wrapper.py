"""`http` as one piece of middleware: prefix → middleware of the project's app → CORS → its routes → the server."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial

from starlette.applications import Starlette
from starlette.routing import Match, Route

from longline.asgi.mount import PRINCIPAL, AppWrapper
from longline.asgi.paths import path_below, path_matcher
from longline.asgi.types import ASGIApp, Receive, Scope, Send
from longline.services.server import Server
from longline.settings import ServerSettings
from longline_protocol_langgraph.custom_http.callers import Callers
from longline_protocol_langgraph.custom_http.cors import with_cors
from longline_protocol_langgraph.custom_http.lifespan import running
from longline_protocol_langgraph.custom_http.own_app import OWN_APP, asked_first, either, in_front, is_own, named
from longline_protocol_langgraph.custom_http.prefix import below
from longline_protocol_langgraph.custom_http.settings import HttpSettings
from longline_protocol_langgraph.custom_http.switches import without_disabled
from longline_protocol_langgraph.references import ReferenceNotLoadedError, load_named

_ORDER = 50
"""Inside of what gives requests their ids and counts them."""


def build_wrapper(
    server: Server, settings: HttpSettings, routes: Sequence[Route], public: frozenset[str]
) -> AppWrapper:
    """The middleware. `routes` are the protocol's own, `public` its paths that ask for no credentials. Raises
    ReferenceNotLoadedError."""
    if not settings.app:
        return AppWrapper(order=_ORDER, wrap=partial(_without_app, settings=settings))
    own = load_named("http.app", settings.app, server.settings)
    if not callable(own):
        raise ReferenceNotLoadedError("http.app", settings.app, f"it is no ASGI app but a {type(own).__name__}")
    app: ASGIApp = own
    front = _Front(app, server, settings, routes, public)

    def lifespan() -> AbstractAsyncContextManager[None]:
        return running(app, settings.app, front.state)

    return AppWrapper(order=_ORDER, wrap=front.wrap, lifespan=lifespan)


def _without_app(rest: ASGIApp, settings: HttpSettings) -> ASGIApp:
    return below(settings.mount_prefix, with_cors(without_disabled(rest, settings), settings.cors))


class _Front:
    """The project's app, and how requests come to it."""

    def __init__(
        self, app: ASGIApp, server: Server, settings: HttpSettings, routes: Sequence[Route], public: frozenset[str]
    ) -> None:
        self._app = app
        self._server = server
        self._settings = settings
        self._routes = routes
        self._fits_public = path_matcher(public)
        self._limit = int(server.settings.section(ServerSettings).max_body_mib * 1024 * 1024)
        self._callers = Callers(server, self._limit)
        self.state: dict[str, object] = {}

    def wrap(self, rest: ASGIApp) -> ASGIApp:
        """See AppWrapper."""
        inner = without_disabled(rest, self._settings)
        return below(self._settings.mount_prefix, self._with_state(self._joined(inner)))

    def _joined(self, rest: ASGIApp) -> ASGIApp:
        if isinstance(self._app, Starlette):
            return self._in_front(self._app, rest)
        asked = asked_first(self._app, rest, self._limit)
        if self._settings.enable_custom_route_auth:  # nobody knows its routes before it answers: it sees known callers
            asked = either(asked, rest, lambda scope: PRINCIPAL in scope)
            asked = self._callers.recognised(
                asked, is_open=lambda _: False, is_guarded=lambda scope: not self._fits_public(path_below(scope))
            )
        return with_cors(asked, self._settings.cors)

    def _in_front(self, app: Starlette, rest: ASGIApp) -> ASGIApp:
        needs_caller = self._settings.enable_custom_route_auth
        own = partial(is_own, app, knows=self._knows)

        def join(routes: ASGIApp) -> ASGIApp:
            guarded = self._callers.required(routes) if needs_caller else routes
            return with_cors(either(named(app, guarded), rest, own), self._settings.cors)

        joined = in_front(app, join)
        if self._settings.middleware_order == "middleware_first":
            return joined
        return self._callers.recognised(
            joined,
            is_open=lambda scope: self._is_public(scope) or (not needs_caller and own(scope)),
            is_guarded=lambda scope: own(scope) or self._knows(scope),
        )

    def _with_state(self, app: ASGIApp) -> ASGIApp:
        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            state = {**scope.get("state", {}), **self.state}
            await app({**scope, "state": state, OWN_APP: self._app}, receive, send)

        return call

    def _knows(self, scope: Scope) -> bool:
        """Whether the server serves this path by itself."""
        path = path_below(scope)
        if any(path.startswith(served.path) for served in self._server.protocols() if served.path != "/"):
            return True
        return any(route.matches(scope)[0] is not Match.NONE for route in self._routes)

    def _is_public(self, scope: Scope) -> bool:
        return self._fits_public(path_below(scope)) or scope.get("method") == "OPTIONS"
