"""Which pages may open a WebSocket. Browsers ask nobody before they do: the server has to look."""

import re

from longline.asgi.types import Scope
from longline_protocol_langgraph.custom_http.settings import CorsSettings


def is_allowed(scope: Scope, cors: CorsSettings) -> bool:
    """Whether the rules for pages of other origins let this one in. A page of the server itself may always connect, and
    so may what is no page: only browsers name an origin."""
    headers: dict[bytes, str] = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
    origin = headers.get(b"origin")
    if origin is None or "*" in cors.allow_origins or origin in cors.allow_origins:
        return True
    if cors.allow_origin_regex is not None and re.fullmatch(cors.allow_origin_regex, origin):
        return True
    _, _, place = origin.partition("://")
    return bool(place) and place.lower() == headers.get(b"host", "").lower()
