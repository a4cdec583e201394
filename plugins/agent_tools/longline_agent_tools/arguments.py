"""Arguments of a tool as one object, whatever they are called."""

from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import StructuredTool
from pydantic import BaseModel


class _Anything(BaseModel):
    """Whatever a tool's JSON Schema says."""


class ArgumentsAsOne(StructuredTool):
    """Hands the arguments over as one object, so that a tool may call one of them `config`."""

    def get_input_schema(self, config: RunnableConfig | None = None) -> type[BaseModel]:  # noqa: ARG002  # as LangChain's
        """A model of nothing: an agent asks each of its tools for one, to look for arguments that LangGraph injects.
        Making one of a JSON Schema takes 1.6 ms: half a second for an agent with 300 tools."""
        return _Anything

    def _to_args_and_kwargs(
        self,
        tool_input: str | dict[str, Any],
        tool_call_id: str | None,  # noqa: ARG002  # LangChain's signature
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (), {"arguments": tool_input if isinstance(tool_input, dict) else {}}
