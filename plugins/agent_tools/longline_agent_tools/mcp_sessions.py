"""One conversation with one MCP server, for one user: opened, asked, closed.

The SDK's sessions must be left by the task that entered them: each has a task of its own, that does nothing else.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from typing import Final, TypeVar

import httpx
from anyio import BrokenResourceError, ClosedResourceError, EndOfStream
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp import ClientSession, McpError, types
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage
from pydantic import BaseModel, ValidationError

from longline_agent_tools.errors import McpFailedError
from longline_agent_tools.mcp_failures import broken, no_mcp, other_version, said_no, silent, unusable
from longline_agent_tools.mcp_http import McpTransport

logger = logging.getLogger(__name__)

R = TypeVar("R", bound=BaseModel)

_CLOSE_SECONDS: Final = 2.0
_CLOSED: Final = (types.CONNECTION_CLOSED, "Connection closed")  # servers use the number for errors of their own
_NOT_UNDERSTOOD: Final = (types.PARSE_ERROR, types.INVALID_REQUEST, types.METHOD_NOT_FOUND, types.INVALID_PARAMS)
_LONGEST_REASON: Final = 500


class McpSession:
    """A session. `on_change` is called when the server says that its tools are others now."""

    def __init__(
        self, url: str, transport: McpTransport, timeout: httpx.Timeout, on_change: Callable[[], None]
    ) -> None:
        self._url = url
        self._transport = transport
        self._timeout = timeout
        self._on_change = on_change
        self._stop = asyncio.Event()
        self._opened: asyncio.Future[_Client] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self._task is not None and not self._task.done() and not self._stop.is_set()

    async def open(self, seconds: float) -> None:
        """Connect and shake hands. Raises McpFailedError."""
        # In nobody's context: it outlives the run that needed it first.
        self._task = asyncio.create_task(self._live(), name="mcp session", context=Context())
        try:
            async with asyncio.timeout(seconds):
                await asyncio.shield(self._opened)
        except TimeoutError:
            await self.close()
            raise silent() from None
        except BaseException:
            await self.close()
            raise

    async def ask(self, request: types.ClientRequest, result: type[R], seconds: float) -> R:
        """The server's answer. Raises McpFailedError."""
        if self._task is None or not self.is_alive:
            raise broken(may_have_run=False)
        client = await self._opened
        call = asyncio.ensure_future(client.ask(request, result, seconds))
        try:
            await asyncio.wait({call, self._task}, return_when=asyncio.FIRST_COMPLETED)
            if call.done():
                return call.result()
        finally:
            if not call.done():
                call.cancel()
                await asyncio.wait({call})
        raise broken(may_have_run=True)

    async def close(self) -> None:
        """Take leave of the server, for as long as a moment takes; then leave without."""
        self._stop.set()
        if self._task is None:
            return
        if not self._opened.done():
            self._task.cancel()
        await asyncio.wait({self._task}, timeout=_CLOSE_SECONDS)
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=_CLOSE_SECONDS)

    async def _live(self) -> None:
        try:
            async with (
                self._connected() as (read, write),
                _Client(read, write, failures=self._transport.failures, on_change=self._on_change) as client,
            ):
                await client.begin()
                self._opened.set_result(client)
                await self._stop.wait()
        except Exception as error:  # noqa: BLE001  # of the SDK: callers get a failure, and the next one a new session
            if not self._opened.done():
                self._opened.set_exception(_failure_of(error))
                self._opened.exception()  # looked at, if by nobody else
            else:
                logger.debug("mcp session ended", extra={"reason": type(error).__name__})
        finally:
            if not self._opened.done():
                self._opened.cancel()

    @asynccontextmanager
    async def _connected(
        self,
    ) -> AsyncIterator[
        tuple[MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage]]
    ]:
        async with (
            httpx.AsyncClient(transport=self._transport, timeout=self._timeout) as client,
            streamable_http_client(self._url, http_client=client) as (read, write, _),
        ):
            yield read, write


class _Client(ClientSession):
    """The SDK's session, whose failures are ours."""

    def __init__(
        self,
        read: MemoryObjectReceiveStream[SessionMessage | Exception],
        write: MemoryObjectSendStream[SessionMessage],
        *,
        failures: dict[str, McpFailedError],
        on_change: Callable[[], None],
    ) -> None:
        super().__init__(read, write, message_handler=self._heard)
        self._failures = failures
        self._on_change = on_change

    async def begin(self) -> None:
        """Shake hands. Raises McpFailedError."""
        call_id = self._request_id
        try:
            await self.initialize()
        except McpError as error:
            raise self._failure(call_id, error) from None
        except ValidationError:
            raise no_mcp() from None
        except RuntimeError:
            raise other_version() from None

    async def ask(self, request: types.ClientRequest, result: type[R], seconds: float) -> R:
        """The answer. A call that is given up is called off. Raises McpFailedError."""
        call_id = self._request_id
        try:
            async with asyncio.timeout(seconds):  # the SDK's own does not count the time until it is sent
                return await self.send_request(request, result)
        except TimeoutError:
            self._call_off(call_id)
            raise silent() from None
        except McpError as error:
            raise self._failure(call_id, error) from None
        except ValidationError:
            raise no_mcp() from None
        except (ClosedResourceError, BrokenResourceError):  # nobody takes it to the server any more
            raise broken(may_have_run=False) from None
        except EndOfStream:
            raise broken(may_have_run=True) from None
        except asyncio.CancelledError:
            self._call_off(call_id)
            raise
        except Exception as error:  # noqa: BLE001  # of the SDK, which cannot send each text that a model writes
            raise unusable(error) from None
        finally:
            self._failures.pop(str(call_id), None)

    def _failure(self, call_id: int, error: McpError) -> McpFailedError:
        known = self._failures.pop(str(call_id), None)
        if known is not None:
            return known
        if (error.error.code, error.error.message) == _CLOSED:
            return broken(may_have_run=True)
        said = " ".join(error.error.message.split())[:_LONGEST_REASON]
        return said_no(said, may_have_run=error.error.code not in _NOT_UNDERSTOOD)

    def _call_off(self, call_id: int) -> None:
        params = types.CancelledNotificationParams(requestId=call_id, reason="nobody waits for it any longer")
        note = types.ClientNotification(types.CancelledNotification(params=params))
        with suppress(RuntimeError):  # the session is about to end
            self._task_group.start_soon(self.send_notification, note)

    async def _heard(self, message: object) -> None:
        if isinstance(message, types.ServerNotification) and isinstance(
            message.root, types.ToolListChangedNotification
        ):
            self._on_change()


def _failure_of(error: BaseException) -> McpFailedError:
    """Our failure among what the SDK's task groups raise, or in its place."""
    if isinstance(error, McpFailedError):
        return error
    if isinstance(error, BaseExceptionGroup):
        found = [_failure_of(one) for one in error.exceptions]
        return next((one for one in found if one.status is not None), found[0])
    return unusable(error)
