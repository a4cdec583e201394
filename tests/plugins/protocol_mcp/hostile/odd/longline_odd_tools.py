"""Longline plugin `odd_tools`: tools that answer what is no JSON, fail in odd ways, or say very much."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from longline import hookimpl
from longline.models.json import JsonObject, JsonValue
from longline.tools.content import Link, Text, ToolAnswer, ToolResult
from longline.tools.tool import Tool, ToolContext

ANYTHING: JsonObject = {"type": "object"}
UNIQUE: JsonObject = {"type": "object", "properties": {"items": {"type": "array", "uniqueItems": True}}}


async def half_a_character(arguments: JsonObject, context: ToolContext) -> JsonValue:
    await context.caller.log("info", "a log with \ud800")
    return {"text": "half of \ud800"}


async def no_number(arguments: JsonObject, context: ToolContext) -> JsonValue:
    return {"x": float("nan")}


async def very_deep(arguments: JsonObject, context: ToolContext) -> JsonValue:
    value: JsonValue = 1
    for _ in range(5000):
        value = [value]
    return {"x": value}


async def no_address(arguments: JsonObject, context: ToolContext) -> ToolResult:
    return ToolResult((Text("see"), Link(uri="no address at all", name="x")))


async def leaves(arguments: JsonObject, context: ToolContext) -> JsonValue:
    raise SystemExit(3)


async def cancels_itself(arguments: JsonObject, context: ToolContext) -> JsonValue:
    raise asyncio.CancelledError


async def secretive(arguments: JsonObject, context: ToolContext) -> JsonValue:
    raise RuntimeError("the password is hunter2")


async def counts(arguments: JsonObject, context: ToolContext) -> JsonValue:
    items = arguments.get("items")
    return len(items) if isinstance(items, list) else None


Run = Callable[[JsonObject, ToolContext], Awaitable[ToolAnswer]]
ODD: Sequence[Run] = (half_a_character, no_number, very_deep, no_address, leaves, cancels_itself, secretive)


@hookimpl
def register_tools() -> Sequence[Tool]:
    odd = [Tool(name=run.__name__, description="Odd.", schema=ANYTHING, run=run) for run in ODD]
    return [*odd, Tool(name="counts_unique", description="Counts.", schema=UNIQUE, run=counts)]
