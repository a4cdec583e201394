"""Run events: what a run says while it runs, in an order that holds across attempts and restarts."""

from dataclasses import dataclass
from typing import NamedTuple

from longline.models.json import JsonBytes
from longline.models.runs import Lease

_LONGEST_ID = 40


class EventId(NamedTuple):
    """The place of an event in its run: strictly increasing, so a second attempt never reuses an id."""

    attempt: int
    seq: int

    def __str__(self) -> str:
        return f"{self.attempt}-{self.seq}"


BEGINNING = EventId(0, 0)
"""Before every event: attempts and sequence numbers start at 1."""


def parse_event_id(text: str) -> EventId | None:
    """The id in `attempt-seq` spelling (digits only), or None for anything else."""
    attempt, dash, seq = text.partition("-")
    if (
        dash
        and attempt.isascii()
        and attempt.isdigit()
        and seq.isascii()
        and seq.isdigit()
        and len(text) <= _LONGEST_ID
    ):
        return EventId(int(attempt), int(seq))
    return None


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One event. `mode` is the event's name (`values`, `messages/partial`, …), `namespace` the path of its subgraph."""

    run_id: str
    attempt: int
    seq: int
    mode: str
    namespace: tuple[str, ...]
    data: JsonBytes

    @property
    def event_id(self) -> EventId:
        """Where it stands in its run."""
        return EventId(self.attempt, self.seq)


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Events of one attempt, in order, with the lease that allows to write them."""

    lease: Lease
    events: tuple[RunEvent, ...]
