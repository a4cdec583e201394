"""Requests that came to the wrong server, or from a page that may not call."""

from typing import Final

from longline.asgi.origins import RequestGuard
from longline.asgi.types import Scope
from longline_protocol_mcp.errors import RefusedError

_FORBIDDEN: Final = 403
_MISDIRECTED: Final = 421
_OTHER_HOST: Final = "the Host header names another server; [protocol_mcp] allowed_hosts says which are answered"
_OTHER_ORIGIN: Final = "pages of this origin may not call; [protocol_mcp] allowed_origins says which may"


def check(guard: RequestGuard, scope: Scope) -> None:
    """Raises RefusedError."""
    if not guard.is_meant(scope):
        raise RefusedError(_MISDIRECTED, _OTHER_HOST)
    if not guard.is_allowed(scope):
        raise RefusedError(_FORBIDDEN, _OTHER_ORIGIN)
