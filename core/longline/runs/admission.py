"""A new run on a thread that has unfinished ones: reject, enqueue, interrupt or roll back."""

from collections.abc import Sequence

from longline.errors import ThreadBusyError
from longline.models.runs import CancelRequest, Displacement, MultitaskStrategy, Run
from longline.storage.queue import AdmissionRule


def admission_rule(strategy: MultitaskStrategy, thread_id: str) -> AdmissionRule:
    """The strategy as a rule that storage applies inside the transaction that stores the run."""

    def admit(unfinished: Sequence[Run]) -> Displacement:
        if not unfinished or strategy == "enqueue":
            return Displacement()
        if strategy == "reject":
            raise ThreadBusyError(thread_id)
        return Displacement(run_ids=tuple(run.run_id for run in unfinished), request=displacing_request(strategy))

    return admit


def displacing_request(strategy: MultitaskStrategy) -> CancelRequest | None:
    """What a new run of this strategy asks of unfinished ones on its thread; None if it leaves them alone."""
    if strategy == "enqueue" or strategy == "reject":  # noqa: PLR1714  # so that the type of the rest is known
        return None
    return CancelRequest(action=strategy, reason=f"{strategy} by a newer run on the thread")
