"""Whatever callers and graphs say, a tool reads it, or says what is wrong with it."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.plugins.protocol_mcp.assistant_graphs import counting, parrot

from longline.errors import InvalidInputError
from longline.events.hub import RunEnd
from longline.models.json import JsonValue
from longline.models.runs import Run, RunSpec, RunStatus
from longline.models.threads import RunFailure
from longline.tools.content import Audio, Block, File, Image, Link, Text
from longline_protocol_mcp.assistant_blocks import blocks_of
from longline_protocol_mcp.assistant_questions import resuming
from longline_protocol_mcp.assistant_results import outcome_of, result_of
from longline_protocol_mcp.assistant_schemas import input_shape

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = st.sampled_from(
    ["type", "text", "image", "image_url", "url", "base64", "data", "source", "file", "messages", "ai", "human", "id",
     "content", "audio", "non_standard", "value", "AAEC", "data:image/png;base64,AAEC", "data:,x", "http://[", "role",
     "thread_id", "resume", "message", "x", "user", "__interrupt__", "lc"]
)  # fmt: skip
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=3), inner, max_size=5),
    max_leaves=12,
)
SHAPES = [input_shape(graph.get_input_jsonschema()) for graph in (parrot(), counting())]  # type: ignore[attr-defined]  # graphs


@given(arguments=st.dictionaries(WORDS, JSON | st.integers(), max_size=5), shape=st.sampled_from(SHAPES))
def test_any_arguments_are_read_or_refused(arguments: dict[str, Any], shape: Any) -> None:
    try:
        asked = shape.read(arguments)
    except InvalidInputError:
        return
    assert orjson.loads(orjson.dumps(asked.input)) == asked.input


@given(
    content=JSON
    | st.lists(st.fixed_dictionaries({"type": WORDS}, optional={"data": JSON, "url": JSON, "source": JSON}))
)
def test_any_content_makes_blocks(content: JsonValue) -> None:
    blocks = list(blocks_of(content))
    assert all(isinstance(block, Text | Image | Audio | File | Link) for block in blocks)


def run() -> Run:
    """Some run."""
    return Run(
        run_id="r", thread_id="t", assistant_id="a", metadata={}, status=RunStatus.SUCCESS,
        spec=RunSpec(graph_id="g", config={}), multitask_strategy="enqueue", created_at=NOW, updated_at=NOW,
        not_before=NOW, attempt=1, lease_owner=None,
    )  # fmt: skip


@given(output=JSON, is_chat=st.booleans(), said_id=st.none() | WORDS, status=st.sampled_from([*RunStatus, None]))
def test_any_output_makes_an_answer(output: JsonValue, is_chat: bool, said_id: str | None, status: Any) -> None:
    try:
        encoded = orjson.dumps(output)
    except TypeError:
        return
    end = RunEnd(status=status, result=encoded, failure=RunFailure(error="E", message="secret!"))
    result = result_of(outcome_of(run(), end), is_chat=is_chat, said_id=said_id)
    assert result.is_error is (status is not RunStatus.SUCCESS)
    assert result.content
    assert "secret!" not in repr(result) or "secret!" in repr(output)
    assert {"thread_id", "run_id"} <= set(result.structured or {})


ONE, TWO = {"id": "1", "value": "a"}, {"id": "2", "value": "b"}


@pytest.mark.parametrize(
    ("questions", "answer", "resume"),
    [
        ([ONE], "yes", {"1": "yes"}),
        ([ONE], None, {"1": None}),
        ([ONE], {}, {"1": {}}),
        ([ONE], {"decisions": [{"type": "approve"}]}, {"1": {"decisions": [{"type": "approve"}]}}),
        ([ONE], {"1": "yes"}, {"1": "yes"}),
        ([ONE, TWO], {"1": "yes", "2": "no"}, {"1": "yes", "2": "no"}),
        ([ONE, TWO], {"2": "no"}, {"2": "no"}),
    ],
)
def test_an_answer_is_for_its_question(questions: Any, answer: JsonValue, resume: JsonValue) -> None:
    assert resuming(questions, answer) == {"resume": resume}


@pytest.mark.parametrize("answer", ["yes", None, {}, {"3": "x"}, {"1": "x", "3": "y"}])
def test_one_answer_to_several_questions_is_refused(answer: JsonValue) -> None:
    with pytest.raises(InvalidInputError, match="an object with the keys 1, 2"):
        resuming([ONE, TWO], answer)


BLOCKS: list[tuple[JsonValue, list[Block]]] = [
    ("", []),
    ("words", [Text("words")]),
    (["a", {"type": "text", "text": ""}, {"type": "text", "text": "b"}], [Text("a"), Text("b")]),
    ([{"type": "audio", "base64": "AAEC", "mime_type": "audio/mp3"}], [Audio(b"\x00\x01\x02", "audio/mp3")]),
    ([{"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": "AAEC"}}],
     [Image(b"\x00\x01\x02", "image/gif")]),
    ([{"type": "file", "url": "https://e.org/a.pdf", "mime_type": "application/pdf"}],
     [Link(uri="https://e.org/a.pdf", name="a.pdf", media_type="application/pdf")]),
    ([{"type": "image_url", "image_url": "no address"}], [Text("no address")]),
    ([{"type": "non_standard", "value": {"a": 1}}], [Text('{"a":1}')]),
    ([{"type": "tool_call", "name": "x"}, {"type": "thinking", "thinking": "hm"}], []),
]  # fmt: skip


@pytest.mark.parametrize(("content", "blocks"), BLOCKS)
def test_content_is_shown_as_what_it_is(content: JsonValue, blocks: list[Block]) -> None:
    assert list(blocks_of(content)) == blocks
