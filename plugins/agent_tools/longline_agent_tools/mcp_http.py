"""The way to one MCP server: whatever fails on it is an answer to the call that it concerns, and to no other.

The SDK's transport ends a whole session when one answer is an HTTP error, and leaves a call without answer when a
stream breaks off; here both become JSON-RPC errors of that one call, and `failures` says what really happened.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from typing import Final, Protocol

import httpx
from mcp.types import JSONRPCError, JSONRPCMessage, JSONRPCResponse
from pydantic import ValidationError

from longline.models.json import JsonObject
from longline_agent_tools.errors import McpFailedError
from longline_agent_tools.mcp_failures import ended_early, failure_of, no_mcp
from longline_agent_tools.pinned import AnswerTooLargeError

_SESSION: Final = "mcp-session-id"
_JSON: Final = "application/json"
_EVENTS: Final = "text/event-stream"
_UNAUTHORIZED: Final = 401
_NOT_FOUND: Final = 404
_REDIRECTS: Final = range(300, 400)
_SUCCESSES: Final = range(200, 300)
_SERVER_ERRORS: Final = range(500, 600)
_REFUSED: Final = (401, 403)
_EVENT_ID = re.compile(rb"(?:^|[\r\n])id:")
_ID_BYTES: Final = 4
_LAST_SECONDS: Final = 0.5


class Credentials(Protocol):
    """What a server is shown."""

    async def headers(self, *, again: bool = False) -> Mapping[str, str]:
        """The headers; `again` after the server refused those that it was shown last. Raises McpFailedError."""
        ...

    @property
    def can_be_renewed(self) -> bool:
        """Whether asking again may help."""
        ...


class McpTransport(httpx.AsyncBaseTransport):
    """A transport for the requests of one session."""

    def __init__(self, inner: httpx.AsyncBaseTransport, credentials: Credentials) -> None:
        self._inner = inner
        self._credentials = credentials
        self.failures: dict[str, McpFailedError] = {}
        """What went wrong with calls, by the id of each. Whoever looks takes it away."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See httpx. Raises for the stream that a server may send on its own, never for a call."""
        if request.method == "GET":
            _wait(request, None)
            return await self._send(request)
        call_id = _call_id(request)
        if call_id is None:  # the SDK sends one after the other: the next call would wait for its answer
            _wait(request, request.extensions.get("timeout", {}).get("connect"))
        try:
            response = await self._send(request)
            if call_id is not None:
                return await self._answer(response, request, call_id)
            await response.aclose()
        except Exception as error:
            failure = failure_of(error)
            if failure is None:
                raise
            if call_id is not None:
                return self._failed(call_id, failure)
        # A notification or a farewell: nobody waits for an answer, and the next call shows what is wrong.
        return httpx.Response(204 if request.method == "DELETE" else 202)

    async def aclose(self) -> None:
        """See httpx."""
        await self._inner.aclose()

    async def _send(self, request: httpx.Request) -> httpx.Response:
        request.headers.update(await self._credentials.headers())
        response = await self._inner.handle_async_request(request)
        if response.status_code != _UNAUTHORIZED or request.method != "POST" or not self._credentials.can_be_renewed:
            return response
        await response.aclose()
        request.headers.update(await self._credentials.headers(again=True))
        return await self._inner.handle_async_request(request)

    async def _answer(self, response: httpx.Response, request: httpx.Request, call_id: object) -> httpx.Response:
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if response.status_code in _REDIRECTS and _stays(response, request):
            return response
        if response.status_code in _SUCCESSES and kind == _EVENTS:
            stream = _EventStream(response, self, call_id)
            return httpx.Response(response.status_code, headers=response.headers, stream=stream)
        try:
            if response.status_code in _SUCCESSES and kind == _JSON:
                return await self._document(response, call_id)
        finally:
            await response.aclose()
        return self._failed(call_id, _failure_of_status(response, request))

    async def _document(self, response: httpx.Response, call_id: object) -> httpx.Response:
        content = await response.aread()
        try:
            said = JSONRPCMessage.model_validate_json(content).root
        except (ValidationError, ValueError, RecursionError):
            said = None
        if not isinstance(said, JSONRPCResponse | JSONRPCError) or str(said.id) != str(call_id):
            return self._failed(call_id, no_mcp())
        headers = {name: value for name, value in response.headers.items() if name in ("content-type", _SESSION)}
        return httpx.Response(200, headers=headers, content=content)

    def _failed(self, call_id: object, failure: McpFailedError) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": _JSON}, content=self.failing(call_id, failure))

    def failing(self, call_id: object, failure: McpFailedError) -> bytes:
        """The JSON-RPC error that ends a call, which `failures` explains."""
        self.failures[str(call_id)] = failure
        error = {"code": -32000, "message": failure.reason}
        return json.dumps({"jsonrpc": "2.0", "id": call_id, "error": error}).encode()


