"""What this edge refuses by itself, and the answers that errors become."""

from longline.asgi.respond import json_response
from longline.asgi.types import ASGIApp
from longline.errors import BodyTooLargeError, ForbiddenError, IdentityAwayError, LonglineError, UnauthenticatedError


class RefusedError(LonglineError):
    """A request that the protocol never sees, with the status of the answer."""

    code = "refused"

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class MessageError(LonglineError):
    """A request that is answered by an error of JSON-RPC before anybody works on it."""

    code = "bad_message"

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(reason)
        self.number = number


def status_of(error: LonglineError) -> int:
    """The status of HTTP for an error outside of the protocol."""
    match error:
        case RefusedError(status=status):
            return status
        case UnauthenticatedError():
            return 401
        case ForbiddenError():
            return 403
        case BodyTooLargeError():
            return 413
        case IdentityAwayError():
            return 503
    return 500


def refusal(error: LonglineError) -> ASGIApp:
    """What answers a request that is refused: `{"error": "…"}`."""
    status = status_of(error)
    reason = str(error) if status != 500 else "internal error"  # noqa: PLR2004  # HTTP
    return json_response(status, {"error": reason}, [(b"retry-after", b"1")] if status == 503 else [])  # noqa: PLR2004
