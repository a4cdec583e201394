"""Which tools a server has for a user: asked once for a while, and looked at tool by tool."""

import asyncio
import hashlib
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from jsonschema import Draft7Validator, Draft202012Validator  # type: ignore[import-untyped]  # it has no types
from jsonschema.exceptions import SchemaError  # type: ignore[import-untyped]  # as above
from jsonschema.validators import validator_for  # type: ignore[import-untyped]  # as above
from langchain_core.tools import StructuredTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from mcp import types

from longline.encoding import HIDDEN
from longline.models.json import JsonValue
from longline.threads import in_thread
from longline_agent_tools.callers import Caller
from longline_agent_tools.errors import McpFailedError
from longline_agent_tools.mcp_config import McpServer
from longline_agent_tools.mcp_failures import silent
from longline_agent_tools.mcp_pool import McpPool, SessionKey, session_key
from longline_agent_tools.mcp_settings import McpSettings
from longline_agent_tools.single_flight import SingleFlight

logger = logging.getLogger(__name__)

K = TypeVar("K")
V = TypeVar("V")

_MOST_TOOLS: Final = 2_000
_MOST_PAGES: Final = 100
_MOST_KEPT: Final = 1_000
_LONGEST_SCHEMA: Final = 200_000
_LONGEST_DESCRIPTION: Final = 10_000
_LONGEST_SHOWN: Final = 100
_SHORTEST_SECRET: Final = 8  # shorter ones are words of schemas too


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteTool:
    """A tool as its server describes it. Equal for equal descriptions."""

    name: str
    digest: str
    tool: types.Tool = field(repr=False, compare=False)

    @property
    def is_repeatable(self) -> bool:
        """Whether its server says that calling it twice is as good as once."""
        notes = self.tool.annotations
        return notes is not None and bool(notes.readOnlyHint or notes.idempotentHint)


class _Page(types.PaginatedResult):
    """A page of tools that nobody has looked at yet: one that is broken costs itself only."""

    tools: list[object]


