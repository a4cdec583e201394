"""The graph `agent`, run as the server runs it."""

import logging
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt
from tests.plugins.agent_tools.conftest import ask, load_agent, tool_of

from longline.auth.principal import LOCAL
from longline.errors import ForbiddenError, InvalidInputError
from longline.models.json import JsonObject, JsonValue
from longline.tools.tool import ToolContext

SUM = "What is 2 + 2?"
PASSWORD = "password=hunter2"
REASON = "not on sundays"


async def answer(agent: Any, text: str, **configurable: object) -> list[Any]:
    result = await agent.ainvoke(ask(text), {"configurable": configurable})
    return list(result["messages"])


@pytest.mark.anyio
async def test_a_question_with_arithmetic_is_answered_with_the_tools_result() -> None:
    agent = await load_agent()()
    question, call, result, final = await answer(agent, SUM)
    assert question.type == "human"
    assert [(c["name"], c["args"]) for c in call.tool_calls] == [("calculate", {"expression": "2 + 2"})]
    assert isinstance(result, ToolMessage)
    assert (result.content, result.status, result.tool_call_id) == ("4", "success", call.tool_calls[0]["id"])
    assert "answered: 4." in final.text


@pytest.mark.anyio
async def test_streams_come_in_the_order_values_messages_updates_values() -> None:
    agent = await load_agent()()
    modes = ["values", "messages", "updates"]
    parts = [part async for part in agent.astream(ask("Hello"), stream_mode=modes)]
    order = [mode for mode, _ in parts]
    assert order == ["values", *["messages"] * order.count("messages"), "updates", "values"]
    chunks = [data[0] for mode, data in parts if mode == "messages"]
    assert all(isinstance(chunk, AIMessageChunk) for chunk in chunks)
    (update,) = [data for mode, data in parts if mode == "updates"]
    (message,) = update["model"]["messages"]
    assert "".join(chunk.text for chunk in chunks) == message.text
    assert {chunk.id for chunk in chunks} == {message.id}
    assert parts[-1][1]["messages"][-1] == message


@pytest.mark.anyio
async def test_streams_of_a_tool_call_come_model_tools_model() -> None:
    agent = await load_agent()()
    parts = [part async for part in agent.astream(ask(SUM), stream_mode=["messages", "updates"])]
    nodes = [next(iter(data)) for mode, data in parts if mode == "updates"]
    assert nodes == ["model", "tools", "model"]
    streamed = [data[0] for mode, data in parts if mode == "messages"]
    pieces = [p for m in streamed if isinstance(m, AIMessageChunk) for p in m.tool_call_chunks]
    assert "".join(piece["args"] or "" for piece in pieces) == '{"expression": "2 + 2"}'
    assert [m.content for m in streamed if isinstance(m, ToolMessage)] == ["4"]


@pytest.mark.anyio
async def test_a_conversation_goes_on_in_its_thread() -> None:
    agent = (await load_agent()()).copy(update={"checkpointer": InMemorySaver()})
    await answer(agent, "one two three", thread_id="t")
    messages = await answer(agent, "four", thread_id="t")
    assert [m.type for m in messages] == ["human", "ai", "human", "ai"]
    assert "3 messages" in messages[-1].text


@pytest.mark.anyio
async def test_the_input_schema_asks_for_messages() -> None:
    agent = await load_agent()()
    schema = agent.get_input_jsonschema()
    assert list(schema["properties"]) == ["messages"]
    assert set(agent.get_context_jsonschema()["properties"]) >= {
        "model_name",
        "system_prompt",
        "apiKeys",
        "agent_tools",
    }


@pytest.mark.anyio
async def test_the_system_prompt_of_the_configuration_wins_over_the_servers() -> None:
    make = load_agent(system_prompt="one two three")
    assert "My instructions have 3 words." in (await answer(await make(), "Hi"))[-1].text
    assert "My instructions have 2 words." in (await answer(await make(system_prompt="four five"), "Hi"))[-1].text
    assert "instructions" not in (await answer(await make(system_prompt=""), "Hi"))[-1].text


@pytest.mark.anyio
async def test_max_tokens_reaches_the_model() -> None:
    message = (await answer(await load_agent()(max_tokens=4), "Hi"))[-1]
    assert message.text.split() == ["This", "is", "a", "demo,"]


@pytest.mark.anyio
async def test_only_the_named_tools_are_given() -> None:
    make = load_agent()
    assert "I can call calculate, current_time." in (await answer(await make(), "Hi"))[-1].text
    assert "I can call current_time." in (await answer(await make(agent_tools=["current_time"]), "Hi"))[-1].text
    nothing = await make(agent_tools=[])
    assert "I can call" not in (await answer(nothing, SUM))[-1].text
    assert "tools" not in nothing.get_graph().nodes


@pytest.mark.anyio
async def test_unknown_tools_are_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidInputError, match=r"unknown tools 'teleport'; this server has: calculate, current_time"):
        await load_agent()(agent_tools=["calculate", "teleport"])


