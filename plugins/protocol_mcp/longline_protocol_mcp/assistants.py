"""Assistants as tools: every assistant that a caller may see is one, and a call of it is a run as that caller."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from longline.auth.principal import Principal
from longline.errors import GraphLoadError, UnknownGraphError
from longline.models.assistants import Assistant
from longline.models.json import JsonObject
from longline.services.server import Server
from longline.tools.content import ToolResult
from longline.tools.tool import Tool, ToolContext, ToolHints
from longline_protocol_mcp.assistant_calls import AssistantCalls, Calling
from longline_protocol_mcp.assistant_directory import AssistantDirectory
from longline_protocol_mcp.assistant_names import taken_names
from longline_protocol_mcp.assistant_schemas import GraphSchemas, InputShape

_HINTS: Final = ToolHints(read_only=False, destructive=False, idempotent=False, open_world=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolPage:
    """Some of the tools. `cursor` asks for the next ones; None: these were the last."""

    tools: Sequence[Tool]
    cursor: str | None


class AssistantTools:
    """The tools that assistants are."""

    def __init__(self, server: Server) -> None:
        names = taken_names((tool.name for tool in server.tools), server.graphs.graph_ids)
        self._directory = AssistantDirectory(server.assistants, names)
        self._schemas = GraphSchemas(server)
        self._calls = AssistantCalls(server)

    async def page(self, principal: Principal, cursor: str | None = None) -> ToolPage:
        """The tools of a page of assistants, the oldest first. One whose graph is broken is left out: the log says why.
        Raises CursorError."""
        listed = await self._directory.page(principal, cursor)
        made = [await self._tool(name, assistant) for name, assistant in listed.assistants]
        return ToolPage(tools=[tool for tool in made if tool is not None], cursor=listed.cursor)

    async def list(self, principal: Principal) -> Sequence[Tool]:
        """The tools of all assistants that the caller may see."""
        made = [await self._tool(name, assistant) for name, assistant in await self._directory.all(principal)]
        return [tool for tool in made if tool is not None]

    async def find(self, principal: Principal, name: str) -> Tool | None:
        """The tool of this name; None where there is none, or none that the caller may see."""
        assistant = await self._directory.find(principal, name)
        return None if assistant is None else await self._tool(name, assistant)

    async def close(self) -> None:
        """The server leaves: from now on calls end without their runs, with which others go on. Those that callers have
        cancelled are told so before."""
        await self._calls.close()

    async def settle(self) -> None:
        """Wait until the runs of calls that were cancelled are told so."""
        await self._calls.settle()

    async def _tool(self, name: str, assistant: Assistant) -> Tool | None:
        try:
            shape = await self._schemas.of(assistant.graph_id)
        except (GraphLoadError, UnknownGraphError):
            return None
        return Tool(
            name=name,
            title=assistant.name,
            description=assistant.description or f"Tool based on the {assistant.name} assistant",
            schema=shape.schema,
            run=partial(self._call, name, assistant, shape),
            hints=_HINTS,
        )

    async def _call(
        self, name: str, assistant: Assistant, shape: InputShape, arguments: JsonObject, context: ToolContext
    ) -> ToolResult:
        return await self._calls.call(Calling(assistant=assistant, shape=shape, context=context, name=name), arguments)
