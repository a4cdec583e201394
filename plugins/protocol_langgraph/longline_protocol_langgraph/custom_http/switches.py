"""Groups of paths that an operator switches off."""

from collections.abc import Mapping
from typing import Final

from longline.asgi.paths import path_below
from longline.asgi.types import ASGIApp, Receive, Scope, Send
from longline_protocol_langgraph.custom_http.settings import HttpSettings
from longline_protocol_langgraph.replies import nothing_here

_GROUPS: Final[Mapping[str, str]] = {
    "": "meta",
    "a2a": "a2a",
    "assistants": "assistants",
    "docs": "meta",
    "feedback": "runs",
    "info": "meta",
    "mcp": "mcp",
    "metrics": "meta",
    "openapi.json": "meta",
    "runs": "runs",
    "store": "store",
    "threads": "threads",
    "ui": "ui",
}
"""The first part of a path → what it belongs to. `/` is the front page."""


def without_disabled(app: ASGIApp, settings: HttpSettings) -> ASGIApp:
    """The app without the paths that are switched off: they are as unknown as any other, whoever serves them."""
    disabled = _disabled(settings)
    if not disabled:
        return app

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        path = path_below(scope)
        if _group_of(path) in disabled:
            await nothing_here(scope, receive, send)
            return
        if path == "/ok" and "meta" in disabled:
            scope = {**scope, "query_string": b""}  # a sign of life, and no look at anything
        await app(scope, receive, send)

    return call


def is_disabled(path: str, settings: HttpSettings) -> bool:
    """Whether a path, with names for what varies, is switched off."""
    return _group_of(path) in _disabled(settings)


def _disabled(settings: HttpSettings) -> frozenset[str]:
    return frozenset(group for group in _GROUPS.values() if getattr(settings, f"disable_{group}"))


def _group_of(path: str) -> str | None:
    parts = [part for part in path.split("/") if part]
    if len(parts) > 2 and parts[0] == "threads" and parts[2] == "runs":  # noqa: PLR2004  # /threads/{thread_id}/runs
        return "runs"
    if parts[:1] == [".well-known"] and len(parts) > 1 and parts[1].startswith("agent"):
        return "a2a"
    return _GROUPS.get(parts[0] if parts else "")
