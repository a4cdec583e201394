"""One log line for each state change of a run."""

import logging

from longline.models.events import RunEvent
from longline.models.runs import Lease, Run, RunOutcome

logger = logging.getLogger(__name__)


class RunLog:
    """Logs what happens to runs; see RunListener."""

    wants_events = False

    def on_created(self, run: Run) -> None:
        """See RunListener."""
        logger.info(
            "run created", extra={"run_id": run.run_id, "thread_id": run.thread_id, "graph_id": run.spec.graph_id}
        )

    def on_started(self, run: Run) -> None:
        """See RunListener."""
        if run.attempt > 1:
            logger.info("run resumed", extra={"run_id": run.run_id, "attempt": run.attempt})

    def on_event(self, event: RunEvent) -> None:
        """See RunListener."""

    def on_ended(self, lease: Lease, outcome: RunOutcome) -> None:
        """See RunListener."""
        logger.info(
            "run ended", extra={"run_id": lease.run_id, "attempt": lease.attempt, "status": str(outcome.status)}
        )
