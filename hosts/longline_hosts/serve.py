"""An open server behind Hypercorn: the socket, the signals, and an end that does not hang."""

import asyncio
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from errno import EADDRINUSE
from ipaddress import ip_address
from typing import Final

from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config

from longline.asgi.respond import json_response
from longline.asgi.types import ASGIApp, Message, Receive, Scope, Send
from longline.runtime import OpenServer, Runtime
from longline.settings import ServerSettings
from longline_hosts.errors import CannotListenError, PortBusyError

logger = logging.getLogger(__name__)

_BACKLOG: Final = 1024
_LAST_WORDS_SECONDS: Final = 0.3
"""What streams get after their runs have ended to send the last events."""
_STOPPING: Final = json_response(
    503, {"error": {"code": "unavailable", "message": "the server is stopping"}}, [(b"retry-after", b"1")]
)
CLOSE_SECONDS: Final = 10.0
"""What closing may take after the drain: storage, plugins. Then the process leaves."""
_HANG_UP_SECONDS: Final = 2.0
"""What connections get after the drain before they are cut."""
_SERVICE_RESTART: Final = 1012  # of the WebSocket registry: connect again
_LEAVE_SECONDS: Final = 1.0
"""What the interpreter gets to leave once everything is closed: a plain function that still runs would hold it."""


def listen(host: str, port: int) -> socket.socket:
    """A bound socket. Raises PortBusyError or CannotListenError; no other port is tried."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if sys.platform != "win32":  # there it would let two programs share the port
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        if error.errno == EADDRINUSE:
            raise PortBusyError(host, port) from None
        raise CannotListenError(host, port, error.strerror or str(error)) from None
    except OverflowError as error:
        bound.close()
        raise CannotListenError(host, port, str(error)) from None
    bound.setblocking(False)
    return bound


def url_of(bound: socket.socket) -> str:
    """Where a program on this machine reaches the socket."""
    host, port = bound.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # read, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine reach an address. A name counts if everything it stands for does."""
    with suppress(ValueError):
        return ip_address(host).is_loopback
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return all(ip_address(str(entry[4][0]).partition("%")[0]).is_loopback for entry in found)


def run_server(
    runtime: Runtime, bound: socket.socket, on_ready: Callable[[OpenServer], Awaitable[None]], *, is_child: bool = False
) -> int:
    """Serve until SIGTERM or SIGINT, and return the exit code. A second signal ends the process at once.

    `on_ready` is awaited beside the serving as soon as requests are answered. A child of a supervisor leaves SIGINT and
    second signals to its parent, and ends when the parent is gone. Raises what opening the Runtime raises.
    """
    with asyncio.Runner(loop_factory=new_loop()) as runner:
        runner.run(_serve(runtime, bound, on_ready, is_child=is_child))
        _leave_soon(_LEAVE_SECONDS, 0)
    return 0


async def _serve(
    runtime: Runtime, bound: socket.socket, on_ready: Callable[[OpenServer], Awaitable[None]], *, is_child: bool
) -> None:
    seconds = runtime.settings.section(ServerSettings).drain_seconds
    stop = _stop_signal(seconds, is_child=is_child)
    async with AsyncExitStack() as stack:
        opened = await _open(runtime, stack, stop)
        if opened is None:
            logger.info("server stopping", extra={"drain_seconds": 0})
            return
        requests = _Requests(opened.app)
        config = _hypercorn(bound, graceful_seconds=seconds + _HANG_UP_SECONDS)
        serving = asyncio.create_task(hypercorn_serve(requests, config, shutdown_trigger=stop.wait))  # type: ignore[arg-type]  # its scopes are typed one by one
        ready = asyncio.create_task(_beside(on_ready(opened)))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if not serving.done():
            logger.info("server stopping", extra={"drain_seconds": seconds})
            await opened.server.scheduler.drain(seconds)
            await requests.end(_LAST_WORDS_SECONDS)
        stopping.cancel()
        await serving


async def _open(runtime: Runtime, stack: AsyncExitStack, stop: asyncio.Event) -> OpenServer | None:
    """The open server; None if it was to stop before that, as one that waits for its database may be."""
    is_over = False
    asked = asyncio.create_task(stop.wait())
    try:
        async with asyncio.timeout(None) as opening:
            asked.add_done_callback(lambda _: None if is_over else opening.reschedule(0))
            try:
                return await stack.enter_async_context(runtime.open())
            finally:
                is_over = True
                asked.cancel()
    except TimeoutError:
        if stop.is_set():
            return None
        raise


