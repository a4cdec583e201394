"""The Model Context Protocol: every assistant and every registered tool of the server, for MCP clients."""

from collections.abc import Mapping, Sequence

import longline_protocol_mcp.extra  # noqa: F401  # first: the rest is of no use without
from longline.asgi.mount import ProtocolMount
from longline.hookspecs import hookimpl
from longline.models.json import JsonObject
from longline.services.server import Server
from longline.settings import Settings, SettingsSection
from longline.tools.resources import Resource
from longline_protocol_mcp.app import build_mounts, facts_of
from longline_protocol_mcp.settings import McpSettings
from longline_protocol_mcp.thread_resource import thread_resource


@hookimpl
def register_settings() -> Sequence[SettingsSection]:
    return [SettingsSection("protocol_mcp", McpSettings)]


@hookimpl
def register_resources(settings: Settings, server: Server) -> Sequence[Resource]:
    return [thread_resource(server)] if settings.section(McpSettings).thread_resource else []


@hookimpl
def register_protocols(server: Server) -> Sequence[ProtocolMount]:
    return build_mounts(server, server.settings.section(McpSettings))


@hookimpl
def describe_server(server: Server) -> Mapping[str, JsonObject]:
    return {"mcp": facts_of(server, server.settings.section(McpSettings))}
