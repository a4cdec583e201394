"""Streams that show that they live: comments while nothing is said, so that proxies and clients do not hang up; and an
end for clients that do not read."""

import asyncio
from types import TracebackType
from typing import Final, Self

from longline.asgi.types import Message, Send

HEARTBEAT: Final = b": heartbeat\r\n\r\n"
_EVENT_STREAM: Final = b"text/event-stream"


class StalledClientError(Exception):
    """A client has not read its stream for so long that it is not waited for."""


class Pulse:
    """Sends an answer that may be a stream: each of its messages is whole frames. Entered while it is answered; raises
    StalledClientError then."""

    def __init__(self, send: Send, heartbeat_seconds: float, stalled_seconds: float) -> None:
        self._send = send
        self._heartbeat_seconds = heartbeat_seconds
        self._stalled_seconds = stalled_seconds
        self._lock = asyncio.Lock()
        self._said = asyncio.Event()
        self._answering: asyncio.Task[object] | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._has_stalled = False
        self.has_started = False

    async def __aenter__(self) -> Self:
        self._answering = asyncio.current_task()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()
        answering = self._answering if self._has_stalled and kind is asyncio.CancelledError else None
        if answering is not None and answering.uncancel() == 0:  # nobody else ends the answer too
            raise StalledClientError from None

    async def send(self, message: Message) -> None:
        """See Send."""
        self.has_started = True
        if message["type"] == "http.response.start" and _is_stream(message):
            await self._send(message)
            self._ticking = asyncio.create_task(self._tick(), name="a2a-heartbeat")
            return
        if self._ticking is None:
            await self._send(message)
            return
        self._said.set()
        if not message.get("more_body", False):
            await self._stop()
        await self._pass_on(message)

    async def _stop(self) -> None:
        ticking, self._ticking = self._ticking, None
        if ticking is not None:
            ticking.cancel()
            await asyncio.wait({ticking})

    async def _tick(self) -> None:
        """Found stalled by a heartbeat, the answer is broken off as it is by a message of its own."""
        try:
            await self._beat()
        except StalledClientError:
            self._has_stalled = True
            if self._answering is not None:
                self._answering.cancel()

    async def _beat(self) -> None:
        while True:
            self._said.clear()
            try:
                async with asyncio.timeout(self._heartbeat_seconds):
                    await self._said.wait()
            except TimeoutError:
                await self._pass_on({"type": "http.response.body", "body": HEARTBEAT, "more_body": True})

    async def _pass_on(self, message: Message) -> None:
        async with self._lock:
            try:
                async with asyncio.timeout(self._stalled_seconds):
                    await self._send(message)
            except TimeoutError:
                raise StalledClientError from None


def _is_stream(message: Message) -> bool:
    return any(
        name.lower() == b"content-type" and value.startswith(_EVENT_STREAM)
        for name, value in message.get("headers", ())
    )
