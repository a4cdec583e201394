"""Which tools of a server an agent is offered, and what its model gets of their results."""

import asyncio
import base64
from typing import Any

import pytest
from starlette.responses import Response
from tests.plugins.agent_tools.mcp_agents import fields, open_agents, servers, until
from tests.plugins.agent_tools.odd_servers import OBJECT, OddServer, event, events, result, serve_odd, tool

PICTURE = base64.b64encode(b"\x89PNG" + b"x" * 3000).decode()
BROKEN: list[tuple[Any, str]] = [
    (tool("a", inputSchema=None), "a"),
    ({"name": "b"}, "b"),
    (tool("c", inputSchema={"type": "string"}), "c"),
    (tool("d", inputSchema={"type": "object", "properties": {"x": {"type": "banana"}}}), "d"),
    (tool("e", inputSchema={"type": "object", "properties": [1]}), "e"),
    (tool("f", inputSchema={"type": "object", "properties": {"x": {"$ref": "#/$defs/nowhere"}}}), "f"),
    (tool("g", inputSchema={"type": "object", "required": "x"}), "g"),
    (tool("h", inputSchema={"type": "object", "description": "x" * 300_000}), "h"),
    (tool(""), "number 9"),
    ("nonsense", "number 10"),
    ({"name": 3, "inputSchema": OBJECT}, "number 11"),
    (tool("twice", description="the second"), "twice"),
]
FINE = [
    tool("twice"),
    tool("no_type", inputSchema={}),
    tool("old", inputSchema={"type": "object", "properties": {"x": {"type": "array", "items": [{"type": "string"}]}}}),
    tool(
        "shared",
        inputSchema={
            "type": "object",
            "properties": {"x": {"$ref": "#/$defs/straße"}},
            "$defs": {"straße": {"type": "string"}},
        },
    ),
    {"name": "bare", "inputSchema": {"type": "object"}},
]


@pytest.mark.anyio
async def test_a_broken_tool_costs_itself_only(caplog: pytest.LogCaptureFixture) -> None:
    described = [one for one, _ in BROKEN[:-1]] + FINE + [BROKEN[-1][0]]
    with serve_odd(tools=described) as odd:
        async with open_agents() as agents:
            config = servers({"name": "Odd", "url": odd.url})
            assert await agents.names(mcp_config=config) == [one["name"] for one in FINE]
            for one in FINE:
                message = await agents.call(one["name"], '{"x": "y"}', mcp_config=config)
                assert message.content == f"{one['name']} was called"
    lines = fields(caplog.records, "mcp tool not usable")
    assert [line["tool"] for line in lines] == [name for _, name in BROKEN]
    assert {line["server"] for line in lines} == {"Odd"}


@pytest.mark.anyio
async def test_tools_come_in_pages() -> None:
    def page(message: dict[str, Any]) -> Response:
        number = int((message.get("params") or {}).get("cursor") or 0)
        more = {"nextCursor": str(number + 1)} if number < 3 else {}
        return result(message, {"tools": [tool(f"t{number}")], **more})

    with serve_odd(answers={"tools/list": page}) as odd:
        async with open_agents() as agents:
            assert await agents.names(mcp_config=servers({"url": odd.url})) == ["t0", "t1", "t2", "t3"]


@pytest.mark.anyio
async def test_a_server_whose_pages_never_end_is_not_read_for_ever() -> None:
    def page(message: dict[str, Any]) -> Response:
        return result(message, {"tools": [], "nextCursor": "again"})

    with serve_odd(answers={"tools/list": page}) as odd:
        async with open_agents(mcp_list_seconds=100) as agents:
            assert await agents.names(mcp_config=servers({"url": odd.url})) == []
        assert odd.count("tools/list") == 100


@pytest.mark.anyio
async def test_all_pages_together_may_take_no_longer_than_one(caplog: pytest.LogCaptureFixture) -> None:
    async def page(message: dict[str, Any]) -> Response:
        await asyncio.sleep(0.1)
        return result(message, {"tools": [], "nextCursor": "again"})

    with serve_odd(answers={"tools/list": page}) as odd:
        async with open_agents(mcp_list_seconds=0.5) as agents:
            assert await agents.names(mcp_config=servers({"url": odd.url})) == []
    (line,) = fields(caplog.records, "mcp server not usable")
    assert line["reason"] == "it was silent for too long"


