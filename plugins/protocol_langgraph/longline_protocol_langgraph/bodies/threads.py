"""Bodies that make, change and find threads, and read or write their state."""

from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, TypeAdapter
from pydantic_core import PydanticCustomError

from longline.models.filters import metadata_filter
from longline.models.json import JsonObject, JsonValue
from longline.models.threads import ThreadQuery, ThreadSort, ThreadStatus
from longline.services.threads import HistoryQuery, StateUpdate
from longline_protocol_langgraph.bodies.types import (
    Body,
    CheckpointBody,
    CommandBody,
    IfExists,
    Json,
    Limit,
    Object,
    Offset,
    SortOrderName,
    TtlBody,
    Uuid,
    checkpoint_of,
    command_of,
)

ThreadField: TypeAlias = Literal[
    "thread_id", "created_at", "updated_at", "state_updated_at", "metadata", "config", "status", "values", "interrupts"
]
MetadataKey: TypeAlias = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.-]+$")]
"""What LangGraph's savers take as the name of a condition."""
StatusName: TypeAlias = Literal["idle", "busy", "interrupted", "error"]

_PLACE_KEYS = ("checkpoint_id", "checkpoint_ns", "checkpoint_map")
_SMALLEST_INTEGER, _LARGEST_INTEGER = -(2**63), 2**63 - 1
"""What a storage can compare with."""


def _comparable(value: JsonValue) -> JsonValue:
    if isinstance(value, int) and not _SMALLEST_INTEGER <= value <= _LARGEST_INTEGER:
        raise PydanticCustomError("integer", "must be an integer of 64 bits with a sign")
    return value


def _readable(place: str | JsonObject) -> str | JsonObject:
    for name, value in _named(place).items():
        ids = list(value.values()) if name == "checkpoint_map" and isinstance(value, dict) else [value]
        if not all(isinstance(found, str) for found in ids):
            raise PydanticCustomError("checkpoint", "must name a checkpoint by texts")
    return place


class UpdateBody(Body):
    """What one node is said to have returned."""

    as_node: str
    values: Json = None
    command: CommandBody | None = None


class SuperstepBody(Body):
    """Updates that belong to one step."""

    updates: list[UpdateBody]


class ThreadCreateBody(Body):
    """A thread to create, perhaps with a state. `graph_id` is short for the metadata of that name."""

    thread_id: str | None = None
    metadata: Object | None = None
    if_exists: IfExists | None = None
    ttl: TtlBody | None = None
    supersteps: list[SuperstepBody] | None = None
    graph_id: str | None = None

    def all_metadata(self) -> JsonObject:
        """The metadata, with the graph in it."""
        return {**({"graph_id": self.graph_id} if self.graph_id is not None else {}), **(self.metadata or {})}

    def steps(self) -> list[list[StateUpdate]]:
        """The supersteps as the thread service takes them."""
        return [
            [
                StateUpdate(
                    values=update.values,
                    as_node=update.as_node,
                    command=command_of(update.command),
                )
                for update in step.updates
            ]
            for step in self.supersteps or ()
        ]


class ThreadPatchBody(Body):
    """What to merge into a thread's metadata."""

    metadata: Object | None = None
    ttl: TtlBody | None = None


class ThreadCountBody(Body):
    """Which threads to count."""

    metadata: Object | None = None
    values: Object | None = None
    status: StatusName | None = None

    def to_query(self) -> ThreadQuery:
        """The request to the thread service."""
        return ThreadQuery(
            metadata=metadata_filter(self.metadata or {}),
            values=metadata_filter(self.values or {}),
            status=ThreadStatus(self.status) if self.status is not None else None,
            limit=1,
        )


class ThreadSearchBody(Body):
    """Which threads, in which order, and what of them."""

    ids: list[Uuid] | None = None
    metadata: Object | None = None
    values: Object | None = None
    status: StatusName | None = None
    limit: Limit | None = None
    offset: Offset | None = None
    sort_by: ThreadSort | None = None
    sort_order: SortOrderName | None = None
    select: list[ThreadField] | None = None
    extract: dict[str, str] | None = None

    def to_query(self) -> ThreadQuery:
        """The request to the thread service."""
        return ThreadQuery(
            metadata=metadata_filter(self.metadata or {}),
            values=metadata_filter(self.values or {}),
            status=ThreadStatus(self.status) if self.status is not None else None,
            thread_ids=self.ids,
            limit=self.limit or 10,
            offset=self.offset or 0,
            sort_by=self.sort_by or "updated_at",
            sort_order=self.sort_order or "desc",
        )


class PruneBody(Body):
    """Threads to remove."""

    thread_ids: list[Uuid]
    strategy: Literal["delete", "keep_latest"] | None = None


class StateUpdateBody(Body):
    """A change of a thread's state, as if a node had made it."""

    values: Json = None
    as_node: str | None = None
    checkpoint: CheckpointBody | None = None
    checkpoint_id: str | None = None

    def place(self) -> JsonObject:
        """Where in the history the change is made; empty for its end."""
        return checkpoint_of(self.checkpoint, self.checkpoint_id)


class StateAtBody(Body):
    """A place in a thread's history to read the state at."""

    checkpoint: CheckpointBody
    subgraphs: bool | None = None


class HistoryBody(Body):
    """Which states of a thread. `before` is a checkpoint's id, a checkpoint, or a config that names one."""

    limit: Annotated[int, Field(ge=1, le=1000)] | None = None
    before: Annotated[str | Object, AfterValidator(_readable)] | None = None
    metadata: dict[MetadataKey, Annotated[Json, AfterValidator(_comparable)]] | None = None
    checkpoint: CheckpointBody | None = None

    def to_query(self) -> HistoryQuery:
        """The request to the thread service."""
        return HistoryQuery(
            limit=self.limit or 1,
            before=_before(self.before),
            metadata=self.metadata,
            checkpoint=checkpoint_of(self.checkpoint) or None,
        )


def _before(place: str | JsonObject | None) -> JsonObject | None:
    return (_named(place) if place is not None else None) or None


def _named(place: str | JsonObject) -> JsonObject:
    if isinstance(place, str):
        return {"checkpoint_id": place}
    inner = place.get("configurable", place)
    found = inner if isinstance(inner, dict) else {}
    return {key: found[key] for key in _PLACE_KEYS if found.get(key) is not None}


CREATE = TypeAdapter(ThreadCreateBody)
PATCH = TypeAdapter(ThreadPatchBody)
SEARCH = TypeAdapter(ThreadSearchBody)
COUNT = TypeAdapter(ThreadCountBody)
PRUNE = TypeAdapter(PruneBody)
STATE_UPDATE = TypeAdapter(StateUpdateBody)
STATE_AT = TypeAdapter(StateAtBody)
HISTORY = TypeAdapter(HistoryBody)
