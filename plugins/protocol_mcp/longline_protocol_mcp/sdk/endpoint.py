"""The protocol's endpoint once the SDK is there: requests with a session, and without one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from mcp import types

from longline.asgi.body import replayed
from longline.asgi.mount import PRINCIPAL
from longline.asgi.origins import header
from longline.asgi.respond import json_response
from longline.asgi.types import Message, Receive, Scope, Send
from longline.auth.principal import Principal
from longline.services.server import Server
from longline_protocol_mcp.assistants import AssistantTools
from longline_protocol_mcp.bodies import Post
from longline_protocol_mcp.census import SessionCensus, census_of
from longline_protocol_mcp.errors import MessageError, RefusedError
from longline_protocol_mcp.replies import Reply
from longline_protocol_mcp.sdk.caller import STREAMS
from longline_protocol_mcp.sdk.messages import error_answer, read_message
from longline_protocol_mcp.sdk.protocol import Methods, methods_of, options_of
from longline_protocol_mcp.sdk.replay import ReplayRoom
from longline_protocol_mcp.sdk.sessions import Session, SessionLimits, Sessions, serve_alone
from longline_protocol_mcp.sdk.tools import Tools
from longline_protocol_mcp.settings import McpSettings

_SESSION: Final = b"mcp-session-id"
_MIB: Final = 1024 * 1024
_FORMS: Final = ((b"accept", b"application/json, text/event-stream"), (b"content-type", b"application/json"))


class Endpoint:
    """Answers requests whose bodies were looked at."""

    def __init__(self, methods: Methods, settings: McpSettings, census: SessionCensus, *, has_sessions: bool) -> None:
        self._alone = methods.build(has_sessions=False)
        self._alone_options = options_of(self._alone)
        self._known = methods_of(self._alone)
        kept = methods.build(has_sessions=True)
        self._known_in_sessions = methods_of(kept)
        self._has_sessions = has_sessions
        limits = SessionLimits(
            total=settings.max_sessions,
            per_owner=settings.max_sessions_per_caller,
            idle_seconds=settings.session_idle_seconds,
            retry_seconds=settings.retry_seconds,
        )
        room = ReplayRoom(max_bytes=int(settings.replay_mib * _MIB), seconds=settings.replay_seconds)
        self.sessions = Sessions(kept, options_of(kept), limits, room, census)

    @classmethod
    @asynccontextmanager
    async def open(cls, server: Server, settings: McpSettings, *, has_sessions: bool) -> AsyncIterator["Endpoint"]:
        """The endpoint of a server; on leaving, sessions and their calls end, and the runs of these do not."""
        assistants = AssistantTools(server)
        methods = Methods(server, settings, Tools(server.tools, assistants))
        endpoint = cls(methods, settings, census_of(server.settings), has_sessions=has_sessions)
        async with endpoint.sessions.running():
            try:
                yield endpoint
            finally:
                await assistants.close()

    async def post(self, scope: Scope, receive: Receive, send: Send, post: Post) -> None:
        """Answer a message. Raises RefusedError."""
        session = self._session(scope, scope[PRINCIPAL])
        try:
            message = read_message(post.message, self._known if session is None else self._known_in_sessions)
        except MessageError as error:
            await json_response(200, error_answer(post.message, error))(scope, receive, send)
            return
        asked, body = _with_forms(scope, post), replayed(post.data, receive)
        if message is not None and isinstance(message.root, types.JSONRPCRequest):
            reply = Reply(send, post.accepted, message.root.method)
            try:
                await self._answer(asked, body, reply, session, message.root)
            finally:
                await reply.close()
        elif message is not None and session is not None and session.traffic.takes(message):
            await session.serve(asked, body, send)
        else:  # nobody waits for it, and the SDK would log what it holds
            await _accept(send)

    async def _answer(
        self, scope: Scope, receive: Receive, reply: Reply, session: Session | None, request: types.JSONRPCRequest
    ) -> None:
        is_first = session is None and self._has_sessions and request.method == "initialize"
        if is_first:
            session = await self.sessions.open(scope[PRINCIPAL])
        if session is None:
            await serve_alone(self._alone, self._alone_options, scope, receive, reply.send)
            return
        if session.traffic.is_working(request.id):
            raise RefusedError(400, f"the id {str(request.id)[:50]!r} is in use")
        session.traffic.began(request.id)
        status = _Status(reply.send)
        try:
            await session.serve(scope, receive, status.send)
        finally:
            if not status.is_good:
                session.traffic.ended(request.id)
                if is_first:
                    await self.sessions.end(session)

    async def session_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Open a session's stream, or end the session. Raises RefusedError."""
        session = self._session(scope, scope[PRINCIPAL])
        if session is None:
            raise RefusedError(404, "Session not found")  # once
        await session.serve(scope, receive, send)
        if session.transport.is_terminated:
            await self.sessions.end(session)

    def _session(self, scope: Scope, principal: Principal) -> Session | None:
        session_id = header(scope, _SESSION)
        return self.sessions.find(session_id, principal) if session_id and self._has_sessions else None


async def _accept(send: Send) -> None:
    await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


class _Status:
    """Notes the status of an answer on its way."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.is_good = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.is_good = message["status"] < 400  # noqa: PLR2004  # HTTP
        await self._send(message)


def _with_forms(scope: Scope, post: Post) -> Scope:
    """The request for the SDK, which demands that clients take both forms; what they take is seen to afterwards."""
    names = {name for name, _ in _FORMS} | {b"content-length"}
    lines = [(name, value) for name, value in scope["headers"] if name.lower() not in names]
    length = (b"content-length", str(len(post.data)).encode())
    return {**scope, "headers": [*lines, *_FORMS, length], STREAMS: post.accepted.events}
