"""Which pages of other origins may call the server, with all that it serves."""

from starlette.middleware.cors import CORSMiddleware

from longline.asgi.types import ASGIApp
from longline_protocol_langgraph.custom_http.settings import EVERY_PAGE, CorsSettings


def with_cors(app: ASGIApp, settings: CorsSettings | None) -> ASGIApp:
    """The app behind CORS; open to every page if nothing is said about it."""
    cors = settings or EVERY_PAGE
    return CORSMiddleware(
        app,
        allow_origins=cors.allow_origins,
        allow_origin_regex=cors.allow_origin_regex,
        allow_methods=cors.allow_methods,
        allow_headers=cors.allow_headers,
        allow_credentials=cors.allow_credentials,
        allow_private_network=True,
        expose_headers=cors.expose_headers,
        max_age=cors.max_age,
    )