class _EventStream(httpx.AsyncByteStream):
    """The events of one call's answer. If they end without it, and cannot be taken up again (no event has an id), an
    error is the last event. Where the answer did come, nobody reads that far."""

    def __init__(self, response: httpx.Response, transport: McpTransport, call_id: object) -> None:
        self._response = response
        self._chunks = response.aiter_raw()
        self._transport = transport
        self._call_id = call_id

    async def __aiter__(self) -> AsyncIterator[bytes]:
        tail, can_be_resumed = b"", False
        failure = ended_early()
        try:
            async for chunk in self._chunks:
                can_be_resumed = can_be_resumed or _EVENT_ID.search(tail + chunk) is not None
                tail = chunk[-_ID_BYTES:]
                yield chunk
        except httpx.TransportError as error:
            failure = failure_of(error) or failure
            can_be_resumed = can_be_resumed and not isinstance(error, AnswerTooLargeError)
        if not can_be_resumed:
            yield b"\n\nevent: message\ndata: " + self._transport.failing(self._call_id, failure) + b"\n\n"

    async def aclose(self) -> None:
        """The SDK stops reading with the answer. What follows is the end of the stream: without it, the connection
        would have to be closed, and each call would need a new one."""
        try:
            async with asyncio.timeout(_LAST_SECONDS):
                async for _ in self._chunks:
                    pass
        except (TimeoutError, httpx.TransportError):
            pass  # then it is closed
        finally:
            await self._response.aclose()


def _wait(request: httpx.Request, seconds: float | None) -> None:
    """How long an answer may take."""
    timeouts = request.extensions.get("timeout", {})
    request.extensions = {**request.extensions, "timeout": {**timeouts, "read": seconds}}


def _call_id(request: httpx.Request) -> object:
    """The id of a JSON-RPC request; None for anything else that is sent."""
    if request.method != "POST":
        return None
    message: JsonObject = json.loads(request.content)
    return message.get("id") if "method" in message else None


def _stays(response: httpx.Response, request: httpx.Request) -> bool:
    """Whether a redirect leads to the same server with the same method: the SDK follows it."""
    location = response.headers.get("location")
    if location is None or response.status_code not in (307, 308):
        return False
    try:
        there = request.url.join(location)
    except httpx.InvalidURL:
        return False
    return (there.scheme, there.host, there.port) == (request.url.scheme, request.url.host, request.url.port)


def _failure_of_status(response: httpx.Response, request: httpx.Request) -> McpFailedError:
    status = response.status_code
    if status == _NOT_FOUND and _SESSION in request.headers:
        return McpFailedError("it has forgotten the session (HTTP 404)", status=status)
    if status in _REFUSED:
        return McpFailedError(f"it refuses the caller (HTTP {status})", status=status)
    if status in _REDIRECTS:
        return McpFailedError(f"it redirects to another place (HTTP {status})", status=status)
    if status in _SUCCESSES:
        return no_mcp(status)
    return McpFailedError(f"it answers HTTP {status}", may_have_run=status in _SERVER_ERRORS, status=status)
