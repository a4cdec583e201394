"""The built-in graph `agent` and its first tools: a model, a prompt and whatever tools this server has."""

from collections.abc import Sequence
from functools import partial

from longline import hookimpl
from longline.graphs.definition import GraphDefinition
from longline.settings import Settings, SettingsSection
from longline.tools.tool import Tool, ToolRegistry
from longline_agent_tools.calculate import CALCULATE
from longline_agent_tools.current_time import CURRENT_TIME
from longline_agent_tools.definition import load_agent
from longline_agent_tools.settings import AgentToolsSettings


@hookimpl
def register_settings() -> Sequence[SettingsSection]:
    return (SettingsSection("agent_tools", AgentToolsSettings),)


@hookimpl
def register_tools() -> Sequence[Tool]:
    return (CALCULATE, CURRENT_TIME)


@hookimpl
def register_graph_sources(settings: Settings, tools: ToolRegistry) -> Sequence[GraphDefinition]:
    return (
        GraphDefinition(
            graph_id="agent",
            origin="plugin agent_tools",
            load=partial(load_agent, settings.section(AgentToolsSettings), tools),
            description="An assistant with a model, a prompt and tools of your choice.",
            destinations=frozenset({"base_url", "mcp_config", "rag"}),
        ),
    )
