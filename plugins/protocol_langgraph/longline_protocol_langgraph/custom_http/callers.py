"""Who calls the project's own routes, and its middleware."""

from starlette.authentication import AuthCredentials

from longline.asgi.authenticate import credentials_of
from longline.asgi.body import RequestBody
from longline.asgi.mount import PRINCIPAL
from longline.asgi.paths import path_below
from longline.asgi.types import ASGIApp, Receive, Scope, Send
from longline.errors import LonglineError
from longline.services.server import Server
from longline_protocol_langgraph.custom_auth.users import handler_user
from longline_protocol_langgraph.custom_http.own_app import Knows
from longline_protocol_langgraph.replies import refusal


class Callers:
    """Recognises callers before an app sees their requests: `request.user` is who it is."""

    def __init__(self, server: Server, limit: int) -> None:
        """Of a body no more than `limit` bytes are read for an authenticator that asks for it."""
        self._authenticate = server.authenticate
        self._limit = limit

    def required(self, app: ASGIApp) -> ASGIApp:
        """The app for those who can be recognised."""
        return self._recognised(app, is_let_through=lambda _: False)

    def recognised(self, app: ASGIApp, *, is_open: Knows, is_guarded: Knows) -> ASGIApp:
        """The app with callers recognised before it, except where it `is_open` to all. Who cannot be recognised is
        refused where that `is_guarded`; elsewhere whoever serves the path decides."""
        recognised = self._recognised(app, is_let_through=lambda scope: not is_guarded(scope))

        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            await (app if is_open(scope) else recognised)(scope, receive, send)

        return call

    def _recognised(self, app: ASGIApp, *, is_let_through: Knows) -> ASGIApp:
        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            if PRINCIPAL not in scope:
                body = RequestBody(scope, receive, limit=self._limit)
                try:
                    principal = await self._authenticate(credentials_of(scope, body, path_below(scope)))
                except LonglineError as error:
                    if not is_let_through(scope):
                        await refusal(error)(scope, body.receive, send)
                        return
                else:
                    user = handler_user(principal)
                    credentials = AuthCredentials(["authenticated", *principal.permissions])
                    scope = {**scope, PRINCIPAL: principal, "user": user, "auth": credentials}
                receive = body.receive
            await app(scope, receive, send)

        return call
