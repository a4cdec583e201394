"""Exceptions of a graph → what a client is told: the class and the message, never a traceback or an internal detail."""

import traceback

from longline.errors import LonglineError, StorageError
from longline.models.runs import CancelRequest
from longline.models.threads import RunFailure
from longline.runs.scrubbing import Scrub

_MASKED = "An internal error occurred"
_LONGEST_MESSAGE = 20_000


class ScrubbedError(Exception):
    """Stands in a log for an error whose message, or that of one behind it, held a secret."""


def describe_failure(error: BaseException, scrub: Scrub) -> RunFailure:
    """The failure as stored and streamed. Messages of a graph's own errors pass through but for secrets, storage's are
    masked."""
    name = _clean(type(error).__name__)
    if isinstance(error, StorageError):
        return RunFailure(error=name, message=_MASKED)
    if isinstance(error, LonglineError):
        return RunFailure(error=name, message=scrub(str(error)))
    try:
        message = str(error)
    except Exception:  # noqa: BLE001  # a graph's own error class may be broken; the run ends all the same
        message = "(the error has no message that can be read)"
    return RunFailure(error=name, message=scrub(_clean(message))[:_LONGEST_MESSAGE])


def loggable(error: BaseException, scrub: Scrub) -> BaseException:
    """The error as it may be logged with its traceback: itself, or one in its place where a secret would show."""
    shown = "".join(traceback.format_exception(error))
    if scrub(shown) == shown:
        return error
    scrubbed = "".join(traceback.format_exception_only(error)).strip()
    return ScrubbedError(scrub(scrubbed)).with_traceback(error.__traceback__)


def describe_cancel(request: CancelRequest) -> RunFailure:
    """The failure that the thread of a cancelled run shows."""
    name = "UserRollback" if request.action == "rollback" else "UserInterrupt"
    return RunFailure(error=name, message=request.reason)


def _clean(text: str) -> str:
    """Text that can be written as UTF-8: file names may hold halves of characters (PEP 383)."""
    return text.encode("utf-8", "replace").decode()
