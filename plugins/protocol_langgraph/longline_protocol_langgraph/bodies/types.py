"""What bodies are made of. Fields that a client leaves out or sends as null mean the same; unknown ones are ignored."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, Required, TypeAlias, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, InstanceOf, with_config
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from longline.ids import parse_uuid
from longline.models.json import JsonObject, JsonValue
from longline_protocol_langgraph.query import LARGEST

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


Uuid: TypeAlias = Annotated[str, AfterValidator(_uuid)]
Limit: TypeAlias = Annotated[int, Field(ge=1, le=1000)]
Offset: TypeAlias = Annotated[int, Field(ge=0, le=LARGEST)]
SortOrderName: TypeAlias = Literal["asc", "desc"]
IfExists: TypeAlias = Literal["raise", "do_nothing"]


class Body(BaseModel):
    """The base of every body. Strict: JSON has types of its own, a text is no number."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


@with_config(ConfigDict(strict=True, extra="allow"))
class ConfigBody(TypedDict, total=False):
    """A run's or an assistant's config. What else is in it is kept."""

    tags: list[str] | None
    recursion_limit: int | None
    max_concurrency: int | None
    configurable: Object | None


@with_config(ConfigDict(strict=True, extra="ignore"))
class CheckpointBody(TypedDict, total=False):
    """A place in a thread's history."""

    thread_id: str | None
    checkpoint_ns: str | None
    checkpoint_id: str | None
    checkpoint_map: dict[str, str] | None


@with_config(ConfigDict(strict=True, extra="ignore"))
class SendBody(TypedDict, total=False):
    """A node to go to, with an input of its own."""

    node: Required[Annotated[str, Field(min_length=1)]]
    input: Json


@with_config(ConfigDict(strict=True, extra="ignore"))
class CommandBody(TypedDict, total=False):
    """What a graph is told instead of an input: an update, an answer to an interrupt, a place to go."""

    update: Json
    resume: Json
    goto: str | SendBody | list[str | SendBody] | None


class TtlBody(Body):
    """How long a thread is to be kept, in minutes."""

    ttl: Annotated[int | float, Field(ge=0)] | None = None
    strategy: Literal["delete", "keep_latest"] = "delete"


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
