"""Tools that answer with each kind of content, fail, and tell their caller how they get on."""

import asyncio
from collections.abc import Sequence
from typing import Final

from longline.models.json import JsonObject, JsonValue
from longline.tools.content import Audio, Block, File, Image, Text, ToolResult
from longline.tools.tool import Tool, ToolContext
from longline_conformance.media import PNG, WAV

NO_ARGUMENTS: Final[JsonObject] = {"type": "object", "properties": {}}
_STEP_SECONDS: Final = 0.05  # what the scenarios of the suite ask for


async def _simple_text(arguments: JsonObject, context: ToolContext) -> JsonValue:
    return "This is a simple text response for testing."


def _answering(name: str, description: str, *content: Block) -> Tool:
    async def run(arguments: JsonObject, context: ToolContext) -> ToolResult:
        return ToolResult(content)

    return Tool(name=name, description=description, schema=NO_ARGUMENTS, run=run)


async def _error(arguments: JsonObject, context: ToolContext) -> ToolResult:
    return ToolResult((Text("This tool intentionally returns an error for testing"),), is_error=True)


async def _with_logging(arguments: JsonObject, context: ToolContext) -> JsonValue:
    await context.caller.log("info", "Tool execution started")
    await asyncio.sleep(_STEP_SECONDS)
    await context.caller.log("info", "Tool processing data")
    await asyncio.sleep(_STEP_SECONDS)
    await context.caller.log("info", "Tool execution completed")
    return "Three messages were logged."


async def _with_progress(arguments: JsonObject, context: ToolContext) -> JsonValue:
    await context.caller.progress(0, 100)
    await asyncio.sleep(_STEP_SECONDS)
    await context.caller.progress(50, 100)
    await asyncio.sleep(_STEP_SECONDS)
    await context.caller.progress(100, 100)
    return "Three steps were told."


async def _reconnection(arguments: JsonObject, context: ToolContext) -> JsonValue:
    await context.caller.release()
    await asyncio.sleep(_STEP_SECONDS)
    return "The answer came over another connection."


TOOLS: Final[Sequence[Tool]] = (
    Tool(name="test_simple_text", description="Answers with a text.", schema=NO_ARGUMENTS, run=_simple_text),
    _answering("test_image_content", "Answers with a picture.", Image(PNG, "image/png")),
    _answering("test_audio_content", "Answers with a recording.", Audio(WAV, "audio/wav")),
    _answering(
        "test_embedded_resource",
        "Answers with a document.",
        File(uri="test://embedded-resource", text="This is an embedded resource content.", media_type="text/plain"),
    ),
    _answering(
        "test_multiple_content_types",
        "Answers with a text, a picture and a document.",
        Text("Multiple content types test:"),
        Image(PNG, "image/png"),
        File(uri="test://mixed-content-resource", text='{"test":"data","value":123}', media_type="application/json"),
    ),
    Tool(name="test_error_handling", description="Always fails.", schema=NO_ARGUMENTS, run=_error),
    Tool(name="test_tool_with_logging", description="Logs three times.", schema=NO_ARGUMENTS, run=_with_logging),
    Tool(name="test_tool_with_progress", description="Tells three steps.", schema=NO_ARGUMENTS, run=_with_progress),
    Tool(name="test_reconnection", description="Lets its caller go.", schema=NO_ARGUMENTS, run=_reconnection),
)
