"""The messages channel: however a model's answer is cut into chunks, the same message comes out."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from longline_protocol_langgraph.protocol_v2.blocks import MessageBlocks

CALLS = st.lists(
    st.tuples(st.sampled_from(["add", "find"]), st.dictionaries(st.sampled_from("ab"), st.text(max_size=8))), max_size=3
)


def pieces(text: str, cuts: Iterable[int]) -> list[str]:
    marks = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [text[start:end] for start, end in pairwise(marks)]


def chunk(**told: Any) -> Any:
    return {"type": "AIMessageChunk", "id": "m", "content": "", "tool_call_chunks": [], **told}


def joined(events: list[Any]) -> list[Any]:
    """The content that a client puts together from the deltas, checked against what the events say is the whole."""
    blocks: dict[int, dict[str, Any]] = {}
    assert events[0]["event"] == "message-start"
    assert events[-1]["event"] == "message-finish"
    for event in events[1:-1]:
        assert event["message_id"] == "m"
        index = event["index"]
        if event["event"] == "content-block-start":
            assert index == len(blocks), "blocks are numbered in the order in which they begin"
            blocks[index] = {**event["content"]}
        elif event["event"] == "content-block-delta":
            key = "args" if event["delta"]["type"] == "tool-call-delta" else "text"
            blocks[index][key] += event["delta"][key]
        else:
            whole = event["content"]
            if whole["type"] == "tool_call":
                assert orjson.loads(blocks[index]["args"] or "{}") == whole["args"]
            else:
                assert blocks[index]["text"] == whole["text"]
            blocks[index] = whole
    return [blocks[index] for index in sorted(blocks)]


@given(
    text=st.text(max_size=40), calls=CALLS, cuts=st.lists(st.integers(0, 100), max_size=6), is_last_told=st.booleans()
)
def test_any_chunking_gives_the_same_content(
    text: str, calls: list[tuple[str, dict[str, str]]], cuts: list[int], is_last_told: bool
) -> None:
    blocks = MessageBlocks()
    events: list[Any] = [*blocks.chunk(chunk(), {})]
    for piece in pieces(text, cuts):
        events += blocks.chunk(chunk(content=piece), {})
    for index, (name, args) in enumerate(calls):
        begun = {"name": name, "args": "", "id": f"call {index}", "index": index}
        events += blocks.chunk(chunk(tool_call_chunks=[begun]), {})
        for piece in pieces(orjson.dumps(args).decode(), cuts):
            more = {"name": None, "args": piece, "id": None, "index": index}
            events += blocks.chunk(chunk(tool_call_chunks=[more]), {})
    events += blocks.chunk(chunk(chunk_position="last"), {}) if is_last_told else blocks.finish_all()
    told = [
        {"type": "tool_call", "id": f"call {n}", "name": name, "args": args} for n, (name, args) in enumerate(calls)
    ]
    assert joined(events) == [*([{"type": "text", "text": text}] if text else []), *told]


@given(text=st.text(max_size=40), calls=CALLS)
def test_a_message_that_comes_whole_is_the_same_as_one_in_chunks(
    text: str, calls: list[tuple[str, dict[str, str]]]
) -> None:
    told: list[Any] = [{"name": name, "args": args, "id": f"call {n}"} for n, (name, args) in enumerate(calls)]
    whole: Any = {"type": "ai", "id": "m", "content": text, "tool_calls": told}
    expected = [{"type": "tool_call", **call} for call in told]
    content = [*([{"type": "text", "text": text}] if text else []), *expected]
    assert joined([*MessageBlocks().chunk(whole, {})]) == content


@given(text=st.text(max_size=40), cuts=st.lists(st.integers(0, 100), max_size=6))
def test_a_message_that_is_repeated_as_it_grows_is_told_once(text: str, cuts: list[int]) -> None:
    blocks, grown = MessageBlocks(), ""
    events: list[Any] = [*blocks.accumulated({"type": "ai", "id": "m", "content": ""}, {})]
    for piece in pieces(text, cuts):
        grown += piece
        events += blocks.accumulated({"type": "ai", "id": "m", "content": grown}, {})
    assert joined([*events, *blocks.finish_all()]) == ([{"type": "text", "text": text}] if text else [])


def test_chunks_of_calls_at_once_are_told_apart() -> None:
    blocks = MessageBlocks()
    events: list[Any] = []
    for index, args in ((0, '{"a"'), (1, '{"b"'), (0, ":1}"), (1, ":2}")):
        part = {"name": "add" if args.startswith("{") else None, "args": args, "id": f"c{index}", "index": index}
        events += blocks.chunk(chunk(tool_call_chunks=[part]), {})
    found = joined([*events, *blocks.finish_all()])
    assert [call["args"] for call in found] == [{"a": 1}, {"b": 2}]


def test_arguments_that_are_no_json_are_an_invalid_call() -> None:
    blocks = MessageBlocks()
    events: list[Any] = [
        *blocks.chunk(chunk(tool_call_chunks=[{"name": "add", "args": '{"a', "id": "c", "index": 0}]), {})
    ]
    finish = next(blocks.finish_all())
    assert events[1]["event"] == "content-block-start"
    assert finish["content"] == {
        "type": "invalid_tool_call", "id": "c", "name": "add", "args": '{"a',
        "error": "the arguments are not a JSON object",
    }  # fmt: skip


def test_reasoning_and_token_counts_are_told() -> None:
    blocks = MessageBlocks()
    thought = {"type": "reasoning", "reasoning": "hm", "index": 0}
    events: list[Any] = [
        *blocks.chunk(chunk(content=[thought], usage_metadata={"input_tokens": 3, "output_tokens": 1}), {}),
        *blocks.chunk(
            chunk(content=[{"type": "text", "text": "so", "index": 1}], usage_metadata={"output_tokens": 2}), {}
        ),
        *blocks.finish_all(),
    ]
    whole = [event["content"] for event in events if event["event"] == "content-block-finish"]
    assert whole == [{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "so"}]
    assert events[-1]["usage"] == {"input_tokens": 3, "output_tokens": 3}


def test_only_what_a_model_says_is_told_and_once() -> None:
    blocks = MessageBlocks()
    for kind in ("human", "tool", "system"):
        assert [*blocks.chunk({"type": kind, "id": "x", "content": "y"}, {})] == []
    whole: Any = {"type": "ai", "id": "m", "content": "hi", "tool_calls": []}
    assert [*blocks.chunk(whole, {})] != []
    assert [*blocks.chunk(whole, {})] == []


def test_a_message_that_breaks_off_ends_with_an_error() -> None:
    blocks = MessageBlocks()
    assert next(iter([*blocks.chunk(chunk(content="half"), {})]))["event"] == "message-start"
    assert [*blocks.fail_all("boom")] == [{"event": "error", "message": "boom", "message_id": "m"}]
    assert [*blocks.finish_all()] == []
