"""Everything that is open or known of MCP servers in one event loop.

Imported with the first agent that has servers: the SDK takes a while, and may not be installed.
"""

import json
import time
from collections.abc import Callable, Iterable

import httpx
from mcp import types
from pydantic import SecretStr

from longline.auth.urls import check_url
from longline.errors import UrlRefusedError
from longline.models.json import JsonObject
from longline_agent_tools.callers import Caller
from longline_agent_tools.errors import McpFailedError
from longline_agent_tools.mcp_catalog import McpCatalog, RemoteTool
from longline_agent_tools.mcp_config import McpServer
from longline_agent_tools.mcp_credentials import ServerCredentials
from longline_agent_tools.mcp_failures import broken_url, refused_url, unsendable_arguments
from longline_agent_tools.mcp_http import McpTransport
from longline_agent_tools.mcp_pool import McpPool
from longline_agent_tools.mcp_results import readable
from longline_agent_tools.mcp_sessions import McpSession
from longline_agent_tools.mcp_settings import McpSettings
from longline_agent_tools.pinned import PinnedTransport
from longline_agent_tools.token_exchange import TokenExchange

_BYTES_PER_MIB = 1024 * 1024
_LATER_SECONDS = 5.0
"""How much longer the connection waits than the call does: the call ends first, and is called off."""


class McpConnections:
    """Sessions, tools and tokens, for whoever calls in this event loop."""

    def __init__(self, settings: McpSettings, *, keeps: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self.exchange = TokenExchange(settings, clock)
        self.pool = McpPool(settings, self._session, keeps=keeps, clock=clock)
        self.catalog = McpCatalog(settings, self.pool, self._secrets, clock)

    async def tools(self, server: McpServer, caller: Caller) -> tuple[RemoteTool, ...]:
        """The server's tools. Raises McpFailedError."""
        try:
            return await self.catalog.tools(server, caller)
        except McpFailedError as error:
            raise error.without(self._secrets(server, caller)) from None

    async def call(
        self, server: McpServer, caller: Caller, tool: RemoteTool, arguments: JsonObject
    ) -> types.CallToolResult:
        """What the tool answers, as a model can read it. Raises McpFailedError."""
        try:
            json.dumps(arguments, ensure_ascii=False).encode()
        except (ValueError, RecursionError):  # in the SDK it would end the session
            raise unsendable_arguments() from None
        params = types.CallToolRequestParams(name=tool.name, arguments=arguments)
        try:
            result = await self.pool.ask(
                server,
                caller,
                types.ClientRequest(types.CallToolRequest(params=params)),
                types.CallToolResult,
                seconds=self._settings.mcp_call_seconds,
                is_repeatable=tool.is_repeatable,
            )
        except McpFailedError as error:
            raise error.without(self._secrets(server, caller)) from None
        return readable(
            result,
            characters=self._settings.mcp_characters,
            with_media=self._settings.mcp_media,
            secrets=self._secrets(server, caller),
        )

    def _session(self, server: McpServer, caller: Caller) -> McpSession:
        """A session that is not open yet. Raises McpFailedError where none can be."""
        url = server.url.get_secret_value().strip()
        policy = self._settings.mcp_policy
        try:
            target = check_url(policy, url)
            httpx.URL(url)
        except UrlRefusedError as error:
            raise refused_url(error.reason) from None
        except httpx.InvalidURL:
            target = None
        if target is None or target.host is None:
            raise broken_url()
        pinned = PinnedTransport(
            policy,
            keep_seconds=self._settings.mcp_idle_seconds,
            most_bytes=int(self._settings.mcp_answer_mib * _BYTES_PER_MIB),
        )
        transport = McpTransport(pinned, ServerCredentials(server, caller, self.exchange))
        read_seconds = max(self._settings.mcp_call_seconds, self._settings.mcp_list_seconds) + _LATER_SECONDS
        timeout = httpx.Timeout(self._settings.mcp_connect_seconds, read=read_seconds)
        return McpSession(url, transport, timeout, on_change=lambda: self.catalog.forget(server, caller))

    def _secrets(self, server: McpServer, caller: Caller) -> Iterable[str]:
        """What the server was shown and nobody else is to see."""
        shown: list[SecretStr | None] = [*server.headers.values()]
        if server.auth_required:
            shown += [caller.token, self.exchange.known(server.url.get_secret_value().strip(), caller)]
        return [secret.get_secret_value() for secret in shown if secret is not None]
