"""Assistants as agents: found as the caller."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from longline.auth.principal import Principal
from longline.defaults.langgraph_json import LangGraphJsonSettings, read_langgraph_json
from longline.errors import ForbiddenError, NotFoundError, UnknownAssistantNameError
from longline.models.assistants import Assistant
from longline.services.graph_assistants import is_by_server
from longline.services.server import Server
from longline_protocol_a2a.errors import UnknownAgentError
from longline_protocol_a2a.rpc import RpcCall

AGENT_CALL: Final = "longline.a2a.call"
"""The key under which the scope of a request that the SDK gets holds its AgentCall."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentCall:
    """What this edge found out about a request. `rpc` is what it holds, if it is one of JSON-RPC."""

    assistant_id: str
    version: str
    server_url: str
    rpc: RpcCall | None = None


async def find_agent(server: Server, principal: Principal, name: str) -> Assistant:
    """The assistant of a UUID or a graph's id. One that the caller may not see is not there. Raises UnknownAgentError,
    StorageError, and what sources of agents raise while they are away."""
    try:
        return await server.assistants.resolve(principal, name)
    except (UnknownAssistantNameError, NotFoundError, ForbiddenError):
        raise UnknownAgentError(name) from None


def is_everybodys(server: Server, assistant: Assistant) -> bool:
    """Whether it is a graph's own assistant, which nobody needs a right to see."""
    return assistant.assistant_id in server.graphs.own_assistant_ids and is_by_server(assistant)


def default_agent(server: Server, chosen: str) -> str:
    """Whose card the server's own is: the chosen one's, or that of the project's first graph, or of the server's. Empty
    if there are no graphs. Raises SettingsError for a langgraph.json that cannot be read."""
    if chosen:
        return chosen
    file = server.settings.section(LangGraphJsonSettings).file
    of_project = list(read_langgraph_json(Path(file)).graphs) if file else []
    known = server.graphs.graph_ids
    return next((name for name in (*of_project, *known) if name in known), "")
