"""The front door: what this server is, where its pages and protocols are, whether it lives and whether it is ready."""

import html
import logging
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from longline.asgi.types import ASGIApp
from longline.errors import StorageError
from longline.models.json import JsonObject
from longline.models.served import ServedProtocol
from longline.services.server import Server
from longline_protocol_langgraph.endpoint import route, url_of
from longline_protocol_langgraph.replies import json_reply
from longline_protocol_langgraph.statuses import RETRY

logger = logging.getLogger(__name__)

_NAME: Final = "Longline"
_STUDIO: Final = "https://smith.langchain.com/studio/?baseUrl="
_PLACES: Final = frozenset({"docs", "openapi", "studio", "health", "ready"})
_AWAY: Final = "The storage does not answer."
_STOPPING: Final = "The server is stopping."


def front_routes(server: Server) -> list[Route]:
    """`/`, `/health` and `/ready`."""
    front = _Front(server)
    return [
        route("/", GET=front.page, HEAD=front.page),
        route("/health", GET=front.health, HEAD=front.health),
        route("/ready", GET=front.ready, HEAD=front.ready),
    ]


class _Front:
    def __init__(self, server: Server) -> None:
        self._server = server
        self._missing = ""  # why it was not ready when it was last asked

    async def page(self, request: Request) -> ASGIApp:
        """What is served, as it is really mounted: a page for browsers, JSON for everybody else."""
        told = self._describe(url_of(request), str(request.scope.get("root_path", "")))
        if _wants_page(request.headers.get("accept", "")):
            return HTMLResponse(_render(told), headers={"vary": "Accept"})
        return json_reply(told, headers={"vary": "Accept"})

    async def health(self, request: Request) -> ASGIApp:  # noqa: ARG002  # a handler's form
        """200 as long as the process answers: what else is wrong, a restart would not mend."""
        return json_reply({"status": "ok"})

    async def ready(self, request: Request) -> ASGIApp:  # noqa: ARG002  # a handler's form
        """200 if the server can work. 503 without its storage, and while it stops. The log has the cause once, however
        often this is asked, and that it is over."""
        if self._server.scheduler.is_draining:
            return _unavailable(_STOPPING)
        try:
            await self._server.check_storage()
        except StorageError as error:
            if error.reason != self._missing:
                logger.warning("not ready", extra={"reason": error.reason})
            self._missing = error.reason
            return _unavailable(_AWAY)
        if self._missing:
            logger.info("ready again")
        self._missing = ""
        return json_reply({"status": "ok"})

    def _describe(self, url: str, root: str) -> JsonObject:
        """`root` is the path below which all of the server is."""
        served = self._server.protocols()
        pages = {name: _below(root, place) for protocol in served for name, place in protocol.pages.items()}
        return {
            "name": _NAME,
            "version": self._server.version,
            **{name: pages[name] for name in ("docs", "openapi") if name in pages},
            "studio": _STUDIO + quote(url, safe=""),
            "health": _below(root, "/health"),
            "ready": _below(root, "/ready"),
            "protocols": [_shown(one, root) for one in served],
        }


def _unavailable(detail: str) -> ASGIApp:
    return json_reply({"status": "unavailable", "detail": detail}, status=503, headers=RETRY)


def _shown(one: ServedProtocol, root: str) -> JsonObject:
    pages: JsonObject = {name: _below(root, place) for name, place in one.pages.items()}
    return {"title": one.title, "path": _below(root, one.path), "pages": pages}


def _below(root: str, place: str) -> str:
    return place if "://" in place else root + place


def _wants_page(accept: str) -> bool:
    """Whether HTML comes before JSON among what is accepted; who accepts anything gets JSON."""
    kinds = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    if "text/html" not in kinds:
        return False
    return "application/json" not in kinds or kinds.index("text/html") < kinds.index("application/json")


def _render(told: JsonObject) -> str:
    places = {name: str(place) for name, place in told.items() if name in _PLACES}
    protocols = told["protocols"]
    rows = [_row(entry) for entry in protocols if isinstance(entry, dict)] if isinstance(protocols, list) else []
    version = html.escape(str(told["version"]))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{_NAME}</title>
<style>body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto; padding: 0 1rem }}
td {{ padding: .2rem 1rem .2rem 0; vertical-align: top }}</style>
</head>
<body>
<h1>{_NAME} {version}</h1>
<p>{_links(places)}</p>
<table>{"".join(rows)}</table>
</body>
</html>
"""


def _row(entry: JsonObject) -> str:
    pages = entry["pages"]
    places = {name: str(place) for name, place in pages.items()} if isinstance(pages, dict) else {}
    path, title = html.escape(str(entry["path"])), html.escape(str(entry["title"]))
    return f"<tr><td>{title}</td><td><code>{path}</code></td><td>{_links(places)}</td></tr>"


def _links(places: Mapping[str, str]) -> str:
    links: Iterable[str] = (
        f'<a href="{html.escape(place)}">{html.escape(name)}</a>' for name, place in sorted(places.items())
    )
    return " · ".join(links)
