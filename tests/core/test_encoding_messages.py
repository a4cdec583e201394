"""Messages are encoded quickly, and as they would dump themselves."""

import orjson
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from pydantic import (
    Field,
)

from longline.encoding import encode, message_fields


def shown(value: object) -> object:
    return orjson.loads(encode(value))


KEYS = st.sampled_from(["a", "b", "ü", "model"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(KEYS, JSON, max_size=3)
BLOCKS = st.lists(st.text(max_size=5) | st.fixed_dictionaries({"type": st.just("text"), "text": st.text(max_size=5)}))
COMMON = {
    "content": st.text(max_size=20) | BLOCKS,
    "additional_kwargs": OBJECTS,
    "response_metadata": OBJECTS,
    "name": st.none() | st.text(max_size=5),
    "id": st.none() | st.text(max_size=5),
}
CALLS = st.lists(
    st.fixed_dictionaries({"name": st.text(max_size=5), "args": OBJECTS, "id": st.none() | st.text(max_size=5)}),
    max_size=2,
)
CHUNKS = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.none() | st.text(max_size=5),
            "args": st.none() | st.sampled_from(["", "{", '{"a": 1}', "not json"]),
            "id": st.none() | st.text(max_size=5),
            "index": st.none() | st.integers(0, 3),
        }
    ),
    max_size=2,
)
USAGE = st.none() | st.fixed_dictionaries(
    {"input_tokens": st.integers(0, 9), "output_tokens": st.integers(0, 9), "total_tokens": st.integers(0, 9)},
    optional={"input_token_details": st.fixed_dictionaries({}, optional={"cache_read": st.integers(0, 9)})},
)
EXTRA = st.dictionaries(st.sampled_from(["extra", "example", "reasoning"]), JSON, max_size=2)


def _message(kind: type[BaseMessage], extra: dict[str, object], **fields: object) -> BaseMessage:
    return kind(**{**extra, **fields})


MESSAGES = st.one_of(
    st.builds(_message, st.sampled_from([HumanMessage, SystemMessage]), EXTRA, **COMMON),
    st.builds(_message, st.just(AIMessage), EXTRA, tool_calls=CALLS, usage_metadata=USAGE, **COMMON),
    st.builds(
        _message,
        st.just(AIMessageChunk),
        EXTRA,
        tool_call_chunks=CHUNKS,
        usage_metadata=USAGE,
        chunk_position=st.sampled_from([None, "last"]),
        **COMMON,
    ),
    st.builds(
        _message,
        st.just(ToolMessage),
        EXTRA,
        tool_call_id=st.text(max_size=5),
        artifact=JSON,
        status=st.sampled_from(["success", "error"]),
        **COMMON,
    ),
)


@given(MESSAGES)
def test_the_fields_of_a_message_are_what_model_dump_says(message: BaseMessage) -> None:
    assert message_fields(message) == message.model_dump()
    assert list(message_fields(message)) == list(message.model_dump())


@given(st.lists(MESSAGES, max_size=3))
def test_encoded_messages_are_their_encoded_model_dump(messages: list[BaseMessage]) -> None:
    assert encode({"messages": messages}) == encode({"messages": [message.model_dump() for message in messages]})


@given(MESSAGES)
def test_encoding_a_message_changes_nothing_in_it(message: BaseMessage) -> None:
    before = message.model_copy(deep=True)
    encode(message)
    assert message == before


def test_a_chunk_that_grew_is_encoded_like_any_message() -> None:
    parts = [AIMessageChunk(content=text, id="m") for text in ("a", "b")]
    parts.append(
        AIMessageChunk(content="", id="m", tool_call_chunks=[{"name": "t", "args": "{}", "id": "1", "index": 0}])
    )
    grown = parts[0] + parts[1] + parts[2]
    assert encode(grown) == encode(grown.model_dump())
    assert shown(grown)["tool_calls"][0]["name"] == "t"


def test_a_message_to_remove_is_shown_as_one() -> None:
    assert shown(RemoveMessage(id="m1")) == RemoveMessage(id="m1").model_dump()


def test_a_message_of_somebody_elses_class_is_shown_as_that_class_says() -> None:
    class Redacted(HumanMessage):
        note: str = Field("private", exclude=True)

    assert "note" not in shown(Redacted("hi"))
    assert shown(Redacted("hi"))["content"] == "hi"
