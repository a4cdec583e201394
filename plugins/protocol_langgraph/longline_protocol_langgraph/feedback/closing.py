"""The last event of a stream that is to bring feedback."""

from collections.abc import Awaitable, Callable

import orjson
from starlette.requests import Request

from longline.events.hub import RunEnd
from longline.models.events import END_OF_TURN, EventId
from longline.models.runs import Run, RunStatus
from longline_protocol_langgraph.endpoint import url_of
from longline_protocol_langgraph.event_ids import EventIds
from longline_protocol_langgraph.feedback.book import FeedbackBook

Closing = Callable[[RunEnd | None, EventId], Awaitable[bytes]]
"""How a run ended and the last event that was sent of it → what its stream says after that."""


def closing_with_links(book: FeedbackBook, run: Run, request: Request) -> Closing | None:
    """`feedback`: the links by feedback key, below where the caller found the server. None for a run without feedback
    keys."""
    if not run.spec.feedback_keys:
        return None
    url = url_of(request)

    async def close(end: RunEnd | None, last: EventId) -> bytes:
        tokens = await book.tokens_of(run) if end is not None and end.status is RunStatus.SUCCESS else {}
        if not tokens:
            return b""
        data = orjson.dumps({key: f"{url}/feedback/tokens/{token}" for key, token in tokens.items()})
        place = closing_place(max(run.attempt, last.attempt))
        number = b"id: %b\r\n" % EventIds(run.run_id).spell(place) if run.spec.resumable else b""
        return b"event: feedback\r\ndata: %b\r\n%b\r\n" % (data, number)

    return close


def is_closed(run: Run, after: EventId | None) -> bool:
    """Whether nothing is left to be said to a reader: the run has ended, and the reader wants only what is new, or has
    the links already."""
    return run.status.is_terminal and (after is None or after >= closing_place(run.attempt))


def closing_place(attempt: int) -> EventId:
    """Behind every event of an attempt."""
    return EventId(attempt, END_OF_TURN)
