"""The protocol as one ASGI app: its routes, what is said at unknown paths, and which pages may call it."""

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route, Router

from longline.asgi.mount import ProtocolMount
from longline.asgi.types import ASGIApp, Receive, Scope, Send
from longline.errors import LonglineError
from longline.services.server import Server
from longline_protocol_langgraph.replies import error_reply, json_reply
from longline_protocol_langgraph.routes.assistants import assistant_routes
from longline_protocol_langgraph.routes.runs import run_routes
from longline_protocol_langgraph.routes.stateless import stateless_routes
from longline_protocol_langgraph.routes.states import state_routes
from longline_protocol_langgraph.routes.system import system_routes
from longline_protocol_langgraph.routes.threads import thread_routes
from longline_protocol_langgraph.settings import LangGraphApiSettings


def build_mount(server: Server, settings: LangGraphApiSettings) -> ProtocolMount:
    """The API at the root of the server."""

    def refuse(error: LonglineError) -> ASGIApp:
        return _with_cors(error_reply(error), settings)

    return ProtocolMount(
        path="", app=build_app(server, settings), public_paths=frozenset({"/ok", "/info"}), refuse=refuse
    )


def build_app(server: Server, settings: LangGraphApiSettings) -> ASGIApp:
    """All routes, behind CORS. A trailing slash is redirected away."""
    return _with_cors(Router(all_routes(server, settings), default=_nothing_here), settings)


def all_routes(server: Server, settings: LangGraphApiSettings) -> Sequence[Route]:
    """In the order in which they are tried: what is asked most comes first."""
    return [
        *stateless_routes(server, settings),
        *run_routes(server, settings),
        *thread_routes(server),
        *state_routes(server),
        *assistant_routes(server),
        *system_routes(server),
    ]


def _with_cors(app: ASGIApp, settings: LangGraphApiSettings) -> ASGIApp:
    return CORSMiddleware(
        app,
        allow_origins=settings.cors_allow_origins,
        allow_methods=settings.cors_allow_methods,
        allow_headers=settings.cors_allow_headers,
        allow_credentials=settings.cors_allow_credentials,
        allow_private_network=True,
        expose_headers=settings.cors_expose_headers,
        max_age=settings.cors_max_age_seconds,
    )


async def _nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 4404})
        return
    await json_reply({"detail": "Not Found"}, status=404)(scope, receive, send)
