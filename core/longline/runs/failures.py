"""Exceptions of a graph → what a client is told: the class and the message, never a traceback or an internal detail."""

from longline.errors import LonglineError, StorageError
from longline.models.runs import CancelRequest
from longline.models.threads import RunFailure

_MASKED = "An internal error occurred"
_LONGEST_MESSAGE = 20_000


def describe_failure(error: BaseException) -> RunFailure:
    """The failure as stored and streamed. Messages of a graph's own errors pass through, storage's are masked."""
    name = type(error).__name__
    if isinstance(error, StorageError):
        return RunFailure(error=name, message=_MASKED)
    if isinstance(error, LonglineError):
        return RunFailure(error=name, message=str(error))
    return RunFailure(error=name, message=str(error)[:_LONGEST_MESSAGE])


def describe_cancel(request: CancelRequest) -> RunFailure:
    """The failure that the thread of a cancelled run shows."""
    name = "UserRollback" if request.action == "rollback" else "UserInterrupt"
    return RunFailure(error=name, message=request.reason)
