"""Following a thread for as long as it is there."""

from dataclasses import dataclass

from longline.asgi.types import Receive, Scope, Send
from longline.errors import LonglineError, SlowSubscriberError, StorageError
from longline.events.replay import ThreadReader
from longline.models.threads import RunFailure
from longline_protocol_langgraph.connection import Connection
from longline_protocol_langgraph.following import EVENT_STREAM, finish, start
from longline_protocol_langgraph.sse import HEARTBEAT, error_frame
from longline_protocol_langgraph.thread_sse import ThreadEncoder


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadStream:
    """Answers with what happens on a thread, as it happens, until the thread is deleted or the client leaves."""

    reader: ThreadReader
    encode: ThreadEncoder
    heartbeat_seconds: float

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        last = b""
        with self.reader:
            async with Connection(receive) as connection:
                await start(scope, send, EVENT_STREAM)
                await send({"type": "http.response.body", "body": b"", "more_body": True})  # the headers go out
                try:
                    await self._pump(send)
                except (SlowSubscriberError, StorageError) as error:
                    last = error_frame(_failure(error))
        if not connection.is_lost:
            await finish(send, last)

    async def _pump(self, send: Send) -> None:
        while (entries := await self.reader.read(self.heartbeat_seconds)) is None or entries:
            chunk = HEARTBEAT if entries is None else self.encode(entries)
            if chunk:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})


def _failure(error: LonglineError) -> RunFailure:
    return RunFailure(error=type(error).__name__, message=str(error))
