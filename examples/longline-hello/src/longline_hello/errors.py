"""This protocol's own error, and how errors look over HTTP."""

from longline.errors import LonglineError

STATUSES = {
    "invalid_input": 422,
    "forbidden": 403,
    "not_found": 404,
    "unknown_assistant_name": 404,
    "body_too_large": 413,
    "no_answer": 502,
    "storage_unavailable": 503,
}
"""HTTP status by error code; what is not listed is 500."""


class NoAnswerError(LonglineError):
    """The run ended without an answer, or did not end in time."""

    code = "no_answer"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
