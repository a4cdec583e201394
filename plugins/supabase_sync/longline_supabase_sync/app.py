"""`POST /agents/{agent_id}/sync`: mirror one agent now, for a caller who may see it."""

import logging
from collections.abc import Mapping
from typing import Final

from longline.asgi.mount import PRINCIPAL, ProtocolMount
from longline.asgi.respond import json_response
from longline.asgi.routes import name_route
from longline.asgi.types import ASGIApp, Receive, Scope, Send
from longline.auth.principal import Principal
from longline.errors import LonglineError, NotFoundError, StorageError, UnauthenticatedError
from longline.ids import parse_uuid
from longline.services.server import Server
from longline_supabase_sync.names import SOURCE

logger = logging.getLogger(__name__)

_STATUSES: Final[Mapping[str, int]] = {
    "unauthenticated": 401,
    "forbidden": 403,
    "not_found": 404,
    "body_too_large": 413,
    "source_away": 502,
    "broken_agent": 502,
    "identity_unavailable": 503,
    "storage_unavailable": 503,
}


def build_mount(server: Server) -> ProtocolMount:
    """The agents at their path."""
    return ProtocolMount(path="/agents", app=AgentsApp(server), refuse=_refusal)


class AgentsApp:
    """What is served below `/agents`: an agent's id, then `sync`."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._answer(scope)
        await answer(scope, receive, send)

    async def _answer(self, scope: Scope) -> ASGIApp:
        agent_id, mark, verb = scope["path"].removeprefix(scope["root_path"]).strip("/").partition("/")
        if scope["type"] != "http" or not mark or verb != "sync":
            return json_response(404, {"detail": "Not Found"})
        name_route(scope, "/{agent_id}/sync")
        if scope["method"] != "POST":
            return json_response(405, {"detail": "Method Not Allowed"}, [(b"allow", b"POST")])
        try:
            return json_response(200, await self._sync(scope[PRINCIPAL], agent_id))
        except LonglineError as error:
            if error.code not in _STATUSES:
                logger.exception("agent not synced", extra={"agent": agent_id})
            return _refusal(error)

    async def _sync(self, principal: Principal, agent_id: str) -> Mapping[str, object]:
        key = parse_uuid(agent_id)
        if key is None:
            raise NotFoundError("agent", agent_id)
        result = await self._server.mirrors.sync(principal, SOURCE, key)
        return {
            "assistant_id": result.assistant_id,
            "action": result.action,
            "synced_at": result.synced_at.isoformat(),
        }


def _refusal(error: LonglineError) -> ASGIApp:
    status = _STATUSES.get(error.code, 500)
    headers: list[tuple[bytes, bytes]] = []
    if isinstance(error, UnauthenticatedError):
        headers.append((b"www-authenticate", error.challenge.encode("latin-1")))
    text = "Storage unavailable" if isinstance(error, StorageError) else str(error)
    return json_response(status, {"detail": text if status != 500 else "Internal Server Error"}, headers)  # noqa: PLR2004
