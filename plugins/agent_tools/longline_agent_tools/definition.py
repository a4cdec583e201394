"""Loading the graph: the one place between start-up, which must stay light, and LangChain, which is not."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from longline.slow_imports import import_alone
from longline.tools.tool import ToolRegistry
from longline_agent_tools.mcp_servers import McpServers
from longline_agent_tools.settings import AgentToolsSettings

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.graph.state import CompiledStateGraph

    MakeAgent = Callable[[RunnableConfig], Awaitable[CompiledStateGraph[Any, Any, Any, Any]]]


def load_agent(settings: AgentToolsSettings, tools: ToolRegistry, mcp: McpServers) -> "MakeAgent":
    """The factory `f(config)` that makes the agent of each run."""
    import_alone("longline_agent_tools.graph")
    from longline_agent_tools.graph import AgentFactory  # noqa: PLC0415  # LangChain is slow to import

    return AgentFactory(settings, tools, mcp).make
