"""The MCP servers of agents, as far as it can be told without the SDK: which tools each run gets, and their names."""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from longline.auth.secret_urls import hide_in_url
from longline.models.json import JsonValue
from longline.settings import Settings
from longline.slow_imports import import_alone
from longline.threads import in_thread
from longline_agent_tools.callers import Caller, caller_of
from longline_agent_tools.errors import McpFailedError, McpMissingError
from longline_agent_tools.mcp_config import McpConfig, McpServer
from longline_agent_tools.mcp_settings import McpSettings
from longline_agent_tools.settings import AgentToolsSettings
from longline_agent_tools.tool_names import assign_names

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

    from longline_agent_tools.mcp_catalog import RemoteTool
    from longline_agent_tools.mcp_connections import McpConnections

logger = logging.getLogger(__name__)

_MOST_SHOWN: Final = 10
_NO_TOKEN: Final = "it needs the caller's token, and this run has none that is good (any more)"  # noqa: S105  # a sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedTool:
    """A tool under the name that the model knows. Equal ones are called alike, whoever calls."""

    name: str
    tool: "RemoteTool"
    server_key: str
    server_name: str
    server: McpServer = field(repr=False, compare=False)

    @property
    def is_private(self) -> bool:
        """Whether a secret of the run's configuration is in it."""
        url = self.server.url.get_secret_value()
        return bool(self.server.headers) or hide_in_url(url) != url


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a server of an agent has for it; None: it cannot be used."""

    server: McpServer
    tools: "tuple[RemoteTool, ...] | None"

    @property
    def names(self) -> Sequence[str]:
        """The names of its tools; of a server that cannot be used those that the agent wants, so that others do not get
        them for a while."""
        return self.server.tools if self.tools is None else [tool.name for tool in self.tools]


@dataclass(slots=True)
class _Here:
    """What one event loop has."""

    is_kept: bool = False
    needed: asyncio.Event = field(default_factory=asyncio.Event)
    connections: "McpConnections | None" = None


class McpServers:
    """What one server of ours knows of MCP servers. Sessions are kept open as long as `keep` runs."""

    def __init__(self, settings: McpSettings) -> None:
        self._settings = settings
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _Here] = WeakKeyDictionary()

    async def keep(self) -> None:
        """Keep sessions open for the next call, and close them when this is cancelled."""
        here = self._here()
        here.is_kept = True
        try:
            await here.needed.wait()
            await self.connections().pool.keep()
        finally:
            here.is_kept = False

    def connections(self) -> "McpConnections":
        """Those of this event loop. Blocks for most of a second if the SDK was not imported before; raises ImportError
        if it is not installed."""
        from longline_agent_tools.mcp_connections import McpConnections  # noqa: PLC0415  # the SDK is slow to import

        here = self._here()
        if here.connections is None:
            here.connections = McpConnections(self._settings, keeps=here.is_kept)
            here.needed.set()
        return here.connections

    async def listings(self, config: McpConfig | None, configurable: Mapping[str, JsonValue]) -> Sequence[Listing]:
        """The tools of each server that the caller of a run may use, all asked at the same time. A server that cannot
        be used is without; the log says which and why."""
        servers = config.servers if config is not None else ()
        if not servers:
            return ()
        try:
            await in_thread(import_sdk)
        except ImportError:
            logger.warning("mcp tools left out", extra={"server": _shown(servers), "reason": str(McpMissingError())})
            return ()
        caller = caller_of(configurable)
        return await asyncio.gather(*(self._listing(server, caller) for server in servers))

    def offered(self, listings: Sequence[Listing], *, taken: Iterable[str]) -> tuple[OfferedTool, ...]:
        """All tools with a name for each that is not among `taken`."""
        if not listings:
            return ()
        names = assign_names(taken, [(listing.server.shown_name, listing.names) for listing in listings])
        tools = tuple(
            OfferedTool(
                name=name,
                tool=tool,
                server_key=listing.server.key,
                server_name=listing.server.shown_name,
                server=listing.server,
            )
            for listing, given in zip(listings, names, strict=True)
            for tool, name in zip(listing.tools or (), given, strict=bool(listing.tools))
        )
        usable = [listing.server for listing in listings if listing.tools is not None]
        logger.info("mcp tools loaded", extra={"count": len(tools), "servers": _shown(usable)})
        return tools

    def tool(self, offered: OfferedTool) -> "BaseTool":
        """The tool for a LangChain agent."""
        from longline_agent_tools.mcp_tools import adapt_mcp_tool  # noqa: PLC0415  # the SDK is slow to import

        return adapt_mcp_tool(offered, self.connections)

    async def _listing(self, server: McpServer, caller: Caller) -> Listing:
        if server.auth_required and caller.token is None:
            logger.warning("mcp tools left out", extra={"server": server.shown_name, "reason": _NO_TOKEN})
            return Listing(server=server, tools=None)
        try:
            tools = await self.connections().tools(server, caller)
        except McpFailedError as error:
            facts = {"server": server.shown_name, "url": server.shown_url, "reason": error.reason}
            logger.warning("mcp server not usable", extra=facts)
            return Listing(server=server, tools=None)
        if not server.tools:
            return Listing(server=server, tools=tools)
        missing = sorted(set(server.tools) - {tool.name for tool in tools})
        if missing:
            facts = {"server": server.shown_name, "tools": ", ".join(missing[:_MOST_SHOWN])}
            logger.warning("mcp tools not offered", extra=facts)
        return Listing(server=server, tools=tuple(tool for tool in tools if tool.name in server.tools))

    def _here(self) -> _Here:
        loop = asyncio.get_running_loop()
        here = self._loops.get(loop)
        if here is None:
            here = self._loops[loop] = _Here()
        return here


_OF_SERVERS: WeakKeyDictionary[Settings, McpServers] = WeakKeyDictionary()


def mcp_servers_of(settings: Settings) -> McpServers:
    """Those of the server with these settings: its hooks are called one by one, and share them."""
    known = _OF_SERVERS.get(settings)
    if known is None:
        known = _OF_SERVERS[settings] = McpServers(settings.section(AgentToolsSettings))
    return known


def import_sdk() -> None:
    """Whatever takes a while the first time. Runs on a worker thread. Raises ImportError."""
    import_alone("longline_agent_tools.mcp_tools")  # whatever needs the SDK
    from longline_agent_tools.pinned import trust  # noqa: PLC0415  # imports an HTTP client

    trust()


def _shown(servers: Iterable[McpServer]) -> str:
    return ", ".join(server.shown_name for server in servers)
