"""Listeners that are told what happens to runs: metrics, webhooks, logs, tracing."""

import logging
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from longline.models.events import RunEvent
from longline.models.runs import Lease, Run, RunOutcome

logger = logging.getLogger(__name__)


class RunListener(Protocol):
    """Told about runs of this process, in order, on the event loop. Must return at once: hand slow work to a task of
    your own. An exception is logged and ends nothing."""

    @property
    def wants_events(self) -> bool:
        """Whether `on_event` is to be called. Encoding events nobody reads costs time."""
        ...

    def on_created(self, run: Run) -> None:
        """The run is on the queue."""
        ...

    def on_started(self, run: Run) -> None:
        """An attempt begins here."""
        ...

    def on_event(self, event: RunEvent) -> None:
        """The attempt said something."""
        ...

    def on_ended(self, lease: Lease, outcome: RunOutcome) -> None:
        """The attempt's end is stored."""
        ...


@runtime_checkable
class FirstEventListener(Protocol):
    """A RunListener that also wants to know when a graph first says something. Costs a call per attempt: unlike with
    `wants_events` nothing is encoded for it."""

    def on_first_event(self, run: Run) -> None:
        """The graph of this attempt has said its first word; `metadata`, which is the server's, does not count."""
        ...


class Listeners:
    """All listeners as one, which never fails."""

    def __init__(self, listeners: Sequence[RunListener]) -> None:
        self._listeners = tuple(listeners)
        self.want_events = any(listener.wants_events for listener in self._listeners)
        self._of_first_events = tuple(item for item in self._listeners if isinstance(item, FirstEventListener))

    def on_created(self, run: Run) -> None:
        """See RunListener."""
        for listener in self._listeners:
            try:
                listener.on_created(run)
            except Exception:
                logger.exception("run listener failed", extra={"listener": repr(listener), "run_id": run.run_id})

    def on_started(self, run: Run) -> None:
        """See RunListener."""
        for listener in self._listeners:
            try:
                listener.on_started(run)
            except Exception:
                logger.exception("run listener failed", extra={"listener": repr(listener), "run_id": run.run_id})

    def on_first_event(self, run: Run) -> None:
        """See FirstEventListener."""
        for listener in self._of_first_events:
            try:
                listener.on_first_event(run)
            except Exception:
                logger.exception("run listener failed", extra={"listener": repr(listener), "run_id": run.run_id})

    def on_event(self, event: RunEvent) -> None:
        """See RunListener."""
        for listener in self._listeners:
            if not listener.wants_events:
                continue
            try:
                listener.on_event(event)
            except Exception:
                logger.exception("run listener failed", extra={"listener": repr(listener), "run_id": event.run_id})

    def on_ended(self, lease: Lease, outcome: RunOutcome) -> None:
        """See RunListener."""
        for listener in self._listeners:
            try:
                listener.on_ended(lease, outcome)
            except Exception:
                logger.exception("run listener failed", extra={"listener": repr(listener), "run_id": lease.run_id})
