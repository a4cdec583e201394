"""HTTP to addresses that were checked: for URLs that an assistant or a run names.

Imported with the first call: httpx takes a while.
"""

import ssl
from collections.abc import AsyncIterator
from functools import cache
from typing import Final

import httpx

from longline.auth.urls import Resolver, UrlPolicy, resolve_url

_MOST_ADDRESSES: Final = 4
_MOST_KEPT: Final = 2


class AnswerTooLargeError(httpx.ReadError):
    """A server said more than anybody wants to know."""

    def __init__(self) -> None:
        super().__init__("the answer is too large")


class AnswerEncodedError(httpx.RemoteProtocolError):
    """A server compressed what it was asked not to: what is small on the way may be large when it is read."""

    def __init__(self) -> None:
        super().__init__("the answer is compressed")


class PinnedTransport(httpx.AsyncBaseTransport):
    """Resolves, checks and connects in one: whatever the name leads to a moment later does not matter. TLS still asks
    for the certificate of the name, and the Host header says it. Use one for each host: a connection that is kept may
    be used for whatever leads to the same address. An answer ends with AnswerTooLargeError after `most_bytes`, and none
    is compressed."""

    def __init__(
        self, policy: UrlPolicy, *, keep_seconds: float, most_bytes: int, resolver: Resolver | None = None
    ) -> None:
        self._policy = policy
        self._resolver = resolver
        self._most_bytes = most_bytes
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=_MOST_KEPT, keepalive_expiry=keep_seconds)
        self._inner = httpx.AsyncHTTPTransport(verify=trust(), limits=limits, http2=False, retries=0)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See httpx. Raises UrlRefusedError, OSError for a name that cannot be resolved, and httpx's errors."""
        host = request.url.host
        addresses = await resolve_url(self._policy, str(request.url), resolver=self._resolver)
        request.headers["accept-encoding"] = "identity"  # what is counted is what is read
        refused: httpx.ConnectError | httpx.ConnectTimeout | None = None
        for address in addresses[:_MOST_ADDRESSES]:
            pinned = httpx.Request(
                request.method,
                request.url.copy_with(host=str(address)),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": host},
            )
            try:
                return await self._bounded(await self._inner.handle_async_request(pinned))
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                refused = error
        raise refused or httpx.ConnectError("no address to connect to")

    async def aclose(self) -> None:
        """See httpx."""
        await self._inner.aclose()

    async def _bounded(self, response: httpx.Response) -> httpx.Response:
        if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
            await response.aclose()
            raise AnswerEncodedError
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=_BoundedStream(response, self._most_bytes),
            extensions=response.extensions,
        )


class _BoundedStream(httpx.AsyncByteStream):
    """A body up to a size."""

    def __init__(self, response: httpx.Response, most_bytes: int) -> None:
        self._response = response
        self._left = most_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._response.aiter_raw():
            self._left -= len(chunk)
            if self._left < 0:
                raise AnswerTooLargeError
            yield chunk

    async def aclose(self) -> None:
        await self._response.aclose()


@cache
def trust() -> ssl.SSLContext:
    """The certificates of all authorities: read once, which takes a while."""
    return httpx.create_ssl_context()
