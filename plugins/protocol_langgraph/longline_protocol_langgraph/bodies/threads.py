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
    OrDefault,
    SortOrderName,
    TtlBody,
    Uuid,
    checkpoint_of,
    command_of,
)
from longline_protocol_langgraph.extract import PATH_PATTERN
from longline_protocol_langgraph.states import STATE_FIELD_PATTERN

ThreadField: TypeAlias = Literal[
    "thread_id", "created_at", "updated_at", "state_updated_at", "metadata", "config", "status", "values", "interrupts"
]
ExtractPath: TypeAlias = Annotated[str, Field(json_schema_extra={"pattern": f"^{PATH_PATTERN}$"})]
MetadataKey: TypeAlias = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.-]+$")]
"""What LangGraph's savers take as the name of a condition."""
StatusName: TypeAlias = Literal["idle", "busy", "interrupted", "error"]

_STATE_FIELDS = "The fields to answer with, all if it is left out; `values.x` for one of the values."
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


StateField: TypeAlias = Annotated[str, Field(pattern=f"^({STATE_FIELD_PATTERN})$")]
StateConditions: TypeAlias = Annotated[
    dict[MetadataKey, Annotated[Json, AfterValidator(_comparable)]],
    Field(json_schema_extra={"additionalProperties": False}),
]


class UpdateBody(Body):
    """What one node is said to have returned."""

    as_node: str = Field(description="The node.")
    values: Json = Field(None, description="What it returned.")
    command: CommandBody | None = Field(None, description="The command that it returned instead.")


class SuperstepBody(Body):
    """Updates that belong to one step."""

    updates: list[UpdateBody] = Field(description="One per node.")


class ThreadCreateBody(Body):
    """A thread to create, perhaps with a state. `graph_id` is short for the metadata of that name."""

    thread_id: Annotated[str, Field(json_schema_extra={"format": "uuid"})] | None = Field(
        None, description="Its id; a new one if it is left out."
    )
    metadata: Object | None = Field(None, description="Facts to search by.")
    if_exists: OrDefault[IfExists] = Field(
        "raise", description="What to do if the id is taken: refuse, or answer with the thread that is there."
    )
    ttl: TtlBody | None = Field(None, description="How long it is kept.")
    supersteps: list[SuperstepBody] | None = Field(
        None, description="A history to begin with. The thread needs a graph for it."
    )
    graph_id: str | None = Field(None, description="The graph of its state: short for `metadata.graph_id`.")

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
    """What to change of a thread."""

    metadata: Object | None = Field(None, description="Merged with the metadata that is there.")
    ttl: TtlBody | None = Field(None, description="How long it is kept.")


class ThreadCountBody(Body):
    """Which threads to count."""

    metadata: Object | None = Field(None, description="What their metadata must hold.")
    values: Object | None = Field(None, description="What their state must hold.")
    status: StatusName | None = Field(None, description="Their status.")

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

    ids: list[Uuid] | None = Field(None, description="The threads to choose from.")
    metadata: Object | None = Field(None, description="What their metadata must hold.")
    values: Object | None = Field(None, description="What their state must hold.")
    status: StatusName | None = Field(None, description="Their status.")
    limit: OrDefault[Limit] = Field(10, description="The most to answer with.")
    offset: OrDefault[Offset] = Field(0, description="How many to leave out first.")
    sort_by: OrDefault[ThreadSort] = Field("updated_at", description="What to sort by.")
    sort_order: OrDefault[SortOrderName] = Field("desc", description="Smallest or largest first.")
    select: list[ThreadField] | None = Field(None, description="The fields to answer with; all if it is left out.")
    extract: dict[str, ExtractPath] | None = Field(
        None, description="Names → paths, such as `values.messages[-1].content`: answered under `extracted`."
    )

    def to_query(self) -> ThreadQuery:
        """The request to the thread service."""
        return ThreadQuery(
            metadata=metadata_filter(self.metadata or {}),
            values=metadata_filter(self.values or {}),
            status=ThreadStatus(self.status) if self.status is not None else None,
            thread_ids=self.ids,
            limit=self.limit,
            offset=self.offset,
            sort_by=self.sort_by,
            sort_order=self.sort_order,
        )


class PruneBody(Body):
    """Threads to remove."""

    thread_ids: list[Uuid] = Field(description="The threads. Ids that name none are passed over.")
    strategy: OrDefault[Literal["delete", "keep_latest"]] = Field(
        "delete", description="Whether the threads go, or only their older states."
    )


class StateUpdateBody(Body):
    """A change of a thread's state, as if a node had made it."""

    values: Json = Field(None, description="What the node is said to have returned.")
    as_node: str | None = Field(None, description="The node; the last one that ran if it is left out.")
    checkpoint: CheckpointBody | None = Field(None, description="The state to change; the newest if it is left out.")
    checkpoint_id: str | None = Field(None, description="The same by its id alone.")

    def place(self) -> JsonObject:
        """Where in the history the change is made; empty for its end."""
        return checkpoint_of(self.checkpoint, self.checkpoint_id)


class StateAtBody(Body):
    """A place in a thread's history to read the state at."""

    checkpoint: CheckpointBody = Field(description="The place.")
    subgraphs: OrDefault[bool] = Field(False, description="Whether the states of subgraphs are shown.")
    select: list[StateField] | None = Field(None, description=_STATE_FIELDS)


class HistoryBody(Body):
    """Which states of a thread. `before` is a checkpoint's id, a checkpoint, or a config that names one."""

    limit: OrDefault[Limit] = Field(1, description="The most to answer with.")
    before: Annotated[str | Object, AfterValidator(_readable)] | None = Field(
        None, description="Only older states than this checkpoint's."
    )
    metadata: StateConditions | None = Field(None, description="What the metadata of the states must hold.")
    checkpoint: CheckpointBody | None = Field(None, description="The subgraph whose states to read.")
    select: list[StateField] | None = Field(None, description=_STATE_FIELDS)

    def to_query(self) -> HistoryQuery:
        """The request to the thread service."""
        return HistoryQuery(
            limit=self.limit,
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
