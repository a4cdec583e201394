"""Tools of MCP servers as LangChain knows tools: called as the run's caller, and failing as answers do.

Imported with the first agent that has servers: the SDK takes a while, and may not be installed.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, StructuredTool, ToolException
from langchain_mcp_adapters.interceptors import MCPToolCallRequest
from langchain_mcp_adapters.tools import convert_mcp_tool_to_langchain_tool
from mcp import types

from longline.models.json import JsonObject
from longline_agent_tools.arguments import ArgumentsAsOne
from longline_agent_tools.callers import Caller, caller_of
from longline_agent_tools.errors import McpFailedError
from longline_agent_tools.mcp_connections import McpConnections
from longline_agent_tools.mcp_results import text_of
from longline_agent_tools.mcp_servers import OfferedTool

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Call:
    """A call on its way through the adapter, which would take an argument of the name `runtime` for its own."""

    arguments: JsonObject
    caller: Caller


def adapt_mcp_tool(offered: OfferedTool, connections: Callable[[], McpConnections]) -> BaseTool:
    """The tool for a LangChain agent, for whoever runs it: whose call it is shows in the run's configuration."""
    server, tool = offered.server, offered.tool

    async def ask(request: MCPToolCallRequest, handler: object) -> types.CallToolResult:  # noqa: ARG001  # never asked
        call = request.runtime
        if not isinstance(call, _Call):
            raise TypeError("not called through its agent")  # noqa: TRY003  # nobody does
        try:
            result = await connections().call(server, call.caller, tool, call.arguments)
        except McpFailedError as error:
            logger.warning(
                "mcp tool failed", extra={"tool": offered.name, "server": server.shown_name, "reason": error.reason}
            )
            doubt = "; the tool may have run" if error.may_have_run else ""
            raise ToolException(f"the MCP server {server.shown_name!r} failed: {error.reason}{doubt}") from None  # noqa: TRY003  # LangChain's class
        if result.isError:
            raise ToolException(text_of(result) or "the tool failed and did not say why")
        return result

    # The adapter makes LangChain's tool of it, and LangChain's content of its answers; the way there is ours.
    adapted = convert_mcp_tool_to_langchain_tool(
        None,
        tool.tool.model_copy(update={"name": offered.name}),
        connection={"transport": "streamable_http", "url": server.shown_url},
        tool_interceptors=[ask],
        server_name=server.shown_name,
    )
    if not isinstance(adapted, StructuredTool) or adapted.coroutine is None:
        raise TypeError("the adapter makes other tools than it did")  # noqa: TRY003  # another version of it
    answer = adapted.coroutine

    async def call(arguments: dict[str, Any], config: RunnableConfig) -> tuple[Any, Any]:  # LangGraph reads the hints
        content, artifact = await answer(runtime=_Call(arguments, caller_of(config.get("configurable", {}))))
        return _as_text(content), artifact

    return ArgumentsAsOne(
        name=adapted.name,
        description=adapted.description,
        args_schema=adapted.args_schema,
        metadata=adapted.metadata,
        coroutine=call,
        response_format="content_and_artifact",
        handle_tool_error=True,
    )


def _as_text(content: str | list[Any]) -> str | list[Any]:
    """Text alone is one text: every model and front end can read that."""
    if isinstance(content, str) or any(block.get("type") != "text" for block in content):
        return content
    return "\n".join(block["text"] for block in content)
