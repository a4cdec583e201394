"""The LangGraph Server API over HTTP, as LangGraph's SDKs and front ends speak it."""

from collections.abc import Sequence

from longline.asgi.mount import ProtocolMount
from longline.hookspecs import hookimpl
from longline.services.server import Server
from longline.settings import SettingsSection
from longline_protocol_langgraph.app import build_mount
from longline_protocol_langgraph.settings import LangGraphApiSettings


@hookimpl
def register_settings() -> Sequence[SettingsSection]:
    return [SettingsSection("protocol_langgraph", LangGraphApiSettings)]


@hookimpl
def register_protocols(server: Server) -> Sequence[ProtocolMount]:
    return [build_mount(server, server.settings.section(LangGraphApiSettings))]
