"""Requests that came to the wrong server, or from a page that may not call."""

from typing import Final

from longline.asgi.origins import RequestGuard
from longline.asgi.types import Scope
from longline_protocol_mcp.errors import RefusedError

_FORBIDDEN: Final = 403
_MISDIRECTED: Final = 421


def check(guard: RequestGuard, scope: Scope) -> None:
    """Raises RefusedError."""
    if not guard.is_meant(scope):
        raise RefusedError(_MISDIRECTED, "this server is not what the Host header names")
    if not guard.is_allowed(scope):
        raise RefusedError(_FORBIDDEN, "pages of this origin may not call this server")
