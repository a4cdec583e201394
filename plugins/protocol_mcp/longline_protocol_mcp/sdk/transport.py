"""The SDK's transport, whose streams end quietly and miss nothing."""

import logging
from typing import TypeAlias

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server.streamable_http import EventMessage, StreamableHTTPServerTransport
from mcp.types import RequestId

from longline_protocol_mcp.sdk.messages import written
from longline_protocol_mcp.sdk.replay import SessionReplay

logger = logging.getLogger(__name__)

_Ends: TypeAlias = tuple[MemoryObjectSendStream[EventMessage], MemoryObjectReceiveStream[EventMessage]]


class _Streams(dict[RequestId, _Ends]):
    """Streams that are listened to. The SDK begins to listen a moment after it has replayed what was missed: what is
    said in that moment is handed over here."""

    def __init__(self, replay: SessionReplay) -> None:
        super().__init__()
        self._replay = replay

    def __setitem__(self, stream_id: RequestId, ends: _Ends) -> None:
        super().__setitem__(stream_id, ends)
        for event in self._replay.take_missed(str(stream_id)):
            try:
                ends[0].send_nowait(event)
            except anyio.WouldBlock:  # so much in a moment; the client can come back once more
                logger.warning("mcp events left out of a resumed stream")
                return


class Transport(StreamableHTTPServerTransport):
    """The SDK closes a stream at both of its ends, and what reads it logs that as an error, with each session that ends
    while its client listens. Closed by its sender, it is read to its end."""

    def __init__(self, session_id: str | None, replay: SessionReplay | None = None, retry_seconds: float = 1.0) -> None:
        super().__init__(session_id, event_store=replay, retry_interval=int(retry_seconds * 1000))
        if replay is not None:
            self._request_streams = _Streams(replay)

    def _create_event_data(self, event_message: EventMessage) -> dict[str, str]:
        data = {"event": "message", "data": written(event_message.message)}
        return {**data, "id": event_message.event_id} if event_message.event_id else data

    async def _clean_up_memory_streams(self, request_id: str | int) -> None:
        found = self._request_streams.pop(request_id, None)
        if found is None:
            return
        sender, reader = found
        is_read = sender.statistics().tasks_waiting_receive > 0
        sender.close()
        if not is_read:
            reader.close()