@pytest.mark.anyio
async def test_tools_of_other_plugins_are_called_with_the_caller_and_the_run() -> None:
    seen: list[tuple[JsonObject, ToolContext]] = []

    async def run(arguments: JsonObject, context: ToolContext) -> JsonValue:
        seen.append((arguments, context))
        return {"größe": [1, None, True]}

    agent = await load_agent(tool_of("probe", run))()
    user = {
        "identity": "alice",
        "display_name": "Alice",
        "permissions": ["read"],
        "org": "o1",
        "is_authenticated": True,
    }
    messages = await answer(
        agent, 'call probe {"config": 1, "a": "b"}', langgraph_auth_user=user, run_id="r-1", thread_id="t-1"
    )
    ((arguments, context),) = seen
    assert arguments == {"config": 1, "a": "b"}
    assert (context.principal.identity, context.principal.permissions) == ("alice", ("read",))
    assert context.principal.claims == {"org": "o1"}
    assert (context.run_id, context.thread_id) == ("r-1", "t-1")
    assert messages[-2].content == '{"größe": [1, null, true]}'


@pytest.mark.anyio
async def test_without_authentication_tools_are_called_by_the_local_user() -> None:
    seen: list[ToolContext] = []

    async def run(arguments: JsonObject, context: ToolContext) -> JsonValue:
        seen.append(context)
        return "done"

    agent = await load_agent(tool_of("probe", run))()
    await answer(agent, "call probe", langgraph_auth_user=None)
    assert seen == [ToolContext(principal=LOCAL)]


@pytest.mark.anyio
async def test_a_refusal_of_a_tool_is_an_answer_of_status_error() -> None:
    async def run(arguments: JsonObject, context: ToolContext) -> JsonValue:
        raise ForbiddenError(REASON)

    agent = await load_agent(tool_of("probe", run))()
    *_, result, final = await answer(agent, "call probe")
    assert (result.status, result.content) == ("error", "not on sundays")
    assert "The tool probe failed: not on sundays." in final.text


@pytest.mark.anyio
async def test_a_crash_of_a_tool_is_logged_and_shown_without_its_message(caplog: pytest.LogCaptureFixture) -> None:
    async def run(arguments: JsonObject, context: ToolContext) -> JsonValue:
        raise ZeroDivisionError(PASSWORD)

    agent = await load_agent(tool_of("probe", run))()
    with caplog.at_level(logging.ERROR):
        *_, result, _final = await answer(agent, "call probe")
    assert (result.status, result.content) == ("error", "the tool failed: ZeroDivisionError")
    assert PASSWORD in caplog.text
    assert [record.tool for record in caplog.records if record.msg == "tool failed"] == ["probe"]  # type: ignore[attr-defined]


@pytest.mark.anyio
async def test_arithmetic_without_result_ends_the_run_in_words() -> None:
    *_, result, final = await answer(await load_agent()(), "What is 1 / 0?")
    assert result.status == "error"
    assert "division by zero" in final.text


@pytest.mark.anyio
async def test_a_tool_may_interrupt_the_run() -> None:
    async def run(arguments: JsonObject, context: ToolContext) -> JsonValue:
        return {"decision": interrupt("may I?")}

    agent = (await load_agent(tool_of("probe", run))()).copy(update={"checkpointer": InMemorySaver()})
    config = {"configurable": {"thread_id": "t"}}
    first = await agent.ainvoke(ask("call probe"), config)
    assert [found.value for found in first["__interrupt__"]] == ["may I?"]
    second = await agent.ainvoke(Command(resume="yes"), config)
    assert second["messages"][-2].content == '{"decision": "yes"}'


@pytest.mark.anyio
async def test_an_agent_that_never_stops_calling_is_stopped() -> None:
    agent = await load_agent(max_steps=2)()
    with pytest.raises(RecursionError, match="2"):
        await agent.ainvoke(ask(SUM))


@pytest.mark.anyio
async def test_equal_configurations_share_an_agent_and_others_do_not() -> None:
    make = load_agent()
    agent = await make(thread_id="a")
    assert await make(thread_id="b", user_id="c", temperature=None) is agent
    assert await make(system_prompt="x") is not agent
    assert await make(agent_tools=["calculate"]) is not agent
    assert await make(max_tokens=5) is not agent


@pytest.mark.anyio
async def test_the_least_recently_used_agent_is_forgotten_first() -> None:
    make = load_agent(cached_agents=2)
    first = await make(system_prompt="1")
    second = await make(system_prompt="2")
    assert await make(system_prompt="1") is first
    await make(system_prompt="3")
    assert await make(system_prompt="1") is first
    assert await make(system_prompt="2") is not second


@pytest.mark.anyio
async def test_states_and_schemas_can_be_read_whatever_the_configuration() -> None:
    make = load_agent()
    for broken in (
        {"model_name": "nonsense"},
        {"model_name": "openai:gpt-4o"},
        {"agent_tools": ["teleport"]},
        {"temperature": "hot"},
    ):
        agent = await make(__is_for_execution__=False, **broken)
        assert {"model", "tools"} <= set(agent.get_graph().nodes)
        with pytest.raises(Exception, match=r".") as caught:
            await make(**broken)
        assert getattr(caught.value, "code", "") in {"invalid_input", "model_key_missing"}
    agent = await make(__is_for_execution__=False, agent_tools=[])
    assert "tools" not in agent.get_graph().nodes
