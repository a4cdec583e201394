"""How the ids of a run's events are spelled on the wire.

`ms-seq`, as clients of this API know them: `ms` is the millisecond in which the run was created (its UUIDv7 begins with
it) plus the attempt, so that ids of one run grow strictly, attempt by attempt, and nothing needs to be looked up.
"""

from longline.models.events import BEGINNING, EventId, parse_event_id

_FROM_THE_BEGINNING = frozenset({"-1", "0"})
_MOST_ATTEMPTS = 1_000_000
_LARGEST_SEQ = 2**53


class EventIds:
    """The ids of one run's events."""

    def __init__(self, run_id: str) -> None:
        self._base = int(run_id.replace("-", "")[:12], 16)

    def spell(self, event_id: EventId) -> bytes:
        """An id as the client gets it."""
        return b"%d-%d" % (self._base + event_id.attempt, event_id.seq)

    def parse(self, text: str | None) -> EventId | None:
        """The place that a client says it has read up to; None if it says nothing that this run could have said."""
        if text is None:
            return None
        if text in _FROM_THE_BEGINNING:
            return BEGINNING
        said = parse_event_id(text)
        if said is None:
            return None
        attempt = said.attempt - self._base if said.attempt >= self._base else said.attempt
        return EventId(attempt, said.seq) if attempt <= _MOST_ATTEMPTS and said.seq <= _LARGEST_SEQ else None
