"""Which route serves a request: protocols say it, middleware reads it, and neither knows the other."""

from typing import Final

from longline.asgi.types import Scope

_ROUTE: Final = "longline.route"


class ServedRoute:
    """The route of one request, as far as somebody has named it."""

    __slots__ = ("template",)

    def __init__(self) -> None:
        self.template: str | None = None


def watch_route(scope: Scope) -> ServedRoute:
    """What will hold the name of the request's route once it is answered: for middleware."""
    watched: ServedRoute = scope.setdefault(_ROUTE, ServedRoute())
    return watched


def name_route(scope: Scope, template: str) -> None:
    """Say which route serves a request: its path below the mount with names for what varies (`/threads/{thread_id}`),
    never an id. For protocols; costs next to nothing where nobody watches."""
    watched: ServedRoute | None = scope.get(_ROUTE)
    if watched is not None:
        watched.template = scope.get("root_path", "") + template
