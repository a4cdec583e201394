"""`demo:` behaves as chat models do, and never hides what it is."""
# ruff: noqa: RUF001 - signs as people type them

import asyncio
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool

from longline_agent_tools.demo_model import ChatDemo
from longline_agent_tools.demo_replies import DISCLAIMER, find_expressions, reply_to, wanted_calls

TOOLS = ("calculate", "current_time", "echo")


@tool
def calculate(expression: str) -> str:
    """Calculate."""
    return expression


@tool
def echo(text: str, times: int = 1) -> str:
    """Echo."""
    return text * times


def joined(chunks: list[Any]) -> AIMessageChunk:
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert isinstance(whole, AIMessageChunk)
    return whole


def test_the_first_sentence_says_that_it_is_a_demo_and_how_to_get_a_model() -> None:
    text = ChatDemo().invoke("Hi").text
    first = text.split(". ")[0]
    assert "demo" in first
    assert "OPENAI_API_KEY" in first
    assert "OPENAI_BASE_URL" in first


def test_the_first_sentence_says_so_after_tools_and_without_any_message_too() -> None:
    after_tools = [
        HumanMessage("2 + 2"),
        AIMessage("", tool_calls=[{"name": "calculate", "args": {}, "id": "c1"}]),
        ToolMessage("4", tool_call_id="c1", name="calculate"),
    ]
    assert reply_to(after_tools, TOOLS).text.startswith(DISCLAIMER)
    assert reply_to([], ()).text.startswith(DISCLAIMER)
    assert reply_to([SystemMessage("Be kind")], ()).text.startswith(DISCLAIMER)


def test_it_echoes_and_counts() -> None:
    messages = [HumanMessage("Good morning dear demo"), AIMessage("Hello you"), HumanMessage("How are you")]
    text = ChatDemo().invoke(messages).text
    assert "You wrote 3 words: “How are you”." in text
    assert "3 messages with 9 words" in text


def test_a_long_message_is_echoed_in_part_and_counted_whole() -> None:
    text = ChatDemo().invoke("word " * 100_000).text
    assert "You wrote 100000 words" in text
    assert len(text) < 1000


def test_it_tells_the_length_of_its_instructions_and_not_their_text() -> None:
    text = ChatDemo().invoke([SystemMessage("Never mention the wombat"), HumanMessage("Hi")]).text
    assert "My instructions have 4 words." in text
    assert "wombat" not in text
    assert "instructions" not in ChatDemo().invoke("Hi").text


def test_sync_stream_and_invoke_say_the_same() -> None:
    model = ChatDemo()
    chunks = list(model.stream("Hello there"))
    assert joined(chunks).text == model.invoke("Hello there").text
    assert len([chunk for chunk in chunks if chunk.text]) == len(joined(chunks).text.split())


@pytest.mark.anyio
async def test_async_stream_and_invoke_say_the_same() -> None:
    model = ChatDemo()
    chunks = [chunk async for chunk in model.astream("Hello there")]
    assert joined(chunks).text == (await model.ainvoke("Hello there")).text
    assert all(len(chunk.text.split()) <= 1 for chunk in chunks)


@pytest.mark.anyio
async def test_one_id_runs_through_a_stream_and_another_through_the_next() -> None:
    first = {chunk.id async for chunk in ChatDemo().astream("Hi")}
    second = {chunk.id async for chunk in ChatDemo().astream("Hi")}
    assert len(first) == len(second) == 1
    assert first != second
    assert None not in first


def test_usage_counts_words_and_the_reason_to_stop_is_told_once() -> None:
    message = ChatDemo().invoke([SystemMessage("Be kind"), HumanMessage("How are you")])
    assert isinstance(message, AIMessage)
    said = len(message.text.split())
    assert message.usage_metadata == {"input_tokens": 5, "output_tokens": said, "total_tokens": 5 + said}
    assert message.response_metadata["finish_reason"] == "stop"
    assert message.response_metadata["model_name"] == "demo"
    streamed = joined(list(ChatDemo().stream([SystemMessage("Be kind"), HumanMessage("How are you")])))
    assert streamed.usage_metadata == message.usage_metadata
    assert streamed.response_metadata["finish_reason"] == "stop"


def test_max_tokens_and_stop_words_end_the_answer() -> None:
    short = ChatDemo(max_tokens=3).invoke("Hi")
    assert short.text.split() == DISCLAIMER.split()[:3]
    assert short.response_metadata["finish_reason"] == "length"
    assert ChatDemo().invoke("Hi", stop=["language", "demo"]).text == "This is a "


def test_binding_tools_leaves_the_model_itself_without() -> None:
    model = ChatDemo()
    bound = model.bind_tools([calculate])
    assert bound.invoke("2 + 2").tool_calls
    assert not model.invoke("2 + 2").tool_calls
    assert not model.bind_tools([calculate], tool_choice="none").invoke("2 + 2").tool_calls


@pytest.mark.anyio
async def test_a_tool_call_is_streamed_in_pieces_that_join_to_the_call() -> None:
    bound = ChatDemo().bind_tools([calculate, echo])
    chunks = [chunk async for chunk in bound.astream("What is (20 + 22) * 100000?")]
    pieces = [piece for chunk in chunks if isinstance(chunk, AIMessageChunk) for piece in chunk.tool_call_chunks]
    assert len(pieces) > 2
    assert [piece["name"] for piece in pieces].count("calculate") == 1
    assert len({piece["id"] for piece in pieces if piece["id"]}) == 1
    (call,) = joined(chunks).tool_calls
    assert (call["name"], call["args"]) == ("calculate", {"expression": "(20 + 22) * 100000"})
    assert joined(chunks).response_metadata["finish_reason"] == "tool_calls"


