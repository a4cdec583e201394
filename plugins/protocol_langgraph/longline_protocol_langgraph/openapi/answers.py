"""What answers hold, as types to make JSON schemas of."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, NotRequired, TypeAlias

from pydantic import AwareDatetime, Field
from typing_extensions import TypedDict

from longline.models.json import JsonObject, JsonValue
from longline.models.runs import Durability, MultitaskStrategy
from longline_protocol_langgraph.bodies.runs import Nodes, StreamMode
from longline_protocol_langgraph.bodies.threads import StatusName
from longline_protocol_langgraph.bodies.types import Uuid

if TYPE_CHECKING:
    Json: TypeAlias = JsonValue
    Object: TypeAlias = JsonObject
else:  # no need to spell out what JSON is
    Json = Any
    Object = dict[str, Any]

Count: TypeAlias = Annotated[int, Field(ge=0)]
RunStatusName: TypeAlias = Literal["pending", "running", "success", "error", "timeout", "interrupted"]


class Refusal(TypedDict):
    """Why a request was refused."""

    detail: Annotated[str, Field(description="The reason, for people.")]


class Assistant(TypedDict):
    """A graph with a configuration of its own."""

    assistant_id: Uuid
    graph_id: str
    config: Object
    context: Object
    metadata: Object
    name: str
    created_at: AwareDatetime
    updated_at: AwareDatetime
    version: Annotated[int, Field(ge=1)]
    description: str | None


class AssistantVersion(TypedDict):
    """One version of an assistant."""

    assistant_id: Uuid
    graph_id: str
    config: Object
    context: Object
    metadata: Object
    name: str
    created_at: AwareDatetime
    version: Annotated[int, Field(ge=1)]
    description: str | None


class Thread(TypedDict):
    """A conversation, or any other state that runs change one after another."""

    thread_id: Uuid
    created_at: AwareDatetime
    updated_at: AwareDatetime
    state_updated_at: AwareDatetime
    metadata: Object
    status: StatusName
    config: Object
    values: NotRequired[Annotated[Json, Field(description="The state; null before the first run.")]]
    error: NotRequired[Annotated["Failure | None", Field(description="Why the last run failed.")]]
    interrupts: NotRequired[Annotated[dict[str, list["Interrupt"]], Field(description="What waits, by task.")]]
    extracted: NotRequired[Annotated[Object, Field(description="What the search said to extract.")]]
    ttl: NotRequired[Annotated["ThreadTtl", Field(description="How long it stays, where that was asked for.")]]


class ThreadTtl(TypedDict):
    """How long a thread stays after its last activity, and what happens then."""

    strategy: Literal["delete", "keep_latest"]
    ttl_minutes: Annotated[float, Field(ge=0)]
    expires_at: AwareDatetime


class Failure(TypedDict):
    """Why a run failed."""

    error: Annotated[str, Field(description="The class of the error.")]
    message: str


class Interrupt(TypedDict):
    """What a graph waits to be told."""

    id: str | None
    value: Json


class Checkpoint(TypedDict, total=False):
    """A place in a thread's history."""

    thread_id: str
    checkpoint_ns: str
    checkpoint_id: str | None
    checkpoint_map: dict[str, str] | None


class Task(TypedDict):
    """A node that ran, runs or will run."""

    id: str
    name: str
    path: list[Json]
    error: str | None
    interrupts: list[Interrupt]
    checkpoint: Checkpoint | None
    state: Annotated["ThreadState | None", Field(description="The state of its subgraph, if that was asked for.")]
    result: Json


class ThreadState(TypedDict):
    """The state of a thread at one of its checkpoints."""

    values: Json
    next: Annotated[list[str], Field(description="The nodes that come next.")]
    tasks: list[Task]
    metadata: Object | None
    created_at: Annotated[str | None, Field(json_schema_extra={"format": "date-time"})]
    checkpoint: Checkpoint | None
    parent_checkpoint: Checkpoint | None
    interrupts: list[Interrupt]
    checkpoint_id: str | None
    parent_checkpoint_id: str | None


class UpdatedState(TypedDict):
    """Where a changed state is found."""

    checkpoint: Checkpoint
    configurable: Checkpoint
    checkpoint_id: str | None


class Pruned(TypedDict):
    """What pruning did."""

    pruned_count: Count


class Part(TypedDict):
    """How much of something there is."""

    count: Count
    bytes: Count


class ChannelPart(TypedDict):
    """How much is stored of one channel."""

    versions: Count
    bytes: Count


class ChannelValues(Part):
    """How much is stored of all channels."""

    by_channel: dict[str, ChannelPart]


class ThreadStorage(TypedDict):
    """What a thread's history takes."""

    thread_id: Uuid
    total_bytes: Count
    checkpoints: Part
    channel_values: ChannelValues
    pending_writes: Part


class RunArguments(TypedDict):
    """What a run was told."""

    input: Json
    command: Json
    config: Object
    context: Object
    stream_mode: list[StreamMode]
    interrupt_before: Nodes | None
    interrupt_after: Nodes | None
    webhook: str | None
    feedback_keys: list[str] | None
    temporary: bool
    subgraphs: bool
    resumable: bool
    checkpoint_during: bool
    durability: Durability


class Run(TypedDict):
    """One execution of a graph."""

    run_id: Uuid
    thread_id: Uuid
    assistant_id: Uuid
    metadata: Object
    status: RunStatusName
    kwargs: RunArguments
    multitask_strategy: MultitaskStrategy
    created_at: AwareDatetime
    updated_at: AwareDatetime
    langsmith_session_name: str | None


class DrawnNode(TypedDict):
    """A node of a drawing."""

    id: str | int
    type: NotRequired[str]
    data: NotRequired[Json]
    metadata: NotRequired[Json]


class DrawnEdge(TypedDict):
    """An edge of a drawing."""

    source: str | int
    target: str | int
    data: NotRequired[Json]
    conditional: NotRequired[bool]


class Drawing(TypedDict):
    """A graph as nodes and edges."""

    nodes: list[DrawnNode]
    edges: list[DrawnEdge]


class SubgraphSchemas(TypedDict):
    """The JSON schemas of a graph. One that cannot be made is null."""

    input_schema: Object | None
    output_schema: Object | None
    state_schema: Object | None
    config_schema: Object | None
    context_schema: Object | None


class GraphSchemas(SubgraphSchemas):
    """The JSON schemas of an assistant's graph. One that cannot be made is null."""

    graph_id: str