@pytest.mark.anyio
@pytest.mark.parametrize(("seconds", "names"), [(600, ["probe"]), (0, ["other"])])
async def test_a_server_is_asked_for_its_tools_once_in_a_while(seconds: float, names: list[str]) -> None:
    with serve_odd() as odd:
        async with open_agents(mcp_schema_seconds=seconds) as agents:
            assert await agents.names(mcp_config=servers({"url": odd.url})) == ["probe"]
            odd.tools = [tool("other")]
            assert await agents.names(mcp_config=servers({"url": odd.url})) == names


@pytest.mark.anyio
async def test_a_server_that_says_that_its_tools_changed_is_asked_again() -> None:
    def call(message: dict[str, Any]) -> Response:
        changed = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
        content = [{"type": "text", "text": "done"}]
        return events(event(changed), event({"jsonrpc": "2.0", "id": message["id"], "result": {"content": content}}))

    with serve_odd(answers={"tools/call": call}) as odd:
        async with open_agents() as agents:
            config = servers({"url": odd.url})
            await agents.call("probe", mcp_config=config)
            odd.tools = [tool("other")]
            await until(lambda: not agents.connections.catalog._known)
            assert await agents.names(mcp_config=config) == ["other"]


def answers(value: dict[str, Any]) -> dict[str, Any]:
    return {"tools/call": lambda message: result(message, value)}


async def told(odd: OddServer, **settings: object) -> Any:
    async with open_agents(**settings) as agents:
        return await agents.call("probe", mcp_config=servers({"url": odd.url}))


def embedded(**resource: str) -> dict[str, Any]:
    return {"type": "resource", "resource": resource}


MIXED = [
    {"type": "text", "text": "Grüße"},
    {"type": "image", "data": PICTURE, "mimeType": "image/png"},
    {"type": "audio", "data": "AAAA", "mimeType": "audio/wav"},
    embedded(uri="file:///a.txt", text="aus der Datei", mimeType="text/plain"),
    embedded(uri="file:///a.pdf", blob="AAAA", mimeType="application/pdf"),
    {"type": "resource_link", "uri": "https://example.com/b", "name": "Band 2", "mimeType": "text/html"},
]
WORDS = [
    "Grüße",
    "[an image, image/png, 3,004 bytes]",
    "[a recording, audio/wav, 3 bytes]",
    "aus der Datei",
    "[a file: file:///a.pdf, application/pdf, 3 bytes]",
    "[a resource: Band 2, text/html, https://example.com/b]",
]


@pytest.mark.anyio
async def test_what_is_no_text_is_told_in_words() -> None:
    with serve_odd(answers=answers({"content": MIXED})) as odd:
        assert (await told(odd)).content == "\n".join(WORDS)


@pytest.mark.anyio
async def test_by_setting_the_model_gets_images_and_files() -> None:
    with serve_odd(answers=answers({"content": MIXED})) as odd:
        blocks = (await told(odd, mcp_media=True)).content
    assert [block["type"] for block in blocks] == ["text", "image", "text", "text", "file", "text"]
    assert (blocks[1]["base64"], blocks[1]["mime_type"], blocks[4]["mime_type"]) == (
        PICTURE, "image/png", "application/pdf",
    )  # fmt: skip
    assert blocks[2]["text"] == WORDS[2]


@pytest.mark.anyio
async def test_structured_content_alone_is_told_as_json() -> None:
    with serve_odd(answers=answers({"content": [], "structuredContent": {"größe": [1, None]}})) as odd:
        message = await told(odd)
    assert message.content == '{"größe": [1, null]}'
    assert message.artifact == {"structured_content": {"größe": [1, None]}}


@pytest.mark.anyio
async def test_a_result_without_anything_is_empty() -> None:
    with serve_odd(answers=answers({"content": []})) as odd:
        message = await told(odd)
    assert (message.content, message.status) == ("", "success")


@pytest.mark.anyio
async def test_huge_results_are_cut() -> None:
    value = {
        "content": [
            {"type": "text", "text": "ä" * 80},
            {"type": "text", "text": "b" * 80},
            {"type": "text", "text": "c"},
        ],
        "structuredContent": {"a": "x" * 200},
    }
    with serve_odd(answers=answers(value)) as odd:
        message = await told(odd, mcp_characters=100)
        with_room = await told(odd, mcp_characters=1000)
    assert message.content == "ä" * 80 + "\n" + "b" * 20 + "\n[cut: the result is longer than 100 characters]"
    assert message.artifact is None
    assert with_room.content == "ä" * 80 + "\n" + "b" * 80 + "\nc"


@pytest.mark.anyio
async def test_an_image_for_which_there_is_no_room_is_told_in_words() -> None:
    with serve_odd(answers=answers({"content": MIXED[:2]})) as odd:
        assert (await told(odd, mcp_media=True, mcp_characters=1000)).content == "\n".join(WORDS[:2])
