"""Frames are what a reader of server-sent events takes apart again, whatever the events hold."""

import orjson
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.messages.tool import tool_call
from langgraph_sdk.sse import SSEDecoder

from longline.encoding import encode
from longline.models.events import RunEvent
from longline.models.threads import RunFailure
from longline_protocol_langgraph.event_ids import EventIds
from longline_protocol_langgraph.sse import HEARTBEAT, encoder, error_frame

RUN_ID = "01a1fc70-dfc7-76a6-9eb1-7b8414d7d71d"
MODES = (
    "values",
    "updates",
    "messages",
    "messages/partial",
    "messages/complete",
    "custom",
    "debug",
    "metadata",
    "error",
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
MESSAGES = st.one_of(
    st.builds(HumanMessage, TEXTS, id=TEXTS | st.none(), name=TEXTS | st.none()),
    st.builds(AIMessageChunk, content=TEXTS, id=TEXTS | st.none()),
    st.builds(
        AIMessage,
        TEXTS,
        tool_calls=st.lists(
            st.builds(tool_call, name=TEXTS, args=st.dictionaries(TEXTS, TEXTS, max_size=2), id=TEXTS), max_size=2
        ),
    ),
    st.builds(ToolMessage, TEXTS, tool_call_id=TEXTS, artifact=JSON, status=st.sampled_from(["success", "error"])),
)
EVENTS = st.builds(
    RunEvent,
    st.just(RUN_ID),
    st.integers(1, 9),
    st.integers(1, 10**6),
    st.sampled_from(MODES),
    st.lists(st.text(min_size=1), max_size=3).map(tuple),
    JSON.map(orjson.dumps),
)


def read(data: bytes) -> list[tuple[str, object, str | None]]:
    """(event, data, id) as the SDK reads them."""
    decoder, found = SSEDecoder(), []
    for line in data.split(b"\r\n"):
        part = decoder.decode(line)
        if part is not None:
            found.append((part.event, part.data, part.id))
    return found


@given(st.lists(EVENTS, max_size=5))
def test_every_event_is_read_back_with_its_name_and_data(events: list[RunEvent]) -> None:
    found = read(encoder()(events))
    assert [data for _, data, _ in found] == [orjson.loads(event.data) for event in events]
    assert [name.partition("|")[0] for name, _, _ in found] == [event.mode for event in events]


@given(st.lists(EVENTS, min_size=1, max_size=5))
def test_every_line_ends_with_crlf_and_no_field_is_broken_by_its_value(events: list[RunEvent]) -> None:
    data = encoder(ids=EventIds(RUN_ID))(events)
    frames = data.decode().removesuffix("\r\n\r\n").split("\r\n\r\n")
    assert len(frames) == len(events)
    for frame in frames:
        lines = frame.split("\r\n")
        assert [line.partition(":")[0] for line in lines] == ["event", "data", "id"]
        assert not any("\n" in line or "\r" in line for line in lines)


@given(st.lists(EVENTS, max_size=5))
def test_a_stream_that_cannot_be_resumed_has_no_ids(events: list[RunEvent]) -> None:
    assert b"\r\nid:" not in encoder()(events)


def event(mode: str, *namespace: str, seq: int = 1) -> RunEvent:
    return RunEvent(RUN_ID, 1, seq, mode, namespace, b"{}")


def test_the_namespace_follows_the_mode() -> None:
    assert encoder()([event("values", "child:1", "grand:2")]).startswith(
        b"event: values|child:1|grand:2\r\ndata: {}\r\n"
    )


def test_events_are_joined_in_one_piece() -> None:
    assert encoder()([event("values"), event("updates")]) == (
        b"event: values\r\ndata: {}\r\n\r\nevent: updates\r\ndata: {}\r\n\r\n"
    )


def test_chosen_modes_keep_their_events_and_the_error() -> None:
    events = [event(mode) for mode in ("metadata", "values", "messages", "messages/partial", "updates", "error")]

    def names(*modes: str) -> list[str]:
        return [name for name, _, _ in read(encoder(modes=modes)(events))]

    assert names("updates") == ["updates", "error"]
    assert names("messages") == ["messages", "messages/partial", "error"]
    assert names("messages-tuple") == ["messages", "error"]
    assert names("values", "updates") == ["values", "updates", "error"]


def test_an_error_frame_holds_class_and_message() -> None:
    frame = error_frame(RunFailure(error="ValueError", message="a\nb"))
    assert read(frame) == [("error", {"error": "ValueError", "message": "a\nb"}, None)]


def test_a_heartbeat_is_no_event() -> None:
    assert read(HEARTBEAT) == []


@given(st.lists(MESSAGES, max_size=3))
def test_messages_in_a_stream_are_read_back_as_their_model_dump(messages: list[BaseMessage]) -> None:
    events = [
        RunEvent(RUN_ID, 1, seq, "messages", (), encode([message, {"langgraph_node": "model"}]))
        for seq, message in enumerate(messages, 1)
    ]
    found = [data for _, data, _ in read(encoder(ids=EventIds(RUN_ID))(events))]
    dumped = [orjson.loads(orjson.dumps([message.model_dump(), {"langgraph_node": "model"}])) for message in messages]
    assert found == dumped
