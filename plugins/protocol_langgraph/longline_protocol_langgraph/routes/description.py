"""The description of this API: for machines, and for people."""

from collections.abc import Collection, Iterator, Sequence

from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from longline.asgi.types import ASGIApp
from longline.models.json import JsonObject
from longline.services.server import Server
from longline_protocol_langgraph.custom_http.own_app import OWN_APP
from longline_protocol_langgraph.custom_http.switches import is_disabled
from longline_protocol_langgraph.endpoint import Endpoint, route
from longline_protocol_langgraph.replies import json_reply
from longline_protocol_langgraph.settings import LangGraphApiSettings


def description_routes(
    server: Server, settings: LangGraphApiSettings, routes: Sequence[BaseRoute], public_paths: Collection[str]
) -> list[Route]:
    """`/openapi.json`, which describes `routes` and itself, and `/docs`."""
    return _Description(server, settings, routes, public_paths).routes()


class _Description:
    def __init__(
        self, server: Server, settings: LangGraphApiSettings, routes: Sequence[BaseRoute], public_paths: Collection[str]
    ) -> None:
        self._server = server
        self._settings = settings
        self._routes = [*routes, *self.routes()]
        self._public_paths = public_paths
        self._made: JsonObject | None = None

    def routes(self) -> list[Route]:
        """The paths."""
        return [route("/openapi.json", GET=self.document), route("/docs", GET=self.page)]

    async def document(self, request: Request) -> ASGIApp:
        """Made once. Where it is served may differ from request to request."""
        if self._made is None:
            self._made = self._make(request.scope.get(OWN_APP))
        servers: JsonObject = {"servers": [{"url": str(request.scope.get("root_path", "")) or "/"}]}
        return json_reply({**self._made, **servers})

    async def page(self, request: Request) -> ASGIApp:  # noqa: ARG002  # a handler's form
        from longline_protocol_langgraph.openapi.page import page_reply  # noqa: PLC0415  # nothing of it at start-up

        return page_reply()

    def _make(self, own: object) -> JsonObject:
        from longline_protocol_langgraph.openapi.document import document, mounted_operations  # noqa: PLC0415  # not at start-up
        from longline_protocol_langgraph.openapi.own_app import document_of, with_own  # noqa: PLC0415
        from longline_protocol_langgraph.openapi.security import security_of  # noqa: PLC0415

        off, mounted = self._settings.http, {protocol.path for protocol in self._server.protocols()}
        served = [one for one in served_operations(self._routes) if not is_disabled(one[0], off)]
        served += [one for one in mounted_operations() if one[0] in mounted]
        made = document(
            served,
            version=self._server.version,
            graph_ids=self._server.graphs.graph_ids,
            public_paths=self._public_paths,
            security=security_of(self._settings) if self._server.is_authenticated else None,
        )
        told = document_of(own)
        return made if told is None else with_own(made, told)


def served_operations(routes: Sequence[BaseRoute]) -> Iterator[tuple[str, str]]:
    """Path and method of everything that is served over HTTP, paths as OpenAPI spells them."""
    for served in routes:
        if isinstance(served, Route) and isinstance(served.endpoint, Endpoint):
            for method in served.endpoint.methods:
                yield served.path_format, method
