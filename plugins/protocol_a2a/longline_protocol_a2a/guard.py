"""Requests that came to the wrong server, or from a page that may not call."""

from longline.asgi.origins import RequestGuard
from longline.asgi.types import Scope
from longline_protocol_a2a.errors import ForeignOriginError, MisdirectedError


def check(guard: RequestGuard, scope: Scope) -> None:
    """Raises MisdirectedError, ForeignOriginError."""
    if not guard.is_meant(scope):
        raise MisdirectedError
    if not guard.is_allowed(scope):
        raise ForeignOriginError
