"""One path: which handler answers which method, and what becomes of errors."""

import logging
from collections.abc import Awaitable, Callable, Collection

from starlette.requests import ClientDisconnect, Request
from starlette.routing import Route

from longline.asgi.mount import PRINCIPAL, REQUEST_ID
from longline.asgi.routes import name_route
from longline.asgi.types import ASGIApp, Receive, Scope, Send
from longline.auth.principal import Principal
from longline.errors import LonglineError
from longline_protocol_langgraph.replies import error_reply, fault_reply, json_reply
from longline_protocol_langgraph.statuses import status_of

logger = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[ASGIApp]]
"""Reads a request and decides; the ASGI app that it returns writes the answer."""


class Endpoint:
    """The ASGI app of one path."""

    def __init__(self, path: str, handlers: dict[str, Handler]) -> None:
        self._path = path
        self._handlers = handlers
        self._allow = ", ".join(sorted(handlers))

    @property
    def methods(self) -> Collection[str]:
        """What is answered here."""
        return self._handlers.keys()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name_route(scope, self._path)
        handler = self._handlers.get(scope["method"])
        if handler is None:
            reply: ASGIApp = json_reply({"detail": "Method Not Allowed"}, status=405, headers={"allow": self._allow})
        else:
            found = await self._answer(handler, scope, receive)
            if found is None:
                return
            reply = found
        try:
            await reply(scope, receive, send)
        except Exception:
            # What was sent cannot be unsent: leaving without the last chunk tells the client that something is missing.
            logger.exception("answer broken off", extra=self._facts(scope))

    async def _answer(self, handler: Handler, scope: Scope, receive: Receive) -> ASGIApp | None:
        try:
            return await handler(Request(scope, receive))
        except ClientDisconnect:
            return None
        except LonglineError as error:
            if status_of(error) >= 500:  # noqa: PLR2004  # HTTP
                logger.error("request failed", extra=self._facts(scope, error), exc_info=_trace(error))  # noqa: TRY400  # with a stack only where it helps
            return error_reply(error)
        except Exception:
            logger.exception("request failed", extra=self._facts(scope))
            return fault_reply()

    def _facts(self, scope: Scope, error: LonglineError | None = None) -> dict[str, object]:
        facts = {"method": scope["method"], "path": self._path, "request_id": scope.get(REQUEST_ID, "")}
        return facts if error is None else {**facts, "reason": str(error)}


def route(path: str, **handlers: Handler) -> Route:
    """A route, with its handlers by method: `route("/ok", GET=ok)`."""
    return Route(path, Endpoint(path, handlers))


def principal_of(request: Request) -> Principal:
    """Who asks."""
    principal: Principal = request.scope[PRINCIPAL]
    return principal


def url_of(request: Request) -> str:
    """Where the whole server is, as the caller called it, without a slash at the end."""
    return str(request.base_url).rstrip("/")


def _trace(error: LonglineError) -> LonglineError | None:
    """Storage says in one sentence what is wrong; anything else that ends here is unexpected."""
    return None if status_of(error) == 503 else error  # noqa: PLR2004  # HTTP
