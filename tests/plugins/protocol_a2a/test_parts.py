"""Parts become what models read, and come back as they were; what agents say in blocks becomes parts."""

import base64
from typing import Any

import pytest
from a2a.types import Message, Part, Role, SendMessageConfiguration, SendMessageRequest
from google.protobuf.json_format import ParseDict
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage, convert_to_messages

from longline.encoding import encode
from longline.models.json import JsonObject, JsonValue
from longline_protocol_a2a.media import DEFAULT_INPUT_MODES, is_accepted
from longline_protocol_a2a.messages import parts_of, to_human, to_message
from longline_protocol_a2a.parts import data_in, data_part, to_parts
from longline_protocol_a2a.verdicts import read_values

TEXT = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e9, 1e9) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
MEDIA = st.sampled_from(["", "image/png", "audio/wav", "video/mp4", "application/pdf", "text/csv"])


def _data(value: Any) -> Part:
    part = Part()
    ParseDict(value, part.data)
    return part


CONTENT = (
    st.builds(Part, text=TEXT, media_type=st.sampled_from(["", "text/plain", "text/markdown"]))
    | st.builds(Part, raw=st.binary(min_size=1, max_size=20), media_type=MEDIA, filename=st.just("") | TEXT)
    | st.builds(Part, url=st.just("https://example.com/a"), media_type=MEDIA, filename=st.just("") | TEXT)
    | JSON.map(_data)
)
METADATA = st.none() | st.dictionaries(TEXT, JSON, max_size=2)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    """Any message of a user."""
    message = Message(message_id=draw(TEXT), role=Role.ROLE_USER, parts=draw(st.lists(CONTENT, min_size=1, max_size=4)))
    for holder in (message, *message.parts):
        if (metadata := draw(METADATA)) is not None:
            ParseDict(metadata, holder.metadata)
    message.reference_task_ids.extend(draw(st.lists(TEXT, max_size=2)))
    message.extensions.extend(draw(st.lists(TEXT, max_size=2)))
    return message


def _through_a_state(human: JsonObject) -> JsonObject:
    """As LangChain makes a message of it, and the server reads it back."""
    (made,) = convert_to_messages([human])  # type: ignore[list-item]  # a dict is one spelling of a message
    assert isinstance(made, HumanMessage)
    read = read_values(encode(made))
    assert isinstance(read, dict)
    return read


@given(messages(), TEXT)
def test_a_message_comes_back_as_it_was(message: Message, human_id: str) -> None:
    human = to_human(SendMessageRequest(message=message), human_id=human_id)
    assert human["id"] == human_id
    back = to_message(_through_a_state(human), task_id="", context_id="", role=Role.ROLE_USER)
    assert back == message


@given(JSON)
def test_data_comes_back_with_whole_numbers_whole(value: JsonValue) -> None:
    assert (
        encode(data_in(data_part(value))) == encode(value).replace(b"-0.0", b"0") or data_in(data_part(value)) == value
    )


def test_a_plain_text_is_one_for_a_model_too() -> None:
    message = Message(message_id="m", role=Role.ROLE_USER, parts=[Part(text="hi")])
    assert to_human(SendMessageRequest(message=message), human_id="m") == {"type": "human", "id": "m", "content": "hi"}


def test_files_are_blocks_that_langchain_knows() -> None:
    raw = Part(raw=b"\x89PNG", media_type="image/png", filename="a.png")
    message = Message(message_id="m", role=Role.ROLE_USER, parts=[raw, Part(url="https://x/y.pdf", filename="y.pdf")])
    assert to_human(SendMessageRequest(message=message), human_id="m")["content"] == [
        {"type": "image", "mime_type": "image/png", "base64": "iVBORw==", "extras": {"filename": "a.png"}},
        {"type": "file", "mime_type": "application/octet-stream", "url": "https://x/y.pdf",
         "extras": {"filename": "y.pdf"}},
    ]  # fmt: skip


def test_what_is_said_beside_a_message_reaches_the_graph() -> None:
    request = SendMessageRequest(
        message=Message(message_id="m", role=Role.ROLE_USER, parts=[Part(text="hi")]),
        configuration=SendMessageConfiguration(accepted_output_modes=["text/plain"]),
    )
    request.metadata.update({"tier": "gold"})
    told = {"message_id": "m", "accepted_output_modes": ["text/plain"], "request_metadata": {"tier": "gold"}}
    assert to_human(request, human_id="other")["additional_kwargs"] == {"a2a": told}


PNG = base64.b64encode(b"png").decode()


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("hi", [Part(text="hi")]),
        ("", []),
        (None, []),
        (["a", {"type": "text", "text": "b"}, {"type": "text", "text": ""}], [Part(text="a"), Part(text="b")]),
        ([{"type": "reasoning", "reasoning": "hm"}, {"type": "tool_use", "id": "1"}, {"type": "text", "text": "b"}],
         [Part(text="b")]),
        ([{"type": "image", "base64": PNG, "mime_type": "image/png"}], [Part(raw=b"png", media_type="image/png")]),
        ([{"type": "image", "source_type": "base64", "data": PNG, "mime_type": "image/png"}],
         [Part(raw=b"png", media_type="image/png")]),
        ([{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}],
         [Part(raw=b"png", media_type="image/png")]),
        ([{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}],
         [Part(raw=b"png", media_type="image/png")]),
        ([{"type": "image_url", "image_url": "https://x/a"}], [Part(url="https://x/a")]),
        ([{"type": "file", "url": "https://x/a", "mime_type": "text/plain", "extras": {"filename": "a.txt"}}],
         [Part(url="https://x/a", media_type="text/plain", filename="a.txt")]),
        ([{"type": "text-plain", "text": "note", "mime_type": "text/plain"}],
         [Part(text="note", media_type="text/plain")]),
        ([{"type": "non_standard", "value": {"key": "value", "count": 42}}], [_data({"key": "value", "count": 42})]),
        ([{"anything": [1, None]}], [_data({"anything": [1, None]})]),
    ],
)  # fmt: skip
def test_what_an_agent_says_in_blocks_is_parts(content: JsonValue, parts: list[Part]) -> None:
    assert to_parts(content) == parts
    assert parts_of({"type": "ai", "id": "1", "content": content}) == parts


def test_a_block_that_pretends_to_be_base64_is_left_out_or_told_as_data() -> None:
    block: JsonObject = {"type": "image", "base64": "%%%", "mime_type": "image/png"}
    assert to_parts([block]) == [_data(block)]


def test_data_that_is_nested_too_deep_for_the_wire_is_told_as_text() -> None:
    value: JsonValue = 1
    for _ in range(150):
        value = [value]
    part = data_part(value)
    assert part.media_type == "application/json"
    assert part.text == encode(value).decode()


@pytest.mark.parametrize(
    ("media_type", "is_taken"),
    [
        ("text/plain", True), ("TEXT/Plain; charset=utf-8", True), ("image/webp", True), ("application/json", True),
        ("application/x-unsupported", False), ("application/octet-stream", False), ("text", False), ("*/*", False),
    ],
)  # fmt: skip
def test_media_types_are_taken_by_pattern(media_type: str, is_taken: bool) -> None:
    assert is_accepted(media_type, ("text/*", "application/json", "image/*")) is is_taken
    assert is_accepted(media_type, DEFAULT_INPUT_MODES) is ("/" in media_type)
