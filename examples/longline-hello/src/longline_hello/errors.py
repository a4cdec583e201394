"""This plugin's own errors, and how errors look over HTTP."""

from longline.errors import InvalidInputError, LonglineError


class BadNameError(InvalidInputError):
    """There is nobody to greet."""

    def __init__(self) -> None:
        super().__init__("name must be a string that is not empty")


class BadQuestionError(InvalidInputError):
    """The body of POST /hello/run is something else."""

    def __init__(self) -> None:
        super().__init__('the body must be {"text": "a question"}')


class NoAnswerError(LonglineError):
    """The run ended without an answer."""

    code = "hello_no_answer"

    def __init__(self, reason: str = "the assistant left no message") -> None:
        super().__init__(reason)
        self.reason = reason


class LateAnswerError(LonglineError):
    """The run did not end in time, and was given up."""

    code = "hello_late_answer"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no answer within {seconds:g} s")
        self.seconds = seconds


STATUSES = {
    InvalidInputError.code: 422,
    NoAnswerError.code: 502,
    LateAnswerError.code: 504,
    "body_too_large": 413,
    "forbidden": 403,
    "graph_unavailable": 503,
    "not_found": 404,
    "storage_unavailable": 503,
    "unknown_assistant_name": 404,
}
"""HTTP status by error code; what is not listed is 500."""
