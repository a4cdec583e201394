"""Push notifications over HTTP: to the address that was checked, without redirects, reading nothing but the head of the
answer.

Imported with the first call: httpx takes a while.
"""

import asyncio
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

import httpx

from longline.auth.urls import Resolver, UrlPolicy, resolve_url
from longline.delivery.sender import Answer
from longline.errors import CallFailedError, UrlRefusedError

_MOST_ADDRESSES: Final = 4
_NOT_ABSOLUTE: Final = "not an absolute URL with a host"


class PinnedTransport(httpx.AsyncBaseTransport):
    """Resolves, checks and connects in one: whatever the name leads to a moment later does not matter. TLS still asks
    for the certificate of the name, and the Host header says it."""

    def __init__(self, policy: UrlPolicy, resolver: Resolver | None, trust: ssl.SSLContext | None) -> None:
        self._policy = policy
        self._resolver = resolver
        # A connection that is kept would be used for another name at the same address.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        verify = True if trust is None else trust
        self._inner = httpx.AsyncHTTPTransport(verify=verify, limits=limits, trust_env=False, http2=False, retries=0)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See httpx. Raises UrlRefusedError, OSError for a name that cannot be resolved, and httpx's errors."""
        host = request.url.host
        addresses = await resolve_url(self._policy, str(request.url), resolver=self._resolver)
        refused: httpx.ConnectError | None = None
        for address in addresses[:_MOST_ADDRESSES]:
            pinned = httpx.Request(
                request.method,
                request.url.copy_with(host=str(address)),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": host},
            )
            try:
                return await self._inner.handle_async_request(pinned)
            except httpx.ConnectError as error:
                refused = error
        raise refused or httpx.ConnectError("no address to connect to")

    async def aclose(self) -> None:
        """See httpx."""
        await self._inner.aclose()


class PushSender:
    """Makes the calls. `resolver` and `trust` stand in for the machine's own."""

    def __init__(
        self,
        policy: UrlPolicy,
        *,
        timeout_seconds: float,
        resolver: Resolver | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._policy = policy
        self._timeout_seconds = timeout_seconds
        self._extensions = {"timeout": httpx.Timeout(timeout_seconds).as_dict()}
        # Not httpx's client: that writes the whole URL into the log, and there may be a secret in it.
        self._transport = PinnedTransport(policy, resolver, trust)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.aclose()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """See Sender."""
        try:
            request = httpx.Request("POST", url, headers=dict(headers), content=body, extensions=self._extensions)
        except (httpx.InvalidURL, ValueError) as error:
            raise UrlRefusedError(self._policy.purpose, _NOT_ABSOLUTE) from error
        if not request.url.host:
            raise UrlRefusedError(self._policy.purpose, _NOT_ABSOLUTE)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                response = await self._transport.handle_async_request(request)
                await response.aclose()
        except (httpx.TransportError, OSError) as error:  # a time that is over is an OSError too
            raise CallFailedError(type(error).__name__) from error
        return Answer(response.status_code, response.headers.get("retry-after"))
