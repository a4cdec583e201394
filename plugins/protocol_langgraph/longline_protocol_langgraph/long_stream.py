"""Streams that last for as long as their thread is there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Protocol, TypeVar

from longline.asgi.types import Receive, Scope, Send
from longline.errors import LonglineError
from longline_protocol_langgraph.connection import Connection
from longline_protocol_langgraph.following import EVENT_STREAM, finish, start
from longline_protocol_langgraph.sse import HEARTBEAT

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Source(Protocol[T_co]):
    """Where a stream comes from. Entered while it is read."""

    def __enter__(self) -> object: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def read(self, timeout: float) -> Sequence[T_co] | None:  # noqa: ASYNC109  # None is an answer here
        """What comes next, at least one; an empty sequence at the end; None if nothing came within `timeout`
        seconds."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LongStream(Generic[T]):
    """Answers with what a source says, as it says it, until it ends or the client leaves. One of the `faults` in it
    ends the stream with what `tell` says of it."""

    source: Source[T]
    encode: Callable[[Sequence[T]], bytes]
    faults: tuple[type[LonglineError], ...]
    tell: Callable[[LonglineError], bytes]
    heartbeat_seconds: float

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        last = b""
        with self.source:
            async with Connection(receive) as connection:
                await start(scope, send, EVENT_STREAM)
                await send({"type": "http.response.body", "body": b"", "more_body": True})  # the headers go out
                try:
                    await self._pump(send)
                except self.faults as error:
                    last = self.tell(error)
        if not connection.is_lost:
            await finish(send, last)

    async def _pump(self, send: Send) -> None:
        while (said := await self.source.read(self.heartbeat_seconds)) is None or said:
            chunk = HEARTBEAT if said is None else self.encode(said)
            if chunk:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
