"""A tool, and the registry of those that the plugins of this server offer."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field

from longline.auth.principal import Principal
from longline.errors import NotFoundError
from longline.models.json import JsonObject
from longline.tools.caller import SILENT, Caller
from longline.tools.content import ToolAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolContext:
    """Who calls, and in which run if it is one. Injected by the server, never part of the schema that a model sees."""

    principal: Principal
    run_id: str | None = None
    thread_id: str | None = None
    caller: Caller = field(default=SILENT, compare=False, repr=False)
    """What may be told, and asked, while the tool works."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolHints:
    """What a tool does to the world, as far as it says: hints for whoever decides whether to ask a person first. None:
    it does not say."""

    read_only: bool | None = None
    """Nothing is changed."""
    destructive: bool | None = None
    """Something may be lost that was there."""
    idempotent: bool | None = None
    """Calling it again with the same arguments changes nothing more."""
    open_world: bool | None = None
    """It reaches beyond this server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A named function with a JSON Schema for its arguments (an object schema). `run` gets arguments as the caller sent
    them and raises InvalidInputError for those it cannot use; its result is JSON, or a ToolResult where that does not
    say it all. With an `output_schema` (an object schema too) every answer that is no error is an object that fits it,
    or a ToolResult with such an object as `structured`."""

    name: str
    description: str
    schema: JsonObject
    run: Callable[[JsonObject, ToolContext], Awaitable[ToolAnswer]] = field(repr=False)
    title: str = ""
    """Its name for people."""
    output_schema: JsonObject | None = None
    hints: ToolHints = ToolHints()


class ToolRegistry:
    """The tools of this server by name."""

    def __init__(self, tools: Mapping[str, Tool]) -> None:
        self._tools = dict(tools)

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def get(self, name: str) -> Tool:
        """The tool. Raises NotFoundError."""
        try:
            return self._tools[name]
        except KeyError:
            raise NotFoundError("tool", name) from None
