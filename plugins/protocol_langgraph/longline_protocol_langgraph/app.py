"""The protocol as one ASGI app: its routes, and what is said at unknown paths."""

from collections.abc import Sequence
from typing import Final

from starlette.routing import Route, Router

from longline.asgi.mount import ProtocolMount
from longline.asgi.types import ASGIApp
from longline.services.server import Server
from longline_protocol_langgraph.replies import nothing_here, refusal
from longline_protocol_langgraph.routes.assistants import assistant_routes
from longline_protocol_langgraph.routes.crons import cron_routes
from longline_protocol_langgraph.routes.description import description_routes
from longline_protocol_langgraph.routes.feedback import TOKEN_PATH, feedback_routes
from longline_protocol_langgraph.routes.front import front_routes
from longline_protocol_langgraph.routes.items import item_routes
from longline_protocol_langgraph.routes.runs import run_routes
from longline_protocol_langgraph.routes.stateless import stateless_routes
from longline_protocol_langgraph.routes.states import state_routes
from longline_protocol_langgraph.routes.streams import StreamRoutes
from longline_protocol_langgraph.routes.system import system_routes
from longline_protocol_langgraph.routes.threads import thread_routes
from longline_protocol_langgraph.settings import LangGraphApiSettings

_PAGES: Final = {"docs": "/docs", "openapi": "/openapi.json"}
"""What the front page shows of this protocol, as far as it is served."""
PUBLIC_PATHS: Final = frozenset({"/", "/docs", "/openapi.json", "/health", "/ready", "/ok", "/info", TOKEN_PATH})
"""What needs no credentials. The pages at /docs have no secrets in them, and are where their reader enters theirs.
The token of a link for feedback is a secret by itself."""


def build_mount(server: Server, settings: LangGraphApiSettings) -> ProtocolMount:
    """The API at the root of the server."""
    paths = {route.path for route in all_routes(server, settings)}
    return ProtocolMount(
        path="",
        app=build_app(server, settings),
        public_paths=PUBLIC_PATHS,
        refuse=refusal,
        title="LangGraph Server API",
        pages={name: path for name, path in _PAGES.items() if path in paths},
    )


def build_app(server: Server, settings: LangGraphApiSettings) -> ASGIApp:
    """All routes. A trailing slash is redirected away."""
    streams = StreamRoutes(server, settings)
    return Router([*all_routes(server, settings, streams), streams.socket()], default=nothing_here)


def all_routes(server: Server, settings: LangGraphApiSettings, streams: StreamRoutes | None = None) -> Sequence[Route]:
    """In the order in which they are tried: what is asked most comes first."""
    routes = [
        *stateless_routes(server, settings),
        *cron_routes(server),
        *run_routes(server, settings),
        *thread_routes(server),
        *state_routes(server),
        *(streams or StreamRoutes(server, settings)).http(),
        *assistant_routes(server),
        *item_routes(server),
        *feedback_routes(server),
        *system_routes(server),
        *front_routes(server),
    ]
    return [*routes, *description_routes(server, settings, routes, PUBLIC_PATHS)]
