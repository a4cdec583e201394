"""The server's tools as LangChain knows tools: called with the caller and the run, and failing as answers do."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, ToolException
from langgraph.errors import GraphBubbleUp

from longline.errors import LonglineError
from longline.graphs.binding import principal_of
from longline.tools.content import ToolResult
from longline.tools.tool import Tool, ToolContext, ToolRegistry
from longline_agent_tools.arguments import ArgumentsAsOne
from longline_agent_tools.errors import UnknownToolsError
from longline_agent_tools.run_caller import caller_in_run
from longline_agent_tools.tool_results import in_words, readable

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


def adapt_tool(tool: Tool, *, with_media: bool = False) -> BaseTool:
    """The tool for a LangChain agent. What it raises becomes an answer of status `error`, not the end of the run.
    `with_media`: models get its pictures, recordings and files, instead of being told that there are some."""

    async def call(
        arguments: dict[str, Any], config: RunnableConfig
    ) -> str | list[dict[str, Any]]:  # LangGraph reads the hints
        try:
            context = replace(context_of(config), caller=caller_in_run(tool.name))
            result = await tool.run(arguments, context)
            if not (isinstance(result, ToolResult) and result.is_error):
                return readable(result, with_media=with_media)
            told = in_words(result.content)
        except LonglineError as error:
            raise ToolException(str(error)) from error
        except GraphBubbleUp:
            raise  # an interrupt is no failure
        except Exception as error:  # the run must outlive the tool
            logger.exception("tool failed", extra={"tool": tool.name})
            # Only our own messages are known to be fit for a model, and for whoever reads the thread.
            raise ToolException(f"the tool failed: {type(error).__name__}") from error  # noqa: TRY003  # LangChain's class
        raise ToolException(told or "the tool failed and did not say why")

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


def _text_or_none(value: object) -> str | None:
    return None if value is None else str(value)
