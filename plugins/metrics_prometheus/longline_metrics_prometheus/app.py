"""The metrics as an ASGI app."""

import hmac
from collections.abc import Awaitable, Callable
from typing import Final

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from longline.asgi.mount import ProtocolMount
from longline.asgi.respond import json_response
from longline.asgi.routes import name_route
from longline.asgi.types import ASGIApp, Receive, Scope, Send
from longline.errors import BodyTooLargeError, LonglineError, UnauthenticatedError
from longline.services.server import Server
from longline_metrics_prometheus.instruments import Instruments
from longline_metrics_prometheus.reports import Reports
from longline_metrics_prometheus.settings import MetricsSettings

_FORMATS: Final = "prometheus, json"


def build_mount(server: Server, settings: MetricsSettings, instruments: Instruments) -> ProtocolMount:
    """The metrics at their path. The server asks for credentials, unless they are public or have a token of their own,
    which the app asks for."""
    is_open = settings.public is not False or bool(settings.token.get_secret_value())
    return ProtocolMount(
        path=settings.path,
        app=MetricsApp(Reports(server, instruments), settings),
        public_paths=frozenset({"", "/", "/json"}) if is_open else frozenset(),
        refuse=_refuse,
        title="Metrics",
        pages={"metrics": "", "metrics as JSON": "/json"},
    )


class MetricsApp:
    """`GET` of the path itself: text, or with `?format=json` the LangGraph Server's figures; of `/json`: ours."""

    def __init__(self, reports: Reports, settings: MetricsSettings) -> None:
        self._reports = reports
        self._token = b"" if settings.public else settings.token.get_secret_value().encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._answer(scope)
        await answer(scope, receive, send)

    async def _answer(self, scope: Scope) -> ASGIApp:
        report = self._report(scope)
        if scope["type"] != "http" or report is None:
            return json_response(404, {"detail": "Not Found"})
        if scope["method"] not in ("GET", "HEAD"):
            return json_response(405, {"detail": "Method Not Allowed"}, [(b"allow", b"GET, HEAD")])
        if not self._may_read(Request(scope)):
            return _refuse(UnauthenticatedError("the metrics need their token"))
        return await report()

    def _report(self, scope: Scope) -> Callable[[], Awaitable[ASGIApp]] | None:
        place = scope["path"].removeprefix(scope["root_path"]).rstrip("/")
        if place not in ("", "/json"):
            return None
        name_route(scope, place)
        if place == "/json":
            return self._figures
        return {"prometheus": self._text, "json": self._api_figures}.get(
            QueryParams(scope["query_string"]).get("format", "prometheus"), self._unknown_format
        )

    def _may_read(self, request: Request) -> bool:
        if not self._token:
            return True
        kind, _, shown = request.headers.get("authorization", "").partition(" ")
        return kind.lower() == "bearer" and hmac.compare_digest(shown.strip().encode(), self._token)

    async def _text(self) -> ASGIApp:
        return Response(await self._reports.text(), headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4})

    async def _api_figures(self) -> ASGIApp:
        return json_response(200, await self._reports.api_figures())

    async def _figures(self) -> ASGIApp:
        return json_response(200, await self._reports.figures())

    async def _unknown_format(self) -> ASGIApp:
        return json_response(422, {"detail": f"format must be one of {_FORMATS}"})


def _refuse(error: LonglineError) -> ASGIApp:
    if isinstance(error, UnauthenticatedError):
        challenge = error.challenge.encode("latin-1")
        return json_response(401, {"detail": str(error)}, [(b"www-authenticate", challenge)])
    if isinstance(error, BodyTooLargeError):
        return json_response(413, {"detail": str(error)})
    return json_response(503, {"detail": "credentials cannot be checked just now"})
