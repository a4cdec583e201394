"""What plugins offer, through the SDK's own client over HTTP."""

from typing import Any

import pytest
from mcp import McpError, types
from tests.plugins.protocol_mcp.raw import INITIALIZE, SESSION, call, messages, request, result
from tests.plugins.protocol_mcp.served.conftest import Serve, connected

from longline.errors import CallerCannotError, ForbiddenError
from longline.models.json import JsonObject
from longline.tools.caller import ModelMessage, ModelRequest
from longline.tools.content import Audio, File, Image, Link, Text, ToolAnswer, ToolResult
from longline.tools.tool import Tool, ToolContext, ToolHints

pytestmark = pytest.mark.anyio

PASSWORD = "hunter2"
TEXT: JsonObject = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
ANYTHING: JsonObject = {"type": "object", "properties": {}}


def tool(name: str, run: Any, schema: JsonObject = ANYTHING, **more: Any) -> Tool:
    return Tool(name=name, description=f"The tool {name}.", schema=schema, run=run, **more)


def answering(answer: ToolAnswer) -> Any:
    async def run(arguments: JsonObject, context: ToolContext) -> ToolAnswer:
        return answer

    return run


async def test_tools_are_listed_with_all_that_they_say(serve: Serve) -> None:
    hints = ToolHints(read_only=True, open_world=False)
    offered = [
        tool("plain", answering(1)),
        tool("full", answering({"n": 1}), TEXT, title="Full", output_schema=ANYTHING, hints=hints),
    ]
    async with serve(tools=offered) as client, connected(client) as session:
        plain, full = (await session.list_tools()).tools
        assert (plain.title, plain.annotations, plain.outputSchema) == (None, None, None)
        assert (full.title, full.inputSchema, full.outputSchema) == ("Full", TEXT, ANYTHING)
        assert full.annotations == types.ToolAnnotations(readOnlyHint=True, openWorldHint=False)


async def test_every_kind_of_answer_arrives(serve: Serve) -> None:
    everything = ToolResult(
        (
            Text("t"),
            Image(b"i", "image/png"),
            Audio(b"a", "audio/wav"),
            File(uri="a://text", text="x"),
            File(uri="a://blob", data=b"b", media_type="a/b"),
            Link(uri="a://more", name="more"),
        )
    )
    offered = [tool("all", answering(everything)), tool("json", answering({"ä": [1]})), tool("list", answering([1]))]
    async with serve(tools=offered) as client, connected(client) as session:
        found = await session.call_tool("all", {})
        assert [type(block).__name__ for block in found.content] == [
            "TextContent", "ImageContent", "AudioContent", "EmbeddedResource", "EmbeddedResource", "ResourceLink",
        ]  # fmt: skip
        found = await session.call_tool("json", {})
        assert (found.structuredContent, found.content[0].text) == ({"ä": [1]}, '{"ä": [1]}')
        found = await session.call_tool("list", {})
        assert (found.structuredContent, found.content[0].text) == (None, "[1]")


async def test_arguments_are_held_against_the_schema_before_the_tool_sees_them(serve: Serve) -> None:
    seen = []

    async def run(arguments: JsonObject, context: ToolContext) -> ToolAnswer:
        seen.append(arguments)
        return "ok"

    away: JsonObject = {"type": "object", "properties": {"x": {"$ref": "http://127.0.0.1:9/schema"}}}
    async with serve(tools=[tool("t", run, TEXT), tool("away", run, away)]) as client, connected(client) as session:
        for arguments, told in (
            ({}, "'text' is a required property"),
            ({"text": 5}, "text: 5 is not of type 'string'"),
        ):
            refused = await session.call_tool("t", arguments)
            assert refused.isError
            assert refused.content[0].text == f"Input validation error: {told}"
        assert not (await session.call_tool("t", {"text": "x"})).isError
        assert (await session.call_tool("away", {"x": 1})).isError
    assert seen == [{"text": "x"}]


async def test_an_answer_that_does_not_fit_the_tools_own_schema_is_not_passed_on(serve: Serve) -> None:
    schema: JsonObject = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    offered = [
        tool("good", answering(ToolResult((Text("one"),), {"n": 1})), output_schema=schema),
        tool("wrong", answering({"n": PASSWORD}), output_schema=schema),
        tool("none", answering("text"), output_schema=schema),
        tool("error", answering(ToolResult((Text("no"),), is_error=True)), output_schema=schema),
    ]
    async with serve(tools=offered) as client:
        session = await client.open()

        async def called(name: str) -> dict[str, Any]:
            return result(await client.post(call(name), session))

        assert (await called("good"))["structuredContent"] == {"n": 1}
        for name in ("wrong", "none"):
            assert (await called(name))["isError"] is True
            assert PASSWORD not in str(await called(name))
        assert (await called("error"))["content"][0]["text"] == "no"


