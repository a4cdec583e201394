"""A tool, and the registry of those that the plugins of this server offer."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field

from longline.auth.principal import Principal
from longline.errors import NotFoundError
from longline.models.json import JsonObject, JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolContext:
    """Who calls, and in which run if it is one. Injected by the server, never part of the schema that a model sees."""

    principal: Principal
    run_id: str | None = None
    thread_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A named function with a JSON Schema for its arguments (an object schema). `run` gets arguments as the caller sent
    them and raises InvalidInputError for those it cannot use; its result is JSON."""

    name: str
    description: str
    schema: JsonObject
    run: Callable[[JsonObject, ToolContext], Awaitable[JsonValue]] = field(repr=False)


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
