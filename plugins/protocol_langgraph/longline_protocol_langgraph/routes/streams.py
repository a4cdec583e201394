"""Threads followed as they happen, and the protocol that is made for it: events, commands, WebSocket."""

from starlette.requests import Request
from starlette.routing import Route, WebSocketRoute

from longline.asgi.types import ASGIApp
from longline.services.server import Server
from longline_protocol_langgraph.custom_http.settings import EVERY_PAGE
from longline_protocol_langgraph.endpoint import principal_of, route
from longline_protocol_langgraph.parameters import LAST_EVENT_ID, Choices
from longline_protocol_langgraph.parsing import parse_json
from longline_protocol_langgraph.protocol_v2.commands import Commands
from longline_protocol_langgraph.protocol_v2.envelope import BadCommandError, error_reply, parse_command
from longline_protocol_langgraph.protocol_v2.recent import RecentStarts
from longline_protocol_langgraph.protocol_v2.socket import SocketEndpoint, socket_route
from longline_protocol_langgraph.protocol_v2.source import EventSource
from longline_protocol_langgraph.protocol_v2.sse import event_stream
from longline_protocol_langgraph.protocol_v2.subscription import parse_subscription
from longline_protocol_langgraph.query import path_id
from longline_protocol_langgraph.replies import json_reply
from longline_protocol_langgraph.run_policy import Origin, RunPolicy
from longline_protocol_langgraph.settings import LangGraphApiSettings
from longline_protocol_langgraph.thread_following import thread_stream
from longline_protocol_langgraph.thread_ids import parse_place
from longline_protocol_langgraph.thread_sse import THREAD_STREAM_MODES, thread_encoder

MODES = Choices(
    "stream_modes",
    "What is streamed: what runs say, where they begin and end, updates of the state.",
    THREAD_STREAM_MODES,
)
MODE = Choices("stream_mode", "The same, as the SDKs call it.", THREAD_STREAM_MODES)

_EVENTS = "/threads/{thread_id}/stream/events"


class StreamRoutes:
    """The paths, over HTTP and as a WebSocket, with what they share."""

    def __init__(self, server: Server, settings: LangGraphApiSettings) -> None:
        self._server = server
        self._settings = settings
        self._recent = RecentStarts(server)
        self._commands = Commands(server, self._recent, RunPolicy(server, settings), settings.thread_run_modes)

    def http(self) -> list[Route]:
        """What is asked by HTTP."""
        return [
            route("/threads/{thread_id}/stream", GET=self.follow),
            route(_EVENTS, POST=self.events),
            route("/threads/{thread_id}/commands", POST=self.command),
        ]

    def socket(self) -> WebSocketRoute:
        """The WebSocket."""
        cors = self._settings.http.cors or EVERY_PAGE
        return socket_route(_EVENTS, SocketEndpoint(self._server, self._commands, self._recent, cors))

    async def follow(self, request: Request) -> ASGIApp:
        """Until the thread is deleted or the client leaves: from now on, or what came after `Last-Event-ID` first."""
        thread_id = path_id(request, "thread")
        modes = [*MODES.of(request), *MODE.of(request)]
        after = parse_place(LAST_EVENT_ID.of(request))
        reader = await self._server.thread_streams.follow(principal_of(request), thread_id, after=after)
        return thread_stream(reader, thread_encoder(thread_id, modes), self._settings.heartbeat_seconds)

    async def events(self, request: Request) -> ASGIApp:
        """The events of one subscription, which is the body."""
        thread_id = path_id(request, "thread")
        subscription = parse_subscription(parse_json(await request.body()))
        source = EventSource(self._server.thread_streams, self._recent, thread_id, subscription)
        return event_stream(await source.open(principal_of(request)), self._settings.heartbeat_seconds)

    async def command(self, request: Request) -> ASGIApp:
        """One command. What is wrong with it is said in the answer; only what is none at all has its own status."""
        thread_id = path_id(request, "thread")
        try:
            command = parse_command(await request.body())
        except BadCommandError as error:
            return json_reply(error_reply(error.command_id, "invalid_argument", str(error)), status=400)
        origin = Origin.of(request.scope)
        return json_reply(await self._commands.run(principal_of(request), thread_id, command, origin=origin))
