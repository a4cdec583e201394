"""The operations that follow threads."""

from typing import Annotated, Final, Literal, NotRequired, TypeAlias

from pydantic import Field, TypeAdapter
from typing_extensions import TypedDict

from longline_protocol_langgraph.openapi.answers import Object
from longline_protocol_langgraph.openapi.operation import Answer, Operation, Section, json_answer, stream_answer
from longline_protocol_langgraph.openapi.pages import as_shape
from longline_protocol_langgraph.parameters import LAST_EVENT_ID
from longline_protocol_langgraph.protocol_v2.envelope import ErrorCode
from longline_protocol_langgraph.routes.streams import MODE, MODES

Count: TypeAlias = Annotated[int, Field(ge=0, le=2**53)]
Channel: TypeAlias = (
    Literal["values", "updates", "messages", "tools", "lifecycle", "input", "checkpoints", "tasks", "custom"]
    | Annotated[str, Field(pattern="^custom:.+")]
)


class EventStreamRequest(TypedDict):
    """What a client wants to hear of a thread."""

    channels: Annotated[list[Channel], Field(min_length=1)]
    namespaces: NotRequired[list[list[str]] | None]
    depth: NotRequired[Count | None]
    since: NotRequired[Annotated[Count, Field(description="What came after this number first.")] | None]


class ProtocolCommand(TypedDict):
    """What a client asks of a thread."""

    id: Count
    method: str
    params: NotRequired[Object | None]


class ProtocolMeta(TypedDict):
    """Where the thread stood."""

    applied_through_seq: Count


class ProtocolSuccess(TypedDict):
    """The answer to a command that was done."""

    type: Literal["success"]
    id: Count
    result: Object
    meta: ProtocolMeta


class ProtocolError(TypedDict):
    """The answer to a command that was not done."""

    type: Literal["error"]
    id: Count | None
    error: ErrorCode
    message: str


STREAMS: Final = Section(
    tag="Streaming",
    description="Threads followed as they happen, over all of their runs.",
    paths={
        "/threads/{thread_id}/stream": {
            "GET": Operation(
                summary="Follow a thread",
                parameters=[LAST_EVENT_ID, MODES, MODE],
                answers=[
                    stream_answer(
                        "What the thread's runs say, with ids, and `metadata` with `status: run_done` after each. It "
                        "ends when the thread is deleted."
                    )
                ],
                refusals=[404],
            )
        },
        "/threads/{thread_id}/stream/events": {
            "POST": Operation(
                summary="Follow a thread by channels",
                description="The thread protocol; also served as a WebSocket at this path. A thread that is not there "
                "says nothing until a run makes it.",
                body=TypeAdapter(EventStreamRequest),
                answers=[stream_answer("Events with numbers that stay the same in every replay, as `seq` and as id.")],
                refusals=[400],
            )
        },
        "/threads/{thread_id}/commands": {
            "POST": Operation(
                summary="Send a command to a thread",
                description="`run.start` takes `stream_mode`: what its run says beside values and messages (`updates`, "
                "`tasks`, `tools`, `custom`).",
                body=TypeAdapter(ProtocolCommand),
                answers=[
                    json_answer("What was done, or why it was not.", as_shape(ProtocolSuccess | ProtocolError)),
                    Answer(status=400, description="It is no command.", shape=ProtocolError),
                ],
            )
        },
    },
)
