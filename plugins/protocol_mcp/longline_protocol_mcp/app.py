"""The mounts of the protocol, and the app that turns away what the SDK must not see. The SDK itself is imported by the
first request that needs it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from longline.asgi.body import BodyLimits
from longline.asgi.mount import ProtocolMount
from longline.asgi.origins import RequestGuard, header
from longline.asgi.paths import path_below
from longline.asgi.routes import name_route
from longline.asgi.types import Receive, Scope, Send
from longline.asgi.websocket import refuse_websocket
from longline.errors import LonglineError
from longline.models.json import JsonObject
from longline.services.server import Server
from longline.slow_imports import import_alone
from longline.threads import in_thread
from longline_protocol_mcp.bodies import accepted_by, read_post
from longline_protocol_mcp.census import census_of
from longline_protocol_mcp.errors import RefusedError, refusal
from longline_protocol_mcp.guard import check
from longline_protocol_mcp.resource_metadata import ResourceMetadata
from longline_protocol_mcp.settings import McpSettings

if TYPE_CHECKING:
    from longline_protocol_mcp.sdk.endpoint import Endpoint

logger = logging.getLogger(__name__)

SESSION: Final = b"mcp-session-id"
_MIB: Final = 1024 * 1024
_PRELOAD_PAUSE_SECONDS: Final = 1.0


def has_sessions(server: Server, settings: McpSettings) -> bool:
    """Whether clients get sessions: they live in one process, so not where others may answer the next request."""
    return settings.sessions == "stateful" or (settings.sessions == "auto" and not server.storage_facts.is_shared)


def facts_of(server: Server, settings: McpSettings) -> JsonObject:
    """What the server tells about the protocol."""
    sessions = census_of(server.settings).told() if has_sessions(server, settings) else None
    return {"path": settings.path, "sessions": sessions}


def build_mounts(server: Server, settings: McpSettings) -> Sequence[ProtocolMount]:
    """The protocol's endpoint and, where callers must show who they are, where clients learn how."""
    app = McpApp(server, settings)
    metadata = ResourceMetadata(settings=settings, issuers=lambda: server.token_issuers)
    mount = ProtocolMount(
        path=settings.path, app=app, lifespan=app.lifespan, refuse=metadata.refuse, title="Model Context Protocol"
    )
    return [mount, metadata.mount()] if server.is_authenticated else [mount]


class McpApp:
    """The protocol's endpoint. Nothing of the SDK is imported before `lifespan` was entered and somebody calls."""

    def __init__(self, server: Server, settings: McpSettings) -> None:
        self._server = server
        self._settings = settings
        self._has_sessions = has_sessions(server, settings)
        self._limits = BodyLimits(max_bytes=int(settings.max_body_mib * _MIB), seconds=settings.body_seconds)
        self._guard = RequestGuard(
            hosts=settings.allowed_hosts, origins=settings.allowed_origins, is_open=not server.is_authenticated
        )
        self._is_wanted = asyncio.Event()
        self._endpoint: asyncio.Future[Endpoint] | None = None

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """What runs beside requests: sessions, from the first request on."""
        self._endpoint = asyncio.get_running_loop().create_future()
        self._endpoint.add_done_callback(lambda done: done.cancelled() or done.exception())  # told to who asks
        working = asyncio.create_task(self._work(self._endpoint), name="mcp sessions")
        try:
            yield
        finally:
            working.cancel()
            await asyncio.wait({working})
            self._endpoint.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await refuse_websocket(404, "nothing is served at this path")(scope, receive, send)
            return
        if path_below(scope) not in ("", "/"):
            await refusal(RefusedError(404, "nothing is served at this path"))(scope, receive, send)
            return
        name_route(scope, "")
        try:
            check(self._guard, scope)
            await self._answer(scope, receive, send)
        except LonglineError as error:
            await refusal(error)(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, session_id = scope["method"], header(scope, SESSION)
        if method == "POST":
            post = await read_post(scope, receive, self._limits)
            await (await self._ready()).post(scope, receive, send, post)
        elif method in ("GET", "DELETE") and session_id and self._has_sessions:
            if method == "GET":
                accepted_by(scope)
            await (await self._ready()).session_request(scope, receive, send)
        elif method == "DELETE":
            await _send_nothing(404, send)
        else:
            await _send_nothing(405, send, allow=b"POST, GET, DELETE" if self._has_sessions else b"POST")

    async def _ready(self) -> "Endpoint":
        if self._endpoint is None:
            raise RuntimeError("the protocol is not started")  # noqa: TRY003  # a host's mistake
        self._is_wanted.set()
        return await asyncio.shield(self._endpoint)

    async def _work(self, ready: "asyncio.Future[Endpoint]") -> None:
        try:
            if self._settings.preload:
                await asyncio.sleep(_PRELOAD_PAUSE_SECONDS)
            else:
                await self._is_wanted.wait()
            await in_thread(import_alone, "longline_protocol_mcp.sdk.endpoint")
            from longline_protocol_mcp.sdk.endpoint import Endpoint  # noqa: PLC0415  # takes a while

            async with Endpoint.open(self._server, self._settings, has_sessions=self._has_sessions) as endpoint:
                ready.set_result(endpoint)
                await asyncio.Event().wait()
        except Exception as error:
            logger.exception("mcp not served")
            if not ready.done():
                ready.set_exception(error)


async def _send_nothing(status: int, send: Send, *, allow: bytes = b"") -> None:
    headers = [(b"content-length", b"0"), *([(b"allow", allow)] if allow else [])]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
