"""What registered tools answer beyond JSON reaches models as text, as media, or in words."""

import asyncio
import base64
import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.plugins.agent_tools.conftest import ask, load_agent, tool_of

from longline.errors import CallerCannotError
from longline.models.json import JsonObject
from longline.tools.caller import Caller
from longline.tools.content import Audio, Block, File, Image, Link, Text, ToolAnswer, ToolResult
from longline.tools.tool import ToolContext
from longline_agent_tools.tool_results import readable

PIXEL = b"\x89PNG\x00"
EVERYTHING: tuple[Block, ...] = (
    Text("Here:"),
    Image(PIXEL, "image/png"),
    Audio(b"RIFF", "audio/wav"),
    File(uri="a://notes", text="a note"),
    File(uri="a://blob", data=b"123"),
    Link(uri="a://more", name="more", description="and more"),
)


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_without_media_everything_is_said_in_words() -> None:
    assert readable(ToolResult(EVERYTHING), with_media=False) == "\n".join(
        [
            "Here:",
            "[an image, image/png, 5 bytes]",
            "[a recording, audio/wav, 4 bytes]",
            "a note",
            "[a file: a://blob, of an unknown type, 3 bytes]",
            "[a resource: more, and more, a://more]",
        ]
    )


def test_with_media_models_get_content_blocks() -> None:
    blocks = readable(ToolResult(EVERYTHING), with_media=True)
    assert blocks == [
        {"type": "text", "text": "Here:"},
        {"type": "image", "base64": encoded(PIXEL), "mime_type": "image/png"},
        {"type": "audio", "base64": encoded(b"RIFF"), "mime_type": "audio/wav"},
        {"type": "text", "text": "a note"},
        {"type": "file", "base64": encoded(b"123"), "mime_type": "application/octet-stream"},
        {"type": "text", "text": "[a resource: more, and more, a://more]"},
    ]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("plain", "plain"),
        ({"ä": 1}, '{"ä": 1}'),
        (None, "null"),
        (ToolResult(structured={"a": [1]}), '{"a": [1]}'),
        (ToolResult((Text("said"),), structured={"a": 1}), "said"),
        (ToolResult((Text("a"), Text("b"))), "a\nb"),
        (ToolResult(), ""),
        ("half \ud800", "half ?"),
        ({"a": "\udfff"}, '{"a": "?"}'),
        (ToolResult((Text("half \ud800"),)), "half ?"),
    ],
)
@pytest.mark.parametrize("with_media", [True, False])
def test_what_is_text_stays_text(answer: ToolAnswer, text: str, with_media: bool) -> None:
    assert readable(answer, with_media=with_media) == text


async def _result(answer: ToolAnswer, **settings: object) -> Any:
    async def run(arguments: JsonObject, context: ToolContext) -> ToolAnswer:
        return answer

    agent = await load_agent(tool_of("probe", run), **settings)()
    return (await agent.ainvoke(ask("call probe")))["messages"][-2]


@pytest.mark.anyio
async def test_an_error_is_an_answer_of_status_error() -> None:
    told = await _result(ToolResult((Text("no such city"),), is_error=True))
    assert (told.status, told.content) == ("error", "no such city")
    silent = await _result(ToolResult(is_error=True))
    assert (silent.status, silent.content) == ("error", "the tool failed and did not say why")


@pytest.mark.anyio
@pytest.mark.parametrize("with_media", [True, False])
@pytest.mark.parametrize(
    "answer",
    [
        ToolResult(structured={"at": datetime(2026, 1, 2, tzinfo=UTC)}),  # type: ignore[dict-item]  # what a plugin gets wrong
        ToolResult(("no block",)),  # type: ignore[arg-type]
        ToolResult(("no block",), is_error=True),  # type: ignore[arg-type]
        {"a": {1, 2}},
    ],
)
async def test_an_answer_that_nobody_can_read_ends_no_run(answer: ToolAnswer, with_media: bool) -> None:
    told = await _result(answer, mcp_media=with_media)
    assert (told.status, told.content) == ("error", "the tool failed: TypeError")


@pytest.mark.anyio
async def test_the_setting_decides_whether_models_get_media() -> None:
    picture = ToolResult((Image(PIXEL, "image/png"),))
    assert (await _result(picture)).content == "[an image, image/png, 5 bytes]"
    assert (await _result(picture, mcp_media=True)).content[0]["type"] == "image"


@pytest.mark.anyio
async def test_what_a_tool_says_on_the_way_is_in_the_stream_of_custom_events() -> None:
    async def run(arguments: JsonObject, context: ToolContext) -> ToolAnswer:
        await context.caller.progress(1, 2, "half")
        await context.caller.log("info", {"a": 1}, "probe.log")
        await context.caller.release()
        with pytest.raises(CallerCannotError):
            await context.caller.ask("Sure?", {"type": "object", "properties": {}})
        return "done"

    agent = await load_agent(tool_of("probe", run))()
    told = [event async for event in agent.astream(ask("call probe"), stream_mode="custom")]
    assert told == [
        {"type": "tool_progress", "tool": "probe", "done": 1, "total": 2, "message": "half"},
        {"type": "tool_log", "tool": "probe", "level": "info", "data": {"a": 1}, "logger": "probe.log"},
    ]


@pytest.mark.anyio
async def test_a_tool_may_tell_from_another_thread_and_after_its_end() -> None:
    kept: list[Caller] = []

    async def run(arguments: JsonObject, context: ToolContext) -> ToolAnswer:
        kept.append(context.caller)
        loop, told = asyncio.get_running_loop(), asyncio.Event()

        def tell() -> None:
            asyncio.run_coroutine_threadsafe(context.caller.progress(1), loop).add_done_callback(
                lambda _: loop.call_soon_threadsafe(told.set)
            )

        threading.Thread(target=tell).start()
        await told.wait()
        return "done"

    agent = await load_agent(tool_of("probe", run))()
    told = [event["done"] async for event in agent.astream(ask("call probe"), stream_mode="custom")]
    assert told == [1]
    await kept[0].progress(2)
    await kept[0].log("info", "too late")


@pytest.mark.anyio
async def test_what_no_stream_can_show_is_left_out_and_ends_no_run() -> None:
    async def run(arguments: JsonObject, context: ToolContext) -> ToolAnswer:
        for odd in ("half \ud800", {"a": 10**400}, {"a": [object()]}):
            await context.caller.log("info", odd)  # type: ignore[arg-type]  # what a plugin gets wrong
        await context.caller.log("info", "at last")
        return "done"

    agent = await load_agent(tool_of("probe", run))()
    told = [event["data"] async for event in agent.astream(ask("call probe"), stream_mode="custom")]
    assert told == ["at last"]
