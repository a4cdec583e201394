"""What is stored with a run's end: the call that is to be made, complete, so that it outlives the run."""

from collections.abc import Sequence
from typing import Final

from longline.models.collections import CollectionSpec, NewDocument
from longline.models.runs import Run
from longline.runs.recorders import RunEnding
from longline_webhooks.payload import render_payload

DELIVERIES: Final = CollectionSpec(name="webhooks.deliveries", kind="documents")
"""One document for each webhook that is on its way, by the id of its run. One that was given up stays for a while,
without the payload."""
OWNER: Final = ""


class WebhookOutbox:
    """Writes down the webhook of a run in the transaction of its end. Costs nothing for runs without one, and a bounded
    amount for others: it is written again with each attempt."""

    def __init__(self, max_payload_mib: float) -> None:
        self._limit = int(max_payload_mib * 1024 * 1024)

    def wants(self, run: Run) -> bool:
        """See EndRecorder."""
        return run.spec.webhook is not None

    def record(self, ending: RunEnding) -> Sequence[NewDocument]:
        """See EndRecorder."""
        run = ending.run
        value = {
            "state": "waiting",
            "url": run.spec.webhook,
            "run_id": run.run_id,
            "thread_id": run.thread_id,
            "payload": render_payload(ending, self._limit),
        }
        return [
            NewDocument(
                collection=DELIVERIES.name, owner=OWNER, key=run.run_id, value={**value}, due_at=ending.ended_at
            )
        ]
