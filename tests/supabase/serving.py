"""An ASGI app behind a real socket, on a thread of its own, that may be stopped and started again."""

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any

import uvicorn

from tests.processes import free_port

_START_SECONDS = 20


class ServedApp:
    """`make_app` makes what answers at `url`; each start makes a new one. The port stays."""

    def __init__(self, make_app: Callable[[], Any]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._make_app = make_app
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failure: BaseException | None = None

    def start(self) -> None:
        """Returns when it takes connections."""
        # asyncio sends small pieces at once on sockets that say what they are.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        config = uvicorn.Config(
            self._make_app(), log_config=None, log_level="critical", ws="none", timeout_graceful_shutdown=0
        )
        self._server = uvicorn.Server(config)
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(self._server, listener, ready), daemon=True)
        self._thread.start()
        assert ready.wait(_START_SECONDS), "it did not start"
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Returns when nobody listens any more; open connections are closed."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join(10)
        self._server = self._thread = self._loop = None

    def restart(self) -> None:
        """It forgets what it kept in memory."""
        self.stop()
        self.start()

    def call_soon(self, callback: Callable[[], object]) -> None:
        """Call something on its event loop."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(callback)

    def _run(self, server: uvicorn.Server, listener: socket.socket, ready: threading.Event) -> None:
        try:
            with listener:
                asyncio.run(self._serve(server, listener, ready))
        except BaseException as error:  # noqa: BLE001  # raised where it was started
            self._failure = error
        finally:
            ready.set()

    async def _serve(self, server: uvicorn.Server, listener: socket.socket, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        serving = asyncio.ensure_future(server.serve(sockets=[listener]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.005)
        ready.set()
        await serving
        for connection in list(server.server_state.connections):  # those whose answers were cut off
            connection.transport.abort()
        await asyncio.sleep(0)