async def _beside(work: Awaitable[None]) -> None:
    """What a host does once it serves; a failure of that does not stop the serving."""
    try:
        await work
    except Exception:
        logger.exception("host task failed")


def new_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes the event loops of this platform; None: asyncio's own."""
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415  # not for every platform

    return uvloop.new_event_loop


def _hypercorn(bound: socket.socket, *, graceful_seconds: float) -> Config:
    config = Config()
    config.bind = [f"fd://{bound.detach()}"]
    config.backlog = _BACKLOG
    config.accesslog = None
    config.errorlog = logging.getLogger("hypercorn.error")
    config.include_server_header = False
    config.graceful_timeout = graceful_seconds
    config.keep_alive_timeout = 75.0  # longer than the pools of usual clients and proxies keep a connection
    config.keep_alive_max_requests = 1_000_000
    return config


def _stop_signal(drain_seconds: float, *, is_child: bool) -> asyncio.Event:
    """Set by the first signal; the second ends the process. So does a drain that hangs."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def ask() -> None:
        if stop.is_set():
            if is_child:  # one signal may come twice: to the whole group, and from the parent
                return
            os._exit(130)  # the operator means it; what was committed is safe
        stop.set()
        _leave_soon(drain_seconds + CLOSE_SECONDS, 1)

    for number in (signal.SIGTERM, signal.SIGINT):
        if is_child and number is signal.SIGINT:
            signal.signal(number, signal.SIG_IGN)
        elif sys.platform == "win32":
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(ask))
        else:
            loop.add_signal_handler(number, ask)
    parent = multiprocessing.parent_process()
    if is_child and parent is not None and sys.platform != "win32":
        sentinel = parent.sentinel

        def orphaned() -> None:
            loop.remove_reader(sentinel)
            ask()

        loop.add_reader(sentinel, orphaned)
    return stop


def _leave_soon(seconds: float, code: int) -> None:
    """End the process after a while, if it has not ended by itself."""

    def leave() -> None:
        if code:
            logger.error("server did not stop in time", extra={"seconds": seconds})
        logging.shutdown()
        os._exit(code)

    timer = threading.Timer(seconds, leave)
    timer.daemon = True
    timer.start()


class _Requests:
    """The app, knowing which requests are being answered, so that those that never end by themselves can be ended.

    An answer that is broken off has no last chunk: to the clients of streams a complete answer would mean that the run,
    or the thread, has ended, and they would not ask the next server for the rest. One that has not begun is a
    503: come again. A WebSocket is closed with 1012."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._tasks: set[asyncio.Task[object]] = set()
        self._is_ending = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _answer_lifespan(receive, send)
            return
        task = asyncio.current_task()
        if task is None:
            await self._app(scope, receive, send)
            return
        self._tasks.add(task)
        try:
            if scope["type"] == "websocket":
                await self._converse(scope, receive, send)
            else:
                await self._answer(scope, receive, send)
        finally:
            self._tasks.discard(task)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def watched(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except asyncio.CancelledError:
            if self._is_ending and not has_begun:
                async with asyncio.timeout(_LAST_WORDS_SECONDS):
                    await _STOPPING(scope, receive, send)
            raise

    async def _converse(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_open = False

        async def watched(message: Message) -> None:
            nonlocal is_open
            is_open = message["type"] in ("websocket.accept", "websocket.send")
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except asyncio.CancelledError:
            if self._is_ending and is_open:
                async with asyncio.timeout(_LAST_WORDS_SECONDS):
                    await send(
                        {"type": "websocket.close", "code": _SERVICE_RESTART, "reason": "the server is stopping"}
                    )
            raise

    async def end(self, seconds: float) -> None:
        """Let the requests end for so long, then cancel those that are left."""
        self._is_ending = True
        if self._tasks:
            _, left = await asyncio.wait(self._tasks, timeout=seconds)
            for task in left:
                task.cancel()


async def _answer_lifespan(receive: Receive, send: Send) -> None:
    """The Runtime's own context starts and stops everything: the events are only acknowledged."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
