"""Longline plugin `hello`: a protocol with two routes, a tool, settings, and a section of what the server tells."""

from collections.abc import Mapping, Sequence

from longline import hookimpl
from longline.asgi.mount import ProtocolMount
from longline.models.json import JsonObject
from longline.services.server import Server
from longline.settings import Settings, SettingsSection
from longline.tools.tool import Tool
from longline_hello.app import make_app
from longline_hello.greeting import make_tool
from longline_hello.settings import HelloSettings


@hookimpl
def register_settings() -> Sequence[SettingsSection]:
    return [SettingsSection("hello", HelloSettings)]


@hookimpl
def register_tools(settings: Settings) -> Sequence[Tool]:
    return [make_tool(settings.section(HelloSettings))]


@hookimpl
def register_protocols(server: Server) -> Sequence[ProtocolMount]:
    return [ProtocolMount(path="/hello", app=make_app(server))]


@hookimpl
def describe_server(server: Server) -> Mapping[str, JsonObject]:
    return {"hello": {"assistant": server.settings.section(HelloSettings).assistant}}
