"""What the scheduler and one attempt of a run must know of each other."""

import asyncio
from dataclasses import dataclass

from longline.models.runs import CancelRequest


@dataclass(frozen=True, slots=True)
class Stopped:
    """Why an attempt was stopped from outside: a cancel, or (None) the run goes back to the queue."""

    request: CancelRequest | None


class RunControl:
    """Stops the graph of an attempt, never the attempt itself: that always gets to store how it ended."""

    def __init__(self) -> None:
        self.stopped: Stopped | None = None
        """The first reason to stop, if there is one."""
        self.is_abandoned = False
        """The row is gone or another worker has it: nothing more is to be stored."""
        self.is_concluding = False
        """The end is being stored: the lease may be gone any moment."""
        self._graph: asyncio.Task[object] | None = None

    def begin(self, graph: "asyncio.Task[object]") -> None:
        """The graph runs now. It is cancelled at once if the attempt was stopped before it began."""
        self._graph = graph
        if self.stopped is not None or self.is_abandoned:
            graph.cancel()

    def stop(self, stopped: Stopped) -> None:
        """Stop the graph; only the first reason counts."""
        if self.stopped is None:
            self.stopped = stopped
            if self._graph is not None:
                self._graph.cancel()

    def abandon(self) -> None:
        """Stop the graph and store nothing."""
        self.is_abandoned = True
        if self._graph is not None:
            self._graph.cancel()
