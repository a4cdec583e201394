"""The built-in graph `agent` and its first tools: a model, a prompt and whatever tools this server has."""

from collections.abc import Sequence
from functools import partial

from longline import hookimpl
from longline.auth.urls import UrlPolicy
from longline.graphs.definition import GraphDefinition
from longline.services.server import Server
from longline.settings import Settings, SettingsSection
from longline.tasks import BackgroundTask
from longline.tools.tool import Tool, ToolRegistry
from longline_agent_tools.calculate import CALCULATE
from longline_agent_tools.current_time import CURRENT_TIME
from longline_agent_tools.definition import load_agent
from longline_agent_tools.mcp_servers import mcp_servers_of
from longline_agent_tools.preload import preload
from longline_agent_tools.settings import AgentToolsSettings


@hookimpl
def register_settings() -> Sequence[SettingsSection]:
    return (SettingsSection("agent_tools", AgentToolsSettings),)


@hookimpl
def register_url_policies(settings: Settings) -> Sequence[UrlPolicy]:
    section = settings.section(AgentToolsSettings)
    return section.mcp_policy, section.rag_policy


@hookimpl
def register_tools() -> Sequence[Tool]:
    return (CALCULATE, CURRENT_TIME)


@hookimpl
def register_graph_sources(settings: Settings, tools: ToolRegistry) -> Sequence[GraphDefinition]:
    return (
        GraphDefinition(
            graph_id="agent",
            origin="plugin agent_tools",
            load=partial(load_agent, settings.section(AgentToolsSettings), tools, mcp_servers_of(settings)),
            description="An assistant with a model, a prompt and tools of your choice.",
            destinations=frozenset({"base_url", "mcp_config", "rag"}),
        ),
    )


@hookimpl
def register_background_tasks(server: Server) -> Sequence[BackgroundTask]:
    kept = BackgroundTask(name="mcp sessions", run=mcp_servers_of(server.settings).keep)
    section = server.settings.section(AgentToolsSettings)
    if not section.preload:
        return (kept,)
    return kept, BackgroundTask(name="preload agent", run=partial(preload, section))