def test_tools_that_run_at_a_provider_are_not_called() -> None:
    assert not ChatDemo().bind_tools([{"type": "web_search"}]).invoke("call web_search {} and 2 + 2").tool_calls


def test_two_questions_are_two_calls_with_ids_of_their_own() -> None:
    calls = ChatDemo().bind_tools([calculate]).invoke("What are 1 + 1 and 3 * 4?").tool_calls
    assert [call["args"] for call in calls] == [{"expression": "1 + 1"}, {"expression": "3 * 4"}]
    assert calls[0]["id"] != calls[1]["id"]


def test_any_tool_can_be_called_by_its_name() -> None:
    calls = ChatDemo().bind_tools([echo]).invoke('please call echo {"text": "ä {x}", "times": 2} now').tool_calls
    assert [(call["name"], call["args"]) for call in calls] == [("echo", {"text": "ä {x}", "times": 2})]
    assert [call["args"] for call in ChatDemo().bind_tools([echo]).invoke("call echo").tool_calls] == [{}]


@pytest.mark.parametrize(
    "text",
    [
        "call nobody {}",
        "call me tomorrow",
        "recall echo",
        "call",
        "2",
        "- item",
        "on 2026-11-21",
        "nothing",
        "1. a 2. b",
    ],
)
def test_no_tool_is_called_without_a_reason(text: str) -> None:
    assert wanted_calls(text, TOOLS) == ()


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("What time is it?", {}),
        ("What time is it in Europe/Berlin?", {"timezone": "Europe/Berlin"}),
        ("what is today's date", {}),
        ("tell me the current time in America/Argentina/Ushuaia", {"timezone": "America/Argentina/Ushuaia"}),
        ("Wie spät ist es?", {}),
    ],
)
def test_a_question_for_the_time_calls_current_time(text: str, arguments: dict[str, str]) -> None:
    (call,) = wanted_calls(text, TOOLS)
    assert (call.name, call.arguments) == ("current_time", arguments)
    assert wanted_calls(text, ("calculate",)) == ()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("What is 2 + 2?", ["2 + 2"]),
        ("2+2.", ["2+2"]),
        ("How much is 3 × (4 - 1)?", ["3 × (4 - 1)"]),
        ("2^10 please", ["2^10"]),
        ("from 2026-11-21 on, 7*6", ["7*6"]),
        ("7 is a number, 3.5 too", []),
        ("wow (really) + more", []),
    ],
)
def test_arithmetic_is_found_in_sentences(text: str, found: list[str]) -> None:
    assert find_expressions(text) == found


def test_results_and_failures_of_tools_are_reported_as_they_are() -> None:
    messages = [
        HumanMessage("2 + 2 and 1 / 0"),
        AIMessage("", tool_calls=[{"name": "calculate", "args": {}, "id": i} for i in ("a", "b")]),
        ToolMessage("4", tool_call_id="a", name="calculate"),
        ToolMessage("division by zero", tool_call_id="b", name="calculate", status="error"),
    ]
    text = reply_to(messages, TOOLS).text
    assert "The tool calculate answered: 4." in text
    assert "The tool calculate failed: division by zero." in text


def test_a_new_question_after_an_answered_one_calls_again() -> None:
    messages = [
        HumanMessage("2 + 2"),
        AIMessage("", tool_calls=[{"name": "calculate", "args": {}, "id": "a"}]),
        ToolMessage("4", tool_call_id="a", name="calculate"),
        AIMessage("4"),
        HumanMessage("3 + 3"),
    ]
    assert [call.arguments for call in reply_to(messages, TOOLS).calls] == [{"expression": "3 + 3"}]


def test_content_in_blocks_is_read_as_text() -> None:
    message = HumanMessage(
        [{"type": "text", "text": "What is 2 + 2?"}, {"type": "image_url", "image_url": {"url": "data:,x"}}]
    )
    assert [call.arguments for call in reply_to([message], TOOLS).calls] == [{"expression": "2 + 2"}]


@given(st.text(max_size=300))
def test_every_text_is_answered(text: str) -> None:
    reply = reply_to([HumanMessage(text)], TOOLS)
    assert reply.calls or reply.text.startswith(DISCLAIMER)
    assert all(json.dumps(call.arguments) for call in reply.calls)


@pytest.mark.parametrize("unit", ["(", "1+", "call echo ", "{", 'call echo {"a":', "9-", " ", "what ", "A/", "1 "])
def test_megabytes_of_anything_are_answered_within_a_second(unit: str) -> None:
    start = time.process_time()
    reply_to([HumanMessage(unit * (1_000_000 // len(unit)))], TOOLS)
    assert time.process_time() - start < 1


@pytest.mark.anyio
async def test_other_tasks_run_while_an_answer_streams() -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(count())
    words = [chunk async for chunk in ChatDemo().astream("Hi")]
    other.cancel()
    assert turns >= len(words) - 1


def test_words_are_spaced_in_time_if_asked_for() -> None:
    start = time.monotonic()
    list(ChatDemo(max_tokens=5, word_seconds=0.01).stream("Hi"))
    assert time.monotonic() - start >= 0.05
