"""Runs that were just started by a command: a client that subscribes right after must not miss a run that is quick."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from longline.models.events import ThreadPlace
from longline_protocol_langgraph.protocol_v2.sequence import before_turn

_SECONDS: Final = 10.0
"""How long a client may take from its command to its subscription."""


@dataclass(slots=True)
class _Start:
    turn: int
    at: float
    heard: set[str] = field(default_factory=set)


class RecentStarts:
    """By thread: where the run begins that was started last, and which channels have been heard to its end.

    A client that started a run opens its streams one after the other; what none of them has got is replayed for the
    next. Another session on the same thread finds all heard, and gets only what happens from then on.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._starts: dict[str, _Start] = {}

    @contextmanager
    def starting(self, thread_id: str, turn: int) -> Iterator[None]:
        """Around the start of a run by a command; `turn` is the first that it can have. A start that is refused leaves
        everything as it was: who may not run on a thread changes nothing for those who follow it."""
        now = self._clock()
        for known in [known for known, start in self._starts.items() if now - start.at > _SECONDS]:
            del self._starts[known]
        before, started = self._starts.get(thread_id), _Start(turn, now)
        self._starts[thread_id] = started
        try:
            yield
        except BaseException:
            if self._starts.get(thread_id) is started:
                self._put_back(thread_id, before)
            raise

    def _put_back(self, thread_id: str, before: _Start | None) -> None:
        if before is None:
            del self._starts[thread_id]
        else:
            self._starts[thread_id] = before

    def heard(self, thread_id: str, turn: int, channels: frozenset[str]) -> None:
        """A subscriber of these channels has got the end of a turn."""
        start = self._starts.get(thread_id)
        if start is not None and turn >= start.turn:
            start.heard |= channels

    def unheard(self, thread_id: str, channels: frozenset[str]) -> ThreadPlace | None:
        """The place before a run that was just started, for who would miss something of it."""
        start = self._starts.get(thread_id)
        if start is None or self._clock() - start.at > _SECONDS or channels <= start.heard:
            return None
        return before_turn(start.turn)
