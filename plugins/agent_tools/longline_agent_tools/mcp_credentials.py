"""What a server is shown with each request: its own headers, and who calls where it wants to know."""

import re
from collections.abc import Mapping
from typing import Final

from longline_agent_tools.callers import Caller
from longline_agent_tools.mcp_config import McpServer
from longline_agent_tools.mcp_failures import unfit_header
from longline_agent_tools.token_exchange import TokenExchange, sendable

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS: Final = frozenset({
    "accept", "accept-encoding", "connection", "content-length", "content-type", "host", "last-event-id",
    "mcp-protocol-version", "mcp-session-id", "transfer-encoding",
})  # fmt: skip


class ServerCredentials:
    """The headers for one user at one server."""

    def __init__(self, server: McpServer, caller: Caller, exchange: TokenExchange) -> None:
        """Raises McpFailedError for headers that cannot be sent."""
        self._server = server
        self._caller = caller
        self._exchange = exchange
        self._own = {name.lower(): sendable(value).get_secret_value() for name, value in server.headers.items()}
        unfit = [name for name in self._own if not _NAME.fullmatch(name) or name in _OURS]
        if unfit:
            raise unfit_header()

    @property
    def can_be_renewed(self) -> bool:
        """Whether asking again may help."""
        return self._server.auth_required and self._exchange.gives_own_tokens

    async def headers(self, *, again: bool = False) -> Mapping[str, str]:
        """The headers; `again` after the server refused those that it was shown last. Raises McpFailedError."""
        if not self._server.auth_required:
            return self._own
        url = self._server.url.get_secret_value().strip()
        token = await self._exchange.token(url, self._caller, again=again)
        return {**self._own, "authorization": f"Bearer {token.get_secret_value()}"}