class McpCatalog:
    """The tools of servers by server and user, in one event loop."""

    def __init__(
        self,
        settings: McpSettings,
        pool: McpPool,
        secrets: Callable[[McpServer, Caller], Iterable[str]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`secrets` is what a server was shown for a caller: where it quotes that, models are told `***`."""
        self._settings = settings
        self._pool = pool
        self._secrets = secrets
        self._clock = clock
        self._known: OrderedDict[tuple[str, str], tuple[float, tuple[RemoteTool, ...]]] = OrderedDict()
        self._failed: OrderedDict[SessionKey, tuple[float, McpFailedError]] = OrderedDict()
        self._flights: SingleFlight[tuple[RemoteTool, ...]] = SingleFlight()

    async def tools(self, server: McpServer, caller: Caller) -> tuple[RemoteTool, ...]:
        """The tools in the server's order, each name once. Raises McpFailedError, for a while without asking again."""
        known = self._known.get((server.key, caller.identity))
        if known is not None and self._clock() < known[0]:
            return known[1]
        key = session_key(server, caller)
        failed = self._failed.get(key)
        if failed is not None and self._clock() < failed[0]:
            raise failed[1].without(())  # a fresh one: each raise adds to the traceback
        return await self._flights.do(key, lambda: self._listed(key, server, caller))

    def forget(self, server: McpServer, caller: Caller) -> None:
        """Ask the server again the next time."""
        self._known.pop((server.key, caller.identity), None)

    async def _listed(self, key: SessionKey, server: McpServer, caller: Caller) -> tuple[RemoteTool, ...]:
        try:
            described = await self._described(server, caller)
        except McpFailedError as error:
            _remember(self._failed, key, (self._clock() + self._settings.mcp_failed_seconds, error))
            raise
        self._failed.pop(key, None)
        tools, faults = await in_thread(_usable, described, [*self._secrets(server, caller)])
        for name, reason in faults.items():
            logger.warning("mcp tool not usable", extra={"server": server.shown_name, "tool": name, "reason": reason})
        kept = (self._clock() + self._settings.mcp_schema_seconds, tools)
        _remember(self._known, (server.key, caller.identity), kept)
        return tools

    async def _described(self, server: McpServer, caller: Caller) -> list[object]:
        try:
            async with asyncio.timeout(self._settings.mcp_list_seconds):
                return await self._pages(server, caller)
        except TimeoutError:
            raise silent() from None

    async def _pages(self, server: McpServer, caller: Caller) -> list[object]:
        found: list[object] = []
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            params = types.PaginatedRequestParams(cursor=cursor) if cursor else None
            request = types.ClientRequest(types.ListToolsRequest(params=params))
            page = await self._pool.ask(server, caller, request, _Page, seconds=self._settings.mcp_list_seconds)
            found += page.tools
            cursor = page.nextCursor
            if not cursor or len(found) >= _MOST_TOOLS:
                break
        return found[:_MOST_TOOLS]


def _remember(kept: OrderedDict[K, V], key: K, value: V) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > _MOST_KEPT:
        kept.popitem(last=False)


def _usable(described: list[object], secrets: list[str]) -> tuple[tuple[RemoteTool, ...], dict[str, str]]:
    """The tools that a model can be offered, and why the others cannot. Runs on a worker thread."""
    tools: dict[str, RemoteTool] = {}
    faults: dict[str, str] = {}
    for number, description in enumerate(described, 1):
        name = description.get("name") if isinstance(description, dict) else None
        shown = f"number {number}"
        try:
            if isinstance(name, str) and name:
                shown = _without(secrets, name)[:_LONGEST_SHOWN]
            tool = _checked(_quoting_nothing(secrets, description))
        except Exception as error:  # noqa: BLE001  # of three libraries that look at it: the others must not suffer
            faults[shown] = str(error) if isinstance(error, _BrokenToolError) else type(error).__name__
            continue
        if tool.name in tools:
            faults[shown] = "there is another one of this name"
        else:
            tools[tool.name] = tool
    return tuple(tools.values()), faults


def _quoting_nothing(secrets: list[str], item: object) -> object:
    """The same, with `***` for what the server was shown and quotes in it."""
    if isinstance(item, dict):
        return {_quoting_nothing(secrets, key): _quoting_nothing(secrets, value) for key, value in item.items()}
    if isinstance(item, list):
        return [_quoting_nothing(secrets, part) for part in item]
    return _without(secrets, item) if isinstance(item, str) else item


def _without(secrets: list[str], text: str) -> str:
    for secret in secrets:
        text = text.replace(secret, HIDDEN) if len(secret) >= _SHORTEST_SECRET else text
    return text


class _BrokenToolError(ValueError):
    """What is wrong with a tool."""


def _checked(description: object) -> RemoteTool:
    tool = types.Tool.model_validate(description)
    if not tool.name:
        raise _BrokenToolError("it has no name")  # noqa: TRY003  # a reason, caught here
    schema = {"type": "object", "properties": {}, **tool.inputSchema}
    if schema["type"] != "object" or not isinstance(schema["properties"], dict):
        raise _BrokenToolError("its schema is none of an object")  # noqa: TRY003  # a reason, caught here
    text = json.dumps(schema)
    if len(text) > _LONGEST_SCHEMA:
        raise _BrokenToolError("its schema is too large")  # noqa: TRY003  # a reason, caught here
    _check_schema(schema)
    description = (tool.description or tool.title or "")[:_LONGEST_DESCRIPTION]
    tool = tool.model_copy(update={"inputSchema": schema, "outputSchema": None, "description": description})
    said: JsonValue = [tool.name, description, schema]
    hints = tool.annotations.model_dump(mode="json") if tool.annotations is not None else None
    digest = hashlib.sha256(json.dumps([said, hints], sort_keys=True).encode()).hexdigest()
    return RemoteTool(name=tool.name, digest=digest, tool=tool)


def _check_schema(schema: dict[str, Any]) -> None:
    try:
        validator_for(schema, default=Draft202012Validator).check_schema(schema)
    except SchemaError as error:
        if not Draft7Validator(Draft7Validator.META_SCHEMA).is_valid(schema):
            raise _BrokenToolError(f"its schema is broken at {error.json_path}") from None  # noqa: TRY003  # as above
    # What models are offered is made from it later, where a fault would cost the run.
    convert_to_openai_tool(StructuredTool(name="tool", description="", args_schema=schema, func=str))
