"""What a person sees of a run's events."""

import io

from rich.console import Console

from longline.models.json import JsonValue
from longline_hosts.transcript import Transcript


def shown(*events: tuple[str, JsonValue]) -> str:
    out = io.StringIO()
    transcript = Transcript(Console(file=out, highlight=False, width=80))
    for event, data in events:
        transcript.hear(event, data)
    transcript.finish()
    return out.getvalue()


def chunk(text: JsonValue, **more: JsonValue) -> tuple[str, JsonValue]:
    return "messages", [{"type": "AIMessageChunk", "id": "m1", "content": text, **more}, {}]


def call(name: str | None, args: str | None, index: int = 0) -> JsonValue:
    return [{"name": name, "args": args, "index": index, "id": None}]


def test_words_stand_in_one_line() -> None:
    assert shown(chunk("Hello"), chunk(" "), chunk("world"), ("values", {"messages": []})) == "Hello world\n"


def test_blocks_of_text_are_read_and_others_left_out() -> None:
    blocks: JsonValue = [{"type": "text", "text": "a"}, {"type": "image", "text": "no"}, {"type": "text", "text": "b"}]
    assert shown(chunk(blocks)) == "ab\n"


def test_a_tool_call_that_comes_in_pieces_is_shown_once_and_whole() -> None:
    text = shown(
        chunk("I look", tool_call_chunks=[]),
        chunk("", tool_call_chunks=call("add", "")),
        chunk("", tool_call_chunks=call(None, '{"a": 2,')),
        chunk("", tool_call_chunks=call(None, ' "b": 3}'), chunk_position="last"),
        ("messages", [{"type": "tool", "id": "t1", "name": "add", "content": "5"}, {}]),
        chunk("five", id="m2"),
    )
    assert text == "I look\n→ add(a=2, b=3)\n← add: 5\nfive\n"


def test_two_calls_of_one_message_are_kept_apart() -> None:
    text = shown(
        chunk("", tool_call_chunks=call("add", '{"a": 1}', 0)),
        chunk("", tool_call_chunks=call("sub", '{"b": 2}', 1)),
    )
    assert text == "→ add(a=1)\n→ sub(b=2)\n"


def test_a_whole_message_is_shown_unless_it_was_streamed() -> None:
    whole: tuple[str, JsonValue] = ("messages", [{"type": "ai", "id": "m1", "content": "Hello", "tool_calls": []}, {}])
    assert shown(whole) == "Hello\n"
    assert shown(chunk("Hello"), whole) == "Hello\n"


def test_a_failed_tool_and_a_long_result_are_shown_short() -> None:
    text = shown(("messages", [{"type": "tool", "name": "x", "content": "y" * 5000, "status": "error"}, {}]))
    assert text.startswith("← x: yyy")
    assert len(text) < 700


def test_a_graph_that_streams_no_words_shows_its_last_message_or_its_values() -> None:
    said: JsonValue = {"messages": [{"type": "human", "content": "hi"}, {"type": "ai", "content": "ahoy"}]}
    assert shown(("values", said)) == "ahoy\n"
    assert shown(("values", {"x": 1})) == '{\n  "x": 1\n}\n'
    assert shown(("values", {"x": 1}), ("values|child:1", {"x": 2})) == '{\n  "x": 1\n}\n'


def test_an_error_is_shown_last() -> None:
    text = shown(chunk("Hel"), ("error", {"error": "ValueError", "message": "no [fish]"}))
    assert text == "Hel\nfailed: ValueError: no [fish]\n"


def test_a_question_of_the_graph_is_shown() -> None:
    waiting: JsonValue = {"__interrupt__": [{"value": {"question": "which?"}, "id": "i1"}]}
    assert shown(("values", waiting)) == 'waiting for an answer: {"question": "which?"}\n'


def test_text_that_looks_like_markup_is_shown_as_it_is() -> None:
    assert shown(chunk("[bold]a[/bold] [/x]")) == "[bold]a[/bold] [/x]\n"


def test_strange_events_are_passed_over() -> None:
    assert shown(("messages", []), ("messages", [3]), ("messages", {}), ("odd", None), ("error", None)) == ""
