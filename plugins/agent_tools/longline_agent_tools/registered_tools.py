"""The server's tools as LangChain knows tools: called with the caller and the run, and failing as answers do."""

import json
import logging
from collections.abc import Iterable

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, ToolException
from langgraph.errors import GraphBubbleUp

from longline.errors import LonglineError
from longline.graphs.binding import principal_of
from longline.models.json import JsonObject, JsonValue
from longline.tools.tool import Tool, ToolContext, ToolRegistry
from longline_agent_tools.arguments import ArgumentsAsOne
from longline_agent_tools.errors import UnknownToolsError

logger = logging.getLogger(__name__)


def choose_tools(registry: ToolRegistry, names: Iterable[str] | None) -> tuple[Tool, ...]:
    """The tools of these names, each once, in this order; None: all. Raises UnknownToolsError."""
    known = {tool.name: tool for tool in registry}
    if names is None:
        return tuple(known.values())
    wanted = list(dict.fromkeys(names))
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise UnknownToolsError(unknown, known)
    return tuple(known[name] for name in wanted)


def adapt_tool(tool: Tool) -> BaseTool:
    """The tool for a LangChain agent. What it raises becomes an answer of status `error`, not the end of the run."""

    async def call(arguments: JsonObject, config: RunnableConfig) -> str:
        try:
            result = await tool.run(arguments, context_of(config))
        except LonglineError as error:
            raise ToolException(str(error)) from error
        except GraphBubbleUp:
            raise  # an interrupt is no failure
        except Exception as error:  # the run must outlive the tool
            logger.exception("tool failed", extra={"tool": tool.name})
            # Only our own messages are known to be fit for a model, and for whoever reads the thread.
            raise ToolException(f"the tool failed: {type(error).__name__}") from error  # noqa: TRY003  # LangChain's class
        return _as_text(result)

    return ArgumentsAsOne(
        name=tool.name, description=tool.description, args_schema=tool.schema, coroutine=call, handle_tool_error=True
    )


def context_of(config: RunnableConfig) -> ToolContext:
    """Who calls, in which run, from what the server put into the run's configuration."""
    configurable = config.get("configurable", {})
    return ToolContext(
        principal=principal_of(configurable),
        run_id=_text_or_none(configurable.get("run_id")),
        thread_id=_text_or_none(configurable.get("thread_id")),
    )


def _as_text(result: JsonValue) -> str:
    return result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)


def _text_or_none(value: object) -> str | None:
    return None if value is None else str(value)
