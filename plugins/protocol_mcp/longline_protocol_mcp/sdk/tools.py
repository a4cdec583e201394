"""Tools of this server as MCP clients call them: the registered ones, and assistants."""

import asyncio
import logging
from functools import partial
from itertools import islice
from typing import Final

from jsonschema import SchemaError  # type: ignore[import-untyped]  # it has no types of its own
from jsonschema.exceptions import best_match  # type: ignore[import-untyped]
from mcp import types
from mcp.shared.exceptions import McpError

from longline.auth.principal import Principal
from longline.errors import InvalidInputError, LonglineError, NotFoundError
from longline.models.json import JsonObject
from longline.tools.caller import Caller
from longline.tools.content import Text, ToolAnswer, ToolResult
from longline.tools.tool import Tool, ToolContext, ToolRegistry
from longline_protocol_mcp.assistants import AssistantTools
from longline_protocol_mcp.sdk.blocks import failure, result_of, tool_of
from longline_protocol_mcp.validators import look_at, validator_of

logger = logging.getLogger(__name__)

_LONGEST_REASON: Final = 500
_MOST_FAULTS: Final = 50


class Tools:
    """What a caller may call."""

    def __init__(self, registered: ToolRegistry, assistants: AssistantTools) -> None:
        self._registered = registered
        self._assistants = assistants

    async def page(self, principal: Principal, cursor: str | None) -> types.ListToolsResult:
        """Some of the tools, the registered ones first. Raises InvalidInputError for a cursor that is none of ours."""
        own = [tool_of(tool) for tool in self._registered] if cursor is None else []
        page = await self._assistants.page(principal, cursor)
        return types.ListToolsResult(tools=[*own, *map(tool_of, page.tools)], nextCursor=page.cursor)

    async def call(
        self, principal: Principal, name: str, arguments: JsonObject, caller: Caller
    ) -> types.CallToolResult:
        """A tool's answer; what went wrong in it is an answer too. Raises McpError for a tool that is not there."""
        try:
            tool, is_registered = await self._find(principal, name)
            if is_registered:
                await look_at(arguments, partial(check_arguments, tool))
            answer = await tool.run(arguments, ToolContext(principal=principal, caller=caller))
            if is_registered:
                answer = _checked(tool, answer)
            return result_of(answer)
        except McpError:
            raise
        except LonglineError as error:
            return failure(str(error))
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            return failure("the tool failed: it was cancelled")  # by itself, not by its caller, who waits
        except (Exception, SystemExit) as error:  # a tool's failure is its own
            logger.exception("tool failed", extra={"tool": name})
            return failure(f"the tool failed: {type(error).__name__}")  # its message may hold anything

    async def _find(self, principal: Principal, name: str) -> tuple[Tool, bool]:
        try:
            return self._registered.get(name), True
        except NotFoundError:
            found = await self._assistants.find(principal, name)
        if found is None:
            raise McpError(types.ErrorData(code=types.INVALID_PARAMS, message=f"Unknown tool: {name}"))
        return found, False


def check_arguments(tool: Tool, arguments: JsonObject) -> None:
    """Hold arguments against a tool's schema. Raises InvalidInputError."""
    fault = _fault(tool.schema, arguments)
    if fault is not None:
        raise InvalidInputError(f"Input validation error: {fault}")  # noqa: TRY003  # which one


def _checked(tool: Tool, answer: ToolAnswer) -> ToolAnswer:
    if tool.output_schema is None or (isinstance(answer, ToolResult) and answer.is_error):
        return answer
    structured = answer.structured if isinstance(answer, ToolResult) else answer
    fault = _fault(tool.output_schema, structured)
    if fault is None:
        return answer
    logger.error("tool answered what its schema does not allow", extra={"tool": tool.name})
    return ToolResult((Text("the tool's answer does not fit its own schema"),), is_error=True)


def _fault(schema: JsonObject, value: object) -> str | None:
    try:
        error = best_match(islice(validator_of(schema).iter_errors(value), _MOST_FAULTS))
    except (SchemaError, RecursionError, ValueError) as cause:
        raise InvalidInputError(f"the schema cannot be used: {type(cause).__name__}") from None  # noqa: TRY003  # once
    if error is None:
        return None
    place = ".".join(str(part) for part in error.absolute_path)
    return f"{place}: {error.message}"[:_LONGEST_REASON] if place else error.message[:_LONGEST_REASON]
