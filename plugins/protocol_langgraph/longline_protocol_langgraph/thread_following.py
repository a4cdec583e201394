"""Following a thread for as long as it is there."""

from longline.errors import SlowSubscriberError, StorageError
from longline.events.hub import ThreadEntry
from longline.events.replay import ThreadReader
from longline_protocol_langgraph.following import broken_off
from longline_protocol_langgraph.long_stream import LongStream
from longline_protocol_langgraph.thread_sse import ThreadEncoder


def thread_stream(reader: ThreadReader, encode: ThreadEncoder, heartbeat_seconds: float) -> LongStream[ThreadEntry]:
    """Answers with what happens on a thread, as it happens, until the thread is deleted or the client leaves."""
    return LongStream(
        source=reader,
        encode=encode,
        faults=(SlowSubscriberError, StorageError),
        tell=broken_off,
        heartbeat_seconds=heartbeat_seconds,
    )
