"""What bodies are made of. Fields that a client leaves out or sends as null mean the same; unknown ones are ignored."""

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Required, TypeAlias, TypeVar, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    InstanceOf,
    with_config,
)
from pydantic_core import CoreSchema, PydanticCustomError, PydanticUseDefault, core_schema
from typing_extensions import TypedDict

from longline.ids import parse_uuid
from longline.models.json import JsonObject, JsonValue
from longline.models.threads import ThreadTtl
from longline_protocol_langgraph.query import LARGEST

GRAPH_IDS = "x-graph-ids"
ASSISTANT_NAMES = "x-assistant-names"
"""Marks in JSON schemas: what may stand there depends on the graphs of the server."""

LONGEST_TTL_MINUTES = 100 * 365 * 1440

T = TypeVar("T")

if TYPE_CHECKING:
    Json: TypeAlias = JsonValue
    Object: TypeAlias = JsonObject
else:  # parsed JSON is JSON: walking through it again would find nothing
    Json = Any
    Object = Annotated[dict, InstanceOf()]


def _uuid(text: str) -> str:
    canonical = parse_uuid(text)
    if canonical is None:
        raise PydanticCustomError("uuid", "must be a UUID")
    return canonical


def _as_integer(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _default_for_null(value: object) -> object:
    if value is None:
        raise PydanticUseDefault
    return value


class _NullIsDefault:
    """Makes null mean the field's default, in the check and in the field's JSON schema."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        inner = handler(source)
        return core_schema.no_info_before_validator_function(
            _default_for_null, inner, json_schema_input_schema=core_schema.nullable_schema(inner)
        )


OrDefault: TypeAlias = Annotated[T, _NullIsDefault()]
"""A field with a default, which null stands for as well."""
GraphName: TypeAlias = Annotated[str, Field(json_schema_extra={GRAPH_IDS: True})]
"""The id of one of this server's graphs."""
AssistantName: TypeAlias = Annotated[str, Field(json_schema_extra={ASSISTANT_NAMES: True})]
"""An assistant's UUID, or the id of one of this server's graphs."""
Uuid: TypeAlias = Annotated[str, AfterValidator(_uuid), Field(json_schema_extra={"format": "uuid"})]
WHOLE: Final = BeforeValidator(_as_integer)
"""For whole numbers: JSON may write 1.0 for 1."""
Limit: TypeAlias = Annotated[int, Field(ge=1, le=1000), WHOLE]
Offset: TypeAlias = Annotated[int, Field(ge=0, le=LARGEST), WHOLE]
Integer: TypeAlias = Annotated[int, Field(ge=-LARGEST, le=LARGEST), WHOLE]
"""A number that is passed on: LangGraph says what it may be."""
SortOrderName: TypeAlias = Literal["asc", "desc"]
IfExists: TypeAlias = Literal["raise", "do_nothing"]


class Body(BaseModel):
    """The base of every body. Strict: JSON has types of its own, a text is no number."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


@with_config(ConfigDict(strict=True, extra="allow"))
class ConfigBody(TypedDict, total=False):
    """A run's or an assistant's config. What else is in it is kept."""

    tags: Annotated[list[str] | None, Field(description="Labels for tracing.")]
    recursion_limit: Annotated[Integer | None, Field(description="The most steps that a run may take.")]
    max_concurrency: Annotated[Integer | None, Field(description="The most nodes that run at once.")]
    configurable: Annotated[Object | None, Field(description="Values that the graph reads from its configuration.")]


@with_config(ConfigDict(strict=True, extra="ignore"))
class CheckpointBody(TypedDict, total=False):
    """A place in a thread's history."""

    thread_id: Annotated[str | None, Field(description="Ignored: the thread of the path counts.")]
    checkpoint_ns: Annotated[str | None, Field(description="The subgraph, by its namespace; empty for the graph.")]
    checkpoint_id: Annotated[str | None, Field(description="The checkpoint; the newest if it is left out.")]
    checkpoint_map: Annotated[
        dict[str, str] | None, Field(description="Checkpoints of the graphs above, by their namespaces.")
    ]


@with_config(ConfigDict(strict=True, extra="ignore"))
class SendBody(TypedDict, total=False):
    """A node to go to, with an input of its own."""

    node: Required[Annotated[str, Field(min_length=1, description="The node.")]]
    input: Annotated[Json, Field(description="What it gets in place of the state.")]


@with_config(ConfigDict(strict=True, extra="ignore"))
class CommandBody(TypedDict, total=False):
    """What a graph is told instead of an input: an update, an answer to an interrupt, a place to go."""

    update: Annotated[Json, Field(description="A change of the state.")]
    resume: Annotated[Json, Field(description="The answer to an interrupt, or answers by the interrupts' ids.")]
    goto: Annotated[str | SendBody | list[str | SendBody] | None, Field(description="The nodes to go to.")]


class TtlBody(Body):
    """How long a thread is to be kept, in minutes."""

    ttl: Annotated[float, Field(ge=0, le=LONGEST_TTL_MINUTES)] | None = Field(None, description="Minutes.")
    strategy: OrDefault[Literal["delete", "keep_latest"]] = Field(
        "delete", description="Whether the thread goes, or only its older states."
    )


def ttl_of(body: TtlBody | None) -> ThreadTtl | None:
    """How long a thread is to be kept; None where that is not said."""
    if body is None or body.ttl is None:
        return None
    return ThreadTtl(minutes=body.ttl, strategy=body.strategy)


def command_of(command: CommandBody | None) -> JsonObject | None:
    """The command; None for one that says nothing, which LangGraph would stumble over."""
    said = {key: value for key, value in (command or {}).items() if value is not None}
    return cast("JsonObject", said) or None  # a TypedDict of JSON values is a JSON object


def checkpoint_of(place: CheckpointBody | None, checkpoint_id: str | None = None) -> JsonObject:
    """The configurable values that name a checkpoint: the body's `checkpoint`, or its older `checkpoint_id`."""
    found: JsonObject = {}
    if place is not None:
        if place.get("checkpoint_ns") is not None:
            found["checkpoint_ns"] = place["checkpoint_ns"]
        if place.get("checkpoint_id"):
            found["checkpoint_id"] = place["checkpoint_id"]
        if place.get("checkpoint_map"):
            found["checkpoint_map"] = cast("JsonObject", place["checkpoint_map"])  # texts are JSON
    if checkpoint_id and "checkpoint_id" not in found:
        found["checkpoint_id"] = checkpoint_id
    return found
