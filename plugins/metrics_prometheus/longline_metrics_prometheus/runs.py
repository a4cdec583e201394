"""Runs of this process, from the queue to their end."""

from collections import OrderedDict
from datetime import UTC, datetime
from time import perf_counter
from typing import Final

from longline.models.events import RunEvent
from longline.models.runs import Lease, Run, RunOutcome
from longline_metrics_prometheus.instruments import Instruments

_MOST_ERRORS: Final = 100  # class names of errors come from graphs: anything may be one
_MOST_OPEN: Final = 20_000  # attempts; one that lost its lease never ends here
_OTHER: Final = "other"


class RunMetrics:
    """See RunListener and FirstEventListener."""

    wants_events = False

    def __init__(self, instruments: Instruments) -> None:
        self._instruments = instruments
        self._started: OrderedDict[tuple[str, int], float] = OrderedDict()
        self._errors: set[str] = set()

    def on_created(self, run: Run) -> None:  # noqa: ARG002  # a RunListener
        """See RunListener."""
        self._instruments.runs_accepted.inc()

    def on_started(self, run: Run) -> None:
        """See RunListener."""
        self._started[run.run_id, run.attempt] = perf_counter()
        if len(self._started) > _MOST_OPEN:
            self._started.popitem(last=False)
        if run.attempt == 1:
            self._instruments.wait_seconds.observe(_since(run.not_before))
        else:
            self._instruments.retries.inc()

    def on_first_event(self, run: Run) -> None:
        """See FirstEventListener."""
        if run.attempt == 1:
            self._instruments.first_event_seconds.observe(_since(run.not_before))

    def on_event(self, event: RunEvent) -> None:
        """See RunListener. Never called: `wants_events` is False."""

    def on_ended(self, lease: Lease, outcome: RunOutcome) -> None:
        """See RunListener."""
        started = self._started.pop((lease.run_id, lease.attempt), None)
        if started is not None:
            self._instruments.run_seconds.observe(perf_counter() - started)
        self._instruments.runs_ended.labels(outcome.status.value).inc()
        if outcome.failure is not None:
            self._instruments.errors.labels(self._known(outcome.failure.error)).inc()

    def _known(self, error: str) -> str:
        if error not in self._errors:
            if len(self._errors) >= _MOST_ERRORS or not error.isidentifier():
                return _OTHER
            self._errors.add(error)
        return error


def _since(due: datetime) -> float:
    """Seconds since a run was due, by the clock on the wall: another machine may have taken it on."""
    return max(0.0, (datetime.now(UTC) - due).total_seconds())
