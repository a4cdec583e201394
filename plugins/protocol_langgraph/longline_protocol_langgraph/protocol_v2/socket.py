"""The protocol over a WebSocket: commands come in as text frames; their answers, and what was subscribed to, go out."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

import orjson
from starlette.routing import WebSocketRoute

from longline.asgi.mount import CREDENTIALS, PRINCIPAL
from longline.asgi.types import Receive, Scope, Send
from longline.asgi.websocket import CLOSE_BASE, TRY_AGAIN, refuse_websocket, short_reason
from longline.auth.authenticator import Credentials
from longline.auth.principal import Principal
from longline.errors import LonglineError, UnauthenticatedError
from longline.ids import new_id, parse_uuid
from longline.models.json import JsonObject
from longline.services.server import Server
from longline_protocol_langgraph.custom_http.settings import CorsSettings
from longline_protocol_langgraph.errors import InvalidSubscriptionError
from longline_protocol_langgraph.protocol_v2.commands import Commands, code_of
from longline_protocol_langgraph.protocol_v2.envelope import (
    BadCommandError,
    Command,
    CommandError,
    error_reply,
    parse_command,
    success_reply,
)
from longline_protocol_langgraph.protocol_v2.origins import is_allowed
from longline_protocol_langgraph.protocol_v2.recent import RecentStarts
from longline_protocol_langgraph.protocol_v2.sequence import end_of_turn
from longline_protocol_langgraph.protocol_v2.source import EventSource
from longline_protocol_langgraph.protocol_v2.sse import broken_frame
from longline_protocol_langgraph.protocol_v2.subscription import parse_subscription
from longline_protocol_langgraph.run_policy import Origin
from longline_protocol_langgraph.statuses import detail_of, status_of

logger = logging.getLogger(__name__)

_MOST_SUBSCRIPTIONS: Final = 16
_QUIET_SECONDS: Final = 3600.0  # a source is read for so long at a time; the connection itself tells who lives
_DONE: Final = 1000


class SocketEndpoint:
    """The ASGI app of the path."""

    def __init__(self, server: Server, commands: Commands, recent: RecentStarts, cors: CorsSettings) -> None:
        self._server = server
        self._commands = commands
        self._recent = recent
        self._cors = cors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        principal: Principal = scope[PRINCIPAL]
        thread_id = parse_uuid(scope["path_params"]["thread_id"])
        if not is_allowed(scope, self._cors):
            await refuse_websocket(403, "this origin may not connect")(scope, receive, send)
            return
        if thread_id is None:
            await refuse_websocket(422, "Invalid thread ID: must be a UUID")(scope, receive, send)
            return
        try:
            await self._server.thread_streams.admits(principal, thread_id)  # it may be missing: `run.start` makes it
        except LonglineError as error:
            await refuse_websocket(status_of(error), str(detail_of(error)))(scope, receive, send)
            return
        session = _Session(self, _Caller(self._server, scope), thread_id, Origin.of(scope), send)
        while (await receive())["type"] != "websocket.connect":
            pass
        await send({"type": "websocket.accept"})
        await session.run(receive)

    async def perform(self, principal: Principal, thread_id: str, command: Command, origin: Origin) -> JsonObject:
        """The answer to a command that is not about subscriptions."""
        return await self._commands.run(principal, thread_id, command, origin=origin)

    async def newest_seq(self, principal: Principal, thread_id: str) -> int:
        """The number that nothing exceeds which has happened on the thread so far; 0 for a caller who sees none.
        Raises ForbiddenError."""
        streams = self._server.thread_streams
        seen = await streams.newest_turn(thread_id) if await streams.admits(principal, thread_id) else 0
        return end_of_turn(seen)

    async def open_source(self, principal: Principal, thread_id: str, params: JsonObject) -> EventSource:
        """What a subscription is sent. Raises InvalidSubscriptionError, ForbiddenError."""
        subscription = parse_subscription(params)
        return await EventSource(self._server.thread_streams, self._recent, thread_id, subscription).open(principal)


def socket_route(path: str, endpoint: SocketEndpoint) -> WebSocketRoute:
    """The route of the WebSocket."""
    return WebSocketRoute(path, endpoint)


class _Caller:
    """Who is at the other end: let in once, and looked at again before each command, as for each request."""

    def __init__(self, server: Server, scope: Scope) -> None:
        self._authenticate = server.authenticate
        self._shown: Credentials | None = scope.get(CREDENTIALS)
        self._known: Principal = scope[PRINCIPAL]

    async def now(self) -> Principal:
        """The caller as they are now. Raises UnauthenticatedError, and whatever an authenticator raises that cannot
        tell."""
        return self._known if self._shown is None else await self._authenticate(self._shown)


class _Session:
    """One connection. Commands are done one after the other; each subscription sends by itself."""

    def __init__(self, endpoint: SocketEndpoint, caller: _Caller, thread_id: str, origin: Origin, send: Send) -> None:
        self._endpoint = endpoint
        self._caller = caller
        self._thread_id = thread_id
        self._origin = origin
        self._send = send
        self._sending = asyncio.Lock()
        self._subscriptions: dict[str, asyncio.Task[None]] = {}
        self._sources: list[EventSource] = []
        self._is_closed = False
        self._locked_out: UnauthenticatedError | None = None

    async def run(self, receive: Receive) -> None:
        """Until the client leaves, or the thread is gone."""
        try:
            while (message := await receive())["type"] != "websocket.disconnect":
                if message["type"] == "websocket.receive":
                    await self._reply(await self._answer(message.get("text")))
                    if self._locked_out is not None:
                        await self._close(CLOSE_BASE + status_of(self._locked_out), str(detail_of(self._locked_out)))
        finally:
            self._is_closed = True
            for task in self._subscriptions.values():
                task.cancel()
            await asyncio.gather(*self._subscriptions.values(), return_exceptions=True)
            for source in self._sources:
                source.close()

    async def _answer(self, text: str | None) -> tuple[JsonObject, Callable[[], None] | None]:
        """The answer, and what begins once it is sent."""
        if text is None:
            return error_reply(None, "invalid_argument", "commands are text frames"), None
        try:
            command = parse_command(text.encode())
        except BadCommandError as error:
            return error_reply(error.command_id, "invalid_argument", str(error)), None
        try:
            return await self._perform(await self._caller.now(), command)
        except CommandError as error:
            return error_reply(command.command_id, error.code, str(error)), None
        except UnauthenticatedError as error:
            self._locked_out = error
            return error_reply(command.command_id, "permission_denied", str(detail_of(error))), None
        except LonglineError as error:
            return error_reply(command.command_id, code_of(error), str(detail_of(error))), None

    async def _perform(self, principal: Principal, command: Command) -> tuple[JsonObject, Callable[[], None] | None]:
        if command.method == "subscription.subscribe":
            return await self._subscribe(principal, command)
        if command.method == "subscription.unsubscribe":
            return await self._unsubscribe(principal, command), None
        if command.method == "subscription.reconnect":
            seq = await self._newest_seq(principal)  # subscriptions end with their connection
            return success_reply(command.command_id, {"restored": False}, seq), None
        done = await self._endpoint.perform(principal, self._thread_id, command, self._origin)
        return done, None

    async def _subscribe(self, principal: Principal, command: Command) -> tuple[JsonObject, Callable[[], None]]:
        if len(self._subscriptions) >= _MOST_SUBSCRIPTIONS:
            raise CommandError("not_supported", f"a connection has at most {_MOST_SUBSCRIPTIONS} subscriptions")
        try:
            source = await self._endpoint.open_source(principal, self._thread_id, command.params)
        except InvalidSubscriptionError as error:
            raise CommandError("invalid_argument", str(error)) from error
        except LonglineError as error:
            raise CommandError("permission_denied", str(detail_of(error))) from error
        self._sources.append(source)
        subscription_id = new_id()

        def begin() -> None:
            task = asyncio.create_task(self._pump(source), name=f"subscription-{subscription_id}")
            self._subscriptions[subscription_id] = task

        seq = await self._newest_seq(principal)
        return success_reply(command.command_id, {"subscription_id": subscription_id}, seq), begin

    async def _unsubscribe(self, principal: Principal, command: Command) -> JsonObject:
        task = self._subscriptions.pop(str(command.params.get("subscription_id")), None)
        if task is None:
            raise CommandError("no_such_subscription", "no subscription with this id on this connection")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return success_reply(command.command_id, {}, await self._newest_seq(principal))

    async def _newest_seq(self, principal: Principal) -> int:
        return await self._endpoint.newest_seq(principal, self._thread_id)

    async def _reply(self, answer: tuple[JsonObject, Callable[[], None] | None]) -> None:
        reply, begin = answer
        await self._say(orjson.dumps(reply))
        if begin is not None:
            begin()

    async def _pump(self, source: EventSource) -> None:
        """The events of one subscription, as fast as the client takes them."""
        with source:
            try:
                while (events := await source.read(_QUIET_SECONDS)) is None or events:
                    for event in events or ():
                        await self._say(event.encode())
                await self._close(_DONE, "the thread is gone")
            except LonglineError as error:
                await self._say(broken_frame(error))
                await self._close(TRY_AGAIN, str(error))
            except Exception:
                logger.exception("subscription broken off", extra={"thread_id": self._thread_id})
                await self._close(1011, "Internal Server Error")

    async def _say(self, data: bytes) -> None:
        async with self._sending:
            if not self._is_closed:
                await self._send({"type": "websocket.send", "text": data.decode()})

    async def _close(self, code: int, reason: str) -> None:
        async with self._sending:
            if not self._is_closed:
                self._is_closed = True
                await self._send({"type": "websocket.close", "code": code, "reason": short_reason(reason)})
