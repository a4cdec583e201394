"""What goes wrong with calls."""

from longline.errors import LonglineError


class CallFailedError(LonglineError):
    """Nobody answered: no connection, no answer in time, or an answer that is no HTTP. It holds no URL: those may have
    secrets in them."""

    code = "call_failed"

    def __init__(self, reason: str) -> None:
        super().__init__(f"the call failed: {reason}")
        self.reason = reason