async def test_what_goes_wrong_is_told_as_far_as_it_is_meant_to_be(serve: Serve) -> None:
    async def refuse(arguments: JsonObject, context: ToolContext) -> ToolAnswer:
        raise ForbiddenError("not on sundays")

    async def crash(arguments: JsonObject, context: ToolContext) -> ToolAnswer:
        raise ZeroDivisionError(PASSWORD)

    async with serve(tools=[tool("refuse", refuse), tool("crash", crash)]) as client, connected(client) as session:
        refused, crashed = await session.call_tool("refuse"), await session.call_tool("crash")
        assert (refused.isError, refused.content[0].text) == (True, "not on sundays")
        assert (crashed.isError, crashed.content[0].text) == (True, "the tool failed: ZeroDivisionError")
        with pytest.raises(McpError, match="Unknown tool: nope"):
            await session.call_tool("nope")


async def test_a_tool_asks_the_person_and_the_model_behind_its_caller(serve: Serve) -> None:
    async def run(arguments: JsonObject, context: ToolContext) -> ToolAnswer:
        answer = await context.caller.ask("Colour?", {"properties": {"colour": {"type": "string"}}})
        said = ModelMessage(role="user", content=Text("hi"))
        reply = await context.caller.ask_model(ModelRequest(messages=[said], max_tokens=9, system_prompt="brief"))
        return [answer.action, answer.content, reply.text, reply.model]

    async def answer(context: Any, asked: Any) -> types.ElicitResult:
        assert asked.message == "Colour?"
        assert asked.requestedSchema["type"] == "object"
        return types.ElicitResult(action="accept", content={"colour": "red"})

    async def speak(context: Any, asked: types.CreateMessageRequestParams) -> types.CreateMessageResult:
        assert (asked.maxTokens, asked.systemPrompt) == (9, "brief")
        return types.CreateMessageResult(role="assistant", content=types.TextContent(type="text", text="ho"), model="m")

    async with serve(tools=[tool("ask", run)]) as client:
        async with connected(client, elicitation_callback=answer, sampling_callback=speak) as session:
            found = await session.call_tool("ask")
            assert found.content[0].text == '["accept", {"colour": "red"}, "ho", "m"]'
        async with connected(client) as session:
            refused = await session.call_tool("ask")
            assert (refused.isError, refused.content[0].text) == (True, str(CallerCannotError("be asked anything")))
        alone = result(await client.post(call("ask")))
        assert alone["isError"] is True


async def test_who_does_not_answer_in_time_is_asked_no_longer(serve: Serve) -> None:
    async def run(arguments: JsonObject, context: ToolContext) -> ToolAnswer:
        return (await context.caller.ask("Well?", ANYTHING)).action

    able = {**INITIALIZE, "params": {**INITIALIZE["params"], "capabilities": {"elicitation": {}}}}
    async with serve(tools=[tool("ask", run)], mcp={"ask_seconds": 0.1}) as client:
        session = (await client.post(able)).headers[SESSION]
        asked, late = messages(await client.post(call("ask"), session))
        assert asked["method"] == "elicitation/create"
        assert late["result"]["isError"] is True
        assert late["result"]["content"][0]["text"] == str(CallerCannotError("answer in time"))
        answer = {"jsonrpc": "2.0", "id": asked["id"], "result": {"action": "accept", "content": {}}}
        assert (await client.post(answer, session)).status_code == 202
        assert result(await client.post(request("ping"), session)) == {}


async def test_progress_goes_to_who_asked_for_it_and_logs_to_who_listens_at_the_level(serve: Serve) -> None:
    async def run(arguments: JsonObject, context: ToolContext) -> ToolAnswer:
        await context.caller.progress(1, 2, "half")
        for level in ("debug", "info", "error"):
            await context.caller.log(level, level)
        return "done"

    logged, steps = [], []

    async def log(params: types.LoggingMessageNotificationParams) -> None:
        logged.append(params.data)

    async def step(done: float, total: float | None, message: str | None) -> None:
        steps.append((done, total, message))

    async with serve(tools=[tool("tell", run)]) as client, connected(client, logging_callback=log) as session:
        await session.call_tool("tell", progress_callback=step)
        assert (steps, logged) == ([(1, 2, "half")], ["info", "error"])
        await session.set_logging_level("error")
        await session.call_tool("tell")
        await session.set_logging_level("debug")
        await session.call_tool("tell")
        assert (len(steps), logged) == (1, ["info", "error", "error", "debug", "info", "error"])


async def test_what_there_is_nothing_of_is_not_spoken_of(serve: Serve) -> None:
    async with serve(mcp={"instructions": "Be kind."}) as client:
        told = result(await client.post(INITIALIZE))
        assert told["capabilities"] == {"logging": {}, "tools": {"listChanged": False}}
        assert told["instructions"] == "Be kind."
