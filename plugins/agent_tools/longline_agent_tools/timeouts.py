"""HTTP timeouts that clients can share."""

import httpx


class SharedTimeout(httpx.Timeout):
    """A timeout with a hash: LangChain keeps one HTTP client per endpoint and timeout, if the timeout has one. Without,
    every model would open connections of its own."""

    def __hash__(self) -> int:
        return hash((self.connect, self.read, self.write, self.pool))
